"""Energy counters of x86 processors (RAPL), where they may be read: since Linux 5.10 by root only."""

from __future__ import annotations

import re

from ...system.root_files import Files, reason
from ..channel import Beat, Notes

_POWERCAP = "/sys/class/powercap"
_LOOK_EVERY_S = 30.0
_MOST_W = 2000.0
_PEAK_FACTOR, _LEAST_BOUND_W = 4.0, 250.0
"""A package draws more than its limits say for milliseconds, and limits are changed while it runs: four times as much never."""


class Rapl:
    """Power of each package and its parts, as the difference of two readings of its energy counter.

    Counters are in microjoules and wrap at `max_energy_range_uj` (Linux Documentation/power/powercap); a wrap between two
    readings is undone modulo the range. A counter also begins anew (resume, a driver that is loaded again): a step back
    that would be more power than the package can draw is no wrap, and the energy of that interval is unknown. AMD
    processors use the same driver. Zones that appear later are found within half a minute.
    """

    def __init__(self, files: Files, notes: Notes) -> None:
        self._files, self._notes = files, notes
        self._look = Beat(_LOOK_EVERY_S)
        self._meters: dict[str, _Meter] = {}
        self._silent: set[str] = set()
        """Domains whose counter cannot be read."""

    def read(self, now_s: float) -> tuple[dict[str, int | None], dict[str, float]]:
        """(milliwatts by domain, joules by domain since the first reading). Empty before the second reading.

        None: unknown for this interval, or not to be read: a computer of which one package is silent has no total.
        """
        if self._look.due(now_s):
            self._find()
        rails: dict[str, int | None] = {}
        joules: dict[str, float] = {}
        for meter in self._meters.values():
            watts = meter.read(self._files, now_s)
            if meter.measured:
                rails[meter.name] = None if watts is None else round(watts * 1000.0)
                joules[f"{meter.name} J"] = round(meter.microjoules / 1e6, 6)
        return (rails | dict.fromkeys(self._silent) if rails else rails), joules

    def _find(self) -> None:
        """New zones. `intel-rapl:1:0` is a part of `intel-rapl:1`."""
        folders = self._zones()
        self._silent.clear()
        taken = {meter.name for meter in self._meters.values()}
        for folder in folders:
            zone = folder.rpartition("/")[2]
            name = self._files.text(f"{folder}/name")
            path = f"{folder}/energy_uj"
            if not name or path in self._meters:
                continue
            if zone.count(":") == 2:
                name += self._package(folder.rpartition(":")[0])
            if name in taken:
                name = f"{name} ({zone})"
            taken.add(name)
            try:
                self._files.read(path)
            except OSError as error:
                self._notes.once("rapl", f"processor power: {reason(error)} ({path})")
                self._silent.add(name)
                continue
            span = self._files.number(f"{folder}/max_energy_range_uj")
            self._meters[path] = _Meter(name, path, span or 0.0, self._most_w(folder))

    def _zones(self) -> list[str]:
        """The processor's own zones; those of `intel-rapl-mmio`, its package once more, only where there are no own."""
        folders = list(self._files.under(_POWERCAP))
        own = [folder for folder in folders if "/intel-rapl:" in folder]
        if own:
            self._meters = {path: meter for path, meter in self._meters.items() if "/intel-rapl:" in path}
        return own or [folder for folder in folders if "/intel-rapl-mmio:" in folder]

    def _package(self, folder: str) -> str:
        """What tells a part of the second package from that of the first: `-1`."""
        number = re.fullmatch(r"package-(\d+.*)", self._files.text(f"{folder}/name") or "")
        suffix = number[1] if number else folder.rpartition(":")[2]
        return "" if suffix == "0" else f"-{suffix}"

    def _most_w(self, folder: str) -> float:
        """More than the zone can draw. A part has no limits of its own, or lower ones than its package's: all count."""
        limits = [
            self._files.number(f"{owner}/{name}")
            for owner in {folder, folder if folder.count(":") < 2 else folder.rpartition(":")[0]}
            for name in self._files.names(owner)
            if re.fullmatch(r"constraint_\d_(max_power|power_limit)_uw", name)
        ]
        known = [microwatts / 1e6 for microwatts in limits if microwatts is not None and 1e6 <= microwatts < _MOST_W * 1e6]
        return min(max(max(known) * _PEAK_FACTOR, _LEAST_BOUND_W), _MOST_W) if known else _MOST_W


class _Meter:
    """One counter, unwrapped."""

    def __init__(self, name: str, path: str, span: float, most_w: float) -> None:
        self.name, self._path, self._span, self._most_w = name, path, span, most_w
        self._last: tuple[float, float] | None = None
        self.microjoules = 0.0
        self.measured = False
        """Two readings have been there."""

    def read(self, files: Files, now_s: float) -> float | None:
        """Watts since the reading before; None: there is none, or the counter began anew since."""
        value = files.number(self._path)
        if value is None:
            self._last = None
            return None
        before, self._last = self._last, (now_s, value)
        if before is None or now_s <= before[0]:
            return None
        used, most_w = value - before[1], _MOST_W
        if used < 0 and self._span > 0:
            used, most_w = used % self._span, self._most_w
        most = most_w * 1e6 * (now_s - before[0])
        self.measured = True
        if not 0 <= used <= most or 0 < self._span <= most:  # in so long a time it may have wrapped more than once
            return None
        self.microjoules += used
        return used / 1e6 / (now_s - before[0])
