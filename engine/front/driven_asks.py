"""A whole search or sweep as a board of a fleet is asked for it: what was typed, for the board itself to plan."""

from __future__ import annotations

from msgspec import Struct

from ..schema.search import Over
from ..schema.settings import BackendSettings
from ..schema.spec import RunSpec
from .sweep_words import SweepWords


class SearchAsked(Struct, frozen=True, kw_only=True, tag="search"):
    """`edgetui search --on`."""

    spec: RunSpec
    goal: str
    over: Over
    builds: int
    seconds: float | None = None


class SweepAsked(Struct, frozen=True, kw_only=True, tag="sweep"):
    """`edgetui sweep --on`."""

    model: str
    """Absolute path."""
    name: str
    backend: BackendSettings
    said: SweepWords


DrivenAsked = SearchAsked | SweepAsked
