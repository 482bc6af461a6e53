"""A plain computer: cores, memory and temperatures as the Linux kernel tells them."""

from __future__ import annotations

from ..channel import Notes
from ..files import Files
from ..sample import Sample, wall_now
from .base import SourceRefused
from .machine import Machine
from .thermal import Thermal


class Host:
    """What every Linux machine has.

    Raises:
        SourceRefused: there is no /proc/stat, so this is no Linux.
    """

    name = "host"

    def __init__(self, files: Files) -> None:
        if not files.exists("/proc/stat"):
            raise SourceRefused("there is no /proc/stat: not a Linux machine")
        self._notes = Notes()
        self._machine = Machine(files)
        self._thermal = Thermal(files, self._notes, hwmon=True)

    def read(self, now_s: float) -> Sample:
        """One sweep over cores, memory and temperatures."""
        machine = self._machine.read(now_s)
        return Sample(
            t_s=now_s,
            wall=wall_now(),
            source=self.name,
            cpu_load_pct=machine.cpu_load_pct,
            cpu_freq_mhz=machine.cpu_freq_mhz,
            ram_used_mb=machine.ram_used_mb,
            ram_total_mb=machine.ram_total_mb,
            swap_used_mb=machine.swap_used_mb,
            swap_total_mb=machine.swap_total_mb,
            temps_c=self._thermal.read(now_s),
        )

    def notes(self) -> tuple[str, ...]:
        """Channels that could not be read."""
        return self._notes.lines()

    def close(self) -> None:
        """Nothing is kept open."""
