"""The memory of a Tegra chip: its clock and how busy it is. Apart from `tegra.py`, since the stamp of a board reads it too."""

from __future__ import annotations

from ...system.root_files import Files
from ..channel import Beat, Channel, Notes

_DEBUG = "/sys/kernel/debug"
_EMC_RATES = (f"{_DEBUG}/bpmp/debug/clk/emc/rate", f"{_DEBUG}/clk/override.emc/clk_rate", "/sys/class/devfreq/bwmgr/cur_freq")
_EMC_ACTIVITY = (
    f"{_DEBUG}/cactmon/mc_all",
    "/sys/kernel/actmon_avg_activity/mc_all",
    f"{_DEBUG}/bpmp/debug/actmon/mc_all_avg_activity",
)


class Emc:
    """Clock and load of the memory; on most boards only root may know. What is not there is looked for every half minute."""

    def __init__(self, files: Files, notes: Notes) -> None:
        self._files, self._notes = files, notes
        self._rate: Channel | None = None
        self._activity: Channel | None = None
        self._look, self._beat = Beat(30.0), Beat(0.2)
        self._state: tuple[float | None, float | None] = (None, None)

    def read(self, now_s: float) -> tuple[float | None, float | None]:
        """(percent of the bandwidth, MHz)."""
        if (self._rate is None or self._activity is None) and self._look.due(now_s):
            self._find()
        if self._beat.due(now_s):
            hz = self._rate.read(now_s) if self._rate is not None else None
            active = self._activity.read(now_s) if self._activity is not None else None
            load = None if not hz or active is None else round(active / (hz / 1000.0) * 100.0, 1)
            self._state = load, None if hz is None else round(hz / 1e6, 3)
        return self._state

    def _find(self) -> None:
        self._rate = self._rate or self._first("EMC clock", _EMC_RATES)
        self._activity = self._activity or self._first("EMC load", _EMC_ACTIVITY)
        if self._rate is None or self._activity is None:
            self._notes.once("emc", "EMC load: only root may read it")
        else:
            self._notes.withdraw("emc")

    def _first(self, name: str, paths: tuple[str, ...]) -> Channel | None:
        path = next((path for path in paths if self._files.exists(path)), None)
        return Channel(self._files, self._notes, name, path) if path else None
