"""A plain computer: cores, memory, temperatures and, for root, the power of the processor."""

from __future__ import annotations

from ...system.root_files import Files
from ..channel import Notes
from ..energy import TOTAL_JOULES
from ..sample import Sample, wall_now
from .machine import Machine
from .rapl import Rapl
from .source import NotedSource, SourceRefused
from .thermal import Thermal


class Host(NotedSource):
    """What every Linux machine has.

    Raises:
        SourceRefused: there is no /proc/stat, so this is no Linux.
    """

    name = "host"
    pushed = False

    def __init__(self, files: Files) -> None:
        if not files.exists("/proc/stat"):
            raise SourceRefused("there is no /proc/stat: not a Linux machine")
        self._notes = Notes()
        self._machine = Machine(files)
        self._thermal = Thermal(files, self._notes, hwmon=True)
        self._rapl = Rapl(files, self._notes)

    def read(self, now_s: float) -> Sample:
        """One sweep."""
        machine = self._machine.read(now_s)
        rails, counters = self._rapl.read(now_s)
        packages = [milliwatts for name, milliwatts in rails.items() if name.startswith("package-")]
        known = [milliwatts for milliwatts in packages if milliwatts is not None]
        if packages and len(known) == len(packages):  # not when energy is unknown since the reading before
            counters[TOTAL_JOULES] = sum(joules for name, joules in counters.items() if name.startswith("package-"))
        temps = self._thermal.read(now_s)
        return Sample(
            t_s=now_s,
            wall=wall_now(),
            source=self.name,
            rails_mw=rails,
            total_mw=sum(known) if known and len(known) == len(packages) else None,
            total_scope="package" if packages else None,
            counters=counters,
            cpu_load_pct=machine.cpu_load_pct,
            cpu_freq_mhz=machine.cpu_freq_mhz,
            ram_used_mb=machine.ram_used_mb,
            ram_total_mb=machine.ram_total_mb,
            swap_used_mb=machine.swap_used_mb,
            swap_total_mb=machine.swap_total_mb,
            temps_c=temps,
            silent=self._notes.faults_of(temps),
        )

    def close(self) -> None:
        """Nothing is kept open."""
