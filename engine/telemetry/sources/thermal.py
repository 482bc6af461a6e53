"""Temperatures: thermal zones by their own names, and hwmon chips where a plain computer has them.

Zones are known by name, never by number. -256 °C is how older drivers say that a block is off; newer ones answer EAGAIN.
"""

from __future__ import annotations

from ...system.root_files import Files
from ..channel import Beat, Channel, Notes, unique_name

_ZONES, _HWMON = "/sys/class/thermal", "/sys/class/hwmon"
_OFF_BELOW_C = -100.0
_HOST_CHIPS = frozenset(("coretemp", "k10temp", "zenpower", "cpu_thermal", "nvme", "drivetemp", "acpitz"))


class Thermal:
    """Reads at most five times a second; looks for new zones every half minute."""

    def __init__(self, files: Files, notes: Notes, *, hwmon: bool) -> None:
        self._files, self._notes, self._hwmon = files, notes, hwmon
        self._beat, self._look = Beat(0.2), Beat(30.0)
        self._channels: list[Channel] = []
        self._temps: dict[str, float | None] = {}

    def read(self, now_s: float) -> dict[str, float | None]:
        """Degrees by zone; None: the sensor is off."""
        if self._look.due(now_s):
            self._find()
        if self._beat.due(now_s):
            self._temps = {channel.name: _degrees(channel.read(now_s)) for channel in self._channels}
        return self._temps

    def _find(self) -> None:
        unanswered = self._files.unanswered
        known = {channel.path: channel for channel in self._channels}
        found = dict(self._zones())
        if self._hwmon:
            found.update(self._chips())
        if self._files.unanswered != unanswered:
            found = {path: channel.name for path, channel in known.items()} | found
        taken: set[str] = set()
        channels = []
        for path, name in found.items():
            name = unique_name(name, taken)
            old = known.get(path)
            keep = old is not None and old.name == name
            channels.append(old if old is not None and keep else Channel(self._files, self._notes, name, path, 0.001))
        self._channels = channels

    def _zones(self) -> list[tuple[str, str]]:
        folders = [f for f in self._files.under(_ZONES) if "/thermal_zone" in f]
        named = ((f"{folder}/temp", self._files.text(f"{folder}/type")) for folder in folders)
        return [(path, name) for path, name in named if name]

    def _chips(self) -> list[tuple[str, str]]:
        found = []
        for folder in self._files.under(_HWMON):
            chip = self._files.text(f"{folder}/name")
            if chip not in _HOST_CHIPS:
                continue
            inputs = [n for n in self._files.names(folder) if n.startswith("temp") and n.endswith("_input")]
            for name in inputs:
                label = self._files.text(f"{folder}/{name[: -len('_input')]}_label")
                found.append((f"{folder}/{name}", label if chip == "coretemp" and label else f"{chip} {label or ''}".strip()))
        return found


def _degrees(value: float | None) -> float | None:
    return None if value is None or value < _OFF_BELOW_C else round(value, 3)
