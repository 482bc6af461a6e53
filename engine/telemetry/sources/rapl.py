"""Energy counters of x86 processors (RAPL), where they may be read: since Linux 5.10 by root only."""

from __future__ import annotations

from ..channel import Notes
from ..files import Files, reason

_POWERCAP = "/sys/class/powercap"


class Rapl:
    """Power of each package and its parts, as the difference of two readings of its energy counter.

    Counters are in microjoules and wrap at `max_energy_range_uj` (Linux Documentation/power/powercap); a wrap between two
    readings is undone modulo the range. AMD processors use the same driver.
    """

    def __init__(self, files: Files, notes: Notes) -> None:
        self._files = files
        self._meters = [_Meter(name, path, span) for name, path, span in self._find(notes)]

    def read(self, now_s: float) -> tuple[dict[str, int | None], dict[str, float]]:
        """(milliwatts by domain, joules by domain since the first reading). Empty before the second reading."""
        rails: dict[str, int | None] = {}
        joules: dict[str, float] = {}
        for meter in self._meters:
            watts = meter.read(self._files, now_s)
            if meter.told:
                rails[meter.name] = None if watts is None else round(watts * 1000.0)
                joules[f"{meter.name} J"] = round(meter.microjoules / 1e6, 6)
        return rails, joules

    def _find(self, notes: Notes) -> list[tuple[str, str, float]]:
        found = []
        for folder in self._files.under(_POWERCAP):
            zone = folder.rpartition("/")[2]
            name = self._files.text(f"{folder}/name")
            if not zone.startswith("intel-rapl:") or not name:
                continue
            package = zone.split(":")[1]
            if zone.count(":") == 2 and package != "0":
                name = f"{name}-{package}"  # `core` of the second package
            span = self._files.number(f"{folder}/max_energy_range_uj")
            try:
                self._files.read(f"{folder}/energy_uj")
            except OSError as error:
                notes.once("rapl", f"processor power: {reason(error)} ({folder}/energy_uj)")
            else:
                found.append((name, f"{folder}/energy_uj", span or 0.0))
        return found


class _Meter:
    """One counter, unwrapped."""

    def __init__(self, name: str, path: str, span: float) -> None:
        self.name, self._path, self._span = name, path, span
        self._last: tuple[float, float] | None = None
        self.microjoules = 0.0
        self.told = False
        """Two readings have been there."""

    def read(self, files: Files, now_s: float) -> float | None:
        """Watts since the reading before."""
        value = files.number(self._path)
        if value is None:
            self._last = None
            return None
        before, self._last = self._last, (now_s, value)
        if before is None or now_s <= before[0]:
            return None
        used = value - before[1]
        if used < 0:
            used = used % self._span if self._span > 0 else 0.0
        self.microjoules += used
        self.told = True
        return used / 1e6 / (now_s - before[0])
