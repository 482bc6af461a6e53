"""What a list of runs can be filtered and sorted by: names, and where each is found in a run's summary."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from msgspec import Struct

from ..schema.run_summary import RunSummary
from .metrics import LIMITED, changes

DURATIONS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
"""Units of times, in seconds."""


class TextField(Struct, frozen=True):
    """A field that is words."""

    name: str
    of: Callable[[RunSummary], tuple[str, ...]]
    """One text, or several of which any may be meant."""

    def sorted_by(self, run: RunSummary) -> str | None:
        """What it is sorted by; None: there is nothing."""
        return ", ".join(self.of(run)).casefold() or None


class NumberField(Struct, frozen=True):
    """A field that is a figure, or a time in seconds."""

    name: str
    of: Callable[[RunSummary], float | None]
    """None: not known."""
    most_first: bool = False
    """More of it is better."""
    time: bool = False


def _one(name: str) -> TextField:
    return TextField(name, lambda run: (getattr(run, name),))


def _difference(field: str) -> Callable[[RunSummary], float | None]:
    change = next(change for _, change in changes() if change.field == field)
    return lambda run: change.figure(run.difference).value


def _age(run: RunSummary) -> float | None:
    try:
        began = datetime.fromisoformat(run.began)
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - began).total_seconds()


TEXTS: dict[str, TextField] = {
    field.name: field
    for field in (
        *map(_one, ("run", "model", "recipe", "state", "stage", "board", "backend", "preset", "workload", "data", "group")),
        _one("began"),
        TextField("tag", lambda run: run.tags),
        _one("note"),
        TextField("verdict", lambda run: tuple(f"{metric} {word}" for metric, word in run.verdict.items())),
        TextField("error", lambda run: (run.error.what if run.error else "",)),
    )
}
"""By name."""
NUMBERS: dict[str, NumberField] = {
    field.name: field
    for field in (
        NumberField("took", lambda run: run.took_s, time=True),
        NumberField("age", _age, time=True),
        *(
            NumberField(change.field, _difference(change.field), most_first=metric.better == "more")
            for metric, change in changes()
        ),
        *(
            NumberField(key, lambda run, key=key: run.figures.get(key), most_first=metric.better == "more")  # type: ignore[misc]
            for key, metric in LIMITED.items()
        ),
    )
}
"""By name."""
SHORT: dict[str, str] = {
    "ratio": "latency_ratio",
    "date": "began",
    "tags": "tag",
    "dataset": "data",
    **{
        short: name
        for name in NUMBERS
        if (short := name.rpartition("_")[0]) and name.rpartition("_")[2] in ("ms", "mb", "j", "w") and short not in NUMBERS
    },
}
"""Other names that people type: `latency` is `latency_ms`."""
NAMES = (*TEXTS, *NUMBERS, *SHORT)
