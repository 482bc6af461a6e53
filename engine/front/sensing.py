"""The half of the engine's front that is about sensors: live samples, recordings, replay, alerts.

Apart from `api.py` because nothing here knows of runs.
"""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import Config
from ..errors import from_os_error
from ..telemetry.alerts import Alerts
from ..telemetry.history import History

if TYPE_CHECKING:
    from ..telemetry.client import Telemetry
    from ..telemetry.energy import Readings
    from ..telemetry.recording import Mark, Recorder
    from ..telemetry.replay import Player
    from ..telemetry.sample import Sample


class Sensing:
    """What `api.Engine` offers of telemetry."""

    def __init__(self, config: Config, home: Path) -> None:
        self.config = config
        self.home = home

    def telemetry(self, rate_hz: float = 2.0, source: str = "auto") -> Telemetry:
        """Live samples of this board, from the sampler process, which is started if none runs.

        Raises:
            UsageError: there is no such source, or no such rate.
            StorageRefused: neither shared memory nor the state folder can be written to.
        """
        from ..telemetry.client import open_telemetry

        return open_telemetry(self.home, source, rate_hz)

    def sense(self, source: str = "auto") -> Sample:
        """One sample, read in this process; takes a third of a second, three at most.

        Raises:
            UsageError: there is no such source.
            EdgetuiError: it cannot be used here.
        """
        from ..telemetry.single_sample import once

        return once(source)[0]

    def replay(self, path: Path, speed: float = 1.0) -> Player:
        """A recording, or a log of tegrastats, that plays; `Player.recording` has its samples, marks and alerts.

        Raises:
            DataRefused: there is no such file, or nothing in it can be read.
        """
        from ..telemetry.replay import Player, Recording

        return Player(Recording(path), speed)

    def recorder(self, readings: Readings, path: Path | None = None) -> Recorder:
        """A new recording of what `readings` says, in `path` or in a new file of the state folder.

        Raises:
            StorageRefused: the file is there already, or cannot be written.
        """
        from ..system.boards import detect
        from ..telemetry.recording import Recorder, header_of
        from ..telemetry.replay import Player

        if path is None:
            folder, name = self.home / "recordings", f"{datetime.now():%Y%m%d-%H%M%S}"
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise from_os_error(error) from error
            names = itertools.chain([name], (f"{name}_{n}" for n in itertools.count(2)))  # two within a second
            path = next(p for p in (folder / f"{name}.jsonl" for name in names) if not p.exists())
        if isinstance(readings, Player):
            return Recorder(path, readings.recording.header)
        said = readings.stats()
        return Recorder(path, header_of(detect(), said.source, said.rate_hz or None))

    def export_recording(self, path: Path, to: Path) -> tuple[int, tuple[str, ...]]:
        """Write a recording, or a log of tegrastats, as a table (.csv) or one document (.json); returns the number of samples,
        and what has to be known of them.

        Raises:
            UsageError: `to` ends in neither.
            DataRefused: the recording cannot be read.
            StorageRefused: `to` is there already, or cannot be written.
        """
        from ..telemetry.recording_export import to_file

        return to_file(path, to)

    def mark(self, note: str, t_s: float, wall: str = "") -> Mark:
        """A mark for a list; `Recorder.mark` makes those that are kept."""
        from ..telemetry.recording import Mark

        return Mark(t_s=t_s, wall=wall, note=note)

    def alerts(self, period_s: float | None = None) -> Alerts:
        """Watches samples by the rules of edgetui.toml; `period_s`: how far apart samples are wanted, where that is known."""
        return Alerts(self.config.alerts, period_s)

    def history(self) -> History:
        """Room for a day of samples, in bounded memory."""
        return History()
