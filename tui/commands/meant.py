"""What a word means where a command takes runs: a run, or a search, a sweep, a study by its id or a part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ...engine.api import Engine

Driven = Literal["sweep", "search", "study"]


async def meant(engine: Engine, text: str) -> tuple[Driven | None, str]:
    """What is driven by that word, and its whole id; None where it is a run's, or nothing's. A run's name comes first."""
    known: tuple[tuple[Driven, str], ...] = (
        ("sweep", await engine.known_sweep(text)),
        ("search", await engine.known_search(text)),
        ("study", await engine.study_called(text)),
    )
    for kind, found in known:
        if found and (found == text or not any(text in run.run for run in await engine.list())):
            return kind, found
    return None, ""
