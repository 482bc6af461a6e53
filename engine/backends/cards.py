"""Every backend's card. A backend is entered by its name in `schema.settings.BackendName` and its folder `NAME/card.py`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import get_args

from ..schema.settings import BackendName, BackendSettings
from .base import Backend
from .card import Card, Lowering, ModelReader


def _card(name: str) -> Card:
    found: Card = import_module(f".{name}.card", __package__).CARD
    return found


CARDS: dict[str, Card] = {name: _card(name) for name in get_args(BackendName)}


def card_of(name: str) -> Card:
    """The card of a backend; of one that this version does not know, as results of other versions name it, a bare one."""
    return CARDS.get(name) or _Unknown(name)


class _Unknown(Card):
    def __init__(self, name: str) -> None:
        self.name = self.title = name


def owner(path: Path) -> Card | None:
    """The backend whose plan a file is; None: it is no plan."""
    return next((card for card in CARDS.values() if card.is_plan(path)), None)


def by_suffix(path: Path) -> Card | None:
    """The backend whose plan a file is by its name alone."""
    return next((card for card in CARDS.values() if path.suffix in card.plan_suffixes), None)


def lowerings() -> dict[str, Lowering]:
    """Every lowering by its target."""
    return {lowering.target: lowering for card in CARDS.values() for lowering in card.lowerings}


def readers() -> dict[str, tuple[Card, ModelReader]]:
    """What `inspection.lint` checks for, by its target, and whose it is."""
    return {reader.target: (card, reader) for card in CARDS.values() for reader in card.readers}


def open_backend(settings: BackendSettings, home: Path) -> Backend:
    """The adapter of the backend that is asked for; what it keeps between runs lies in the state folder `home`."""
    card, adapter = CARDS[settings.name], adapter_of(settings.name)
    return adapter(home / card.keeps) if card.keeps else adapter()


def adapter_of(name: str) -> Callable[..., Backend]:
    """The class of a backend's adapter, imported without its library."""
    module, _, kind = CARDS[name].adapter.partition(":")
    adapter: Callable[..., Backend] = getattr(import_module(f".{module}", __package__), kind)
    return adapter
