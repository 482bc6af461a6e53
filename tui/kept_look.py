"""What somebody chose to see, for the next time: a small file in the state folder, which may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..engine.errors import DAMAGED
from ..engine.schema.ready import ready
from ..engine.system.atomic_write import write_atomic

FILE = "screen.json"
PLACES = "places.json"
MOST_PLACES = 12
LIVE_CHARTS = 4
"""Of the workbench."""
RUN_SERIES = ("fps", "latency")
"""What the measuring run says, among names of series: the workbench draws it beside the sensors."""


class MonitorLook(Struct, frozen=True, kw_only=True):
    """What the monitor draws, and of it the workbench the first that it has charts for."""

    charts: tuple[str, ...] = ()
    """Names of series; empty: what the board tells."""
    with_run: bool = False
    """The measuring run's stand among them where they were wanted; else the workbench puts them where they usually are."""
    over: dict[str, str] = {}
    """A second series in a chart, by the name of its first."""
    window: int = 1
    """How much of the past, of those that there are."""

    @property
    def sensors(self) -> tuple[str, ...]:
        """Without what the measuring run says."""
        return tuple(each for each in self.charts if each not in RUN_SERIES)

    def with_sensors(self, chosen: Sequence[str]) -> tuple[str, ...]:
        """`charts` with other sensors; what the measuring run says keeps its places."""
        merged = list(chosen)
        for place, each in enumerate(self.charts):
            if each in RUN_SERIES:
                merged.insert(min(place, len(merged)), each)
        return tuple(merged)


def kept_look(home: Path) -> MonitorLook:
    """What was kept; what is usual where nothing was, or it is damaged."""
    with suppress(OSError, *DAMAGED):
        return msgspec.json.decode((home / FILE).read_bytes(), type=ready(MonitorLook))
    return MonitorLook()


def keep_look(home: Path, look: MonitorLook) -> None:
    """Keep it; a disk that is full loses it."""
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(home / FILE, msgspec.json.encode(look))


def kept_places(home: Path) -> tuple[str, ...]:
    """Folders from which something was taken, the newest first."""
    with suppress(OSError, *DAMAGED):
        return msgspec.json.decode((home / PLACES).read_bytes(), type=ready(tuple[str, ...]))
    return ()


def keep_place(home: Path, folder: str) -> None:
    """Keep a folder from which something was taken; a disk that is full loses it."""
    places = (folder, *(place for place in kept_places(home) if place != folder))[:MOST_PLACES]
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(home / PLACES, msgspec.json.encode(places))
