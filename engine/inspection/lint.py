"""What a backend would refuse of a model, and what it would read but be slow with, before minutes are spent on trying.

It must work where the backend is not installed: TensorRT's rules come from its parser's table of operators
(onnx-tensorrt, docs/operators.md) and from its parser's own answers.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from msgspec import structs
from onnx import ModelProto

from ..backends.cards import CARDS, readers
from ..errors import ELSEWHERE, Fix, Refusal, UsageError, nearest
from ..graph.plugins import foreign_plugins
from ..graph.wiring import faults

READERS = readers()
"""By target; `backends/NAME/card.py` enters them."""
TARGETS = tuple(card.readers[0].target for card in CARDS.values() if card.readers)
"""A backend each, as it reads where it has everything."""
LOOKED_AT = (*TARGETS, *(target for target, (_, reader) in READERS.items() if reader.narrower))
"""What `ModelFacts.refusals` has an answer for; a narrower reader that is not in it reads what its backend does."""


def lint(model: ModelProto, target: str) -> list[Refusal]:
    """What `target`, one of `READERS`, refuses, with the node and what mends it; empty: reads it.

    Raises:
        UsageError: nobody knows the target.
    """
    found = _refusals(model, target)
    if not any(ELSEWHERE in refusal.fixes for refusal in found):
        return found
    way = elsewhere(model, target)
    return [refusal.with_elsewhere(way) for refusal in found]


def narrower(backend: str) -> list[str]:
    """Targets that read less than a backend does elsewhere."""
    return [reader.target for reader in CARDS[backend].readers if reader.narrower]


def elsewhere(model: ModelProto, target: str) -> Fix | None:
    """A backend that reads a model which `target` refuses; None: there is none.

    Where a narrower reader of a backend refuses it, the backend itself comes first; then those that need no GPU.
    """
    own, refusing = READERS[target]
    others = [card for card in CARDS.values() if card.readers and (card is not own or refusing.narrower)]
    for card in sorted(others, key=lambda card: (card is not own, card.needs_gpu)):
        if card.advice is not None and not _refusals(model, card.readers[0].target):
            plugins = foreign_plugins(model) if card.takes_plugins else []
            needed = f", and LD_PRELOAD the library of the plugin {', '.join(plugins)}" if plugins else ""
            return structs.replace(card.advice, words=card.advice.words + needed)
    return None


def _refusals(model: ModelProto, target: str) -> list[Refusal]:
    if target not in READERS:
        raise UsageError(f"`{target}` cannot be checked for", fix=nearest(target, TARGETS))
    _, reader = READERS[target]
    module, _, name = reader.rules.partition(":")
    rules: Callable[..., list[Refusal]] = getattr(import_module(f".{module}", __package__), name)
    return [*faults(model), *rules(model, **dict.fromkeys(reader.options, True))]
