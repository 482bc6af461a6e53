"""What every Linux machine tells below /proc and /sys: load and clock of each core, memory, swap.

Load is read from /proc/stat by ourselves: psutil's list of cores leaves out those that are off, so that the others lose their
numbers. Clocks it reads from fixed paths in /sys, past EDGETUI_ROOT. Its total over all cores nobody asks for: what is shown
is the mean of the cores' loads, which a recording has as well.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ...system.cpu import clocks_mhz
from ...system.cpu_list import cpus
from ...system.memory import Memory, MemoryReader
from ...system.root_files import Files
from ..channel import Beat

_KIB_PER_MB = 1024.0
_FEW_CORES = 32


@dataclass(frozen=True)
class MachineState:
    """Cores by their number, None for one that is off; memory in units of 2^20 bytes."""

    cpu_load_pct: tuple[float | None, ...] = ()
    cpu_freq_mhz: tuple[float | None, ...] = ()
    ram_used_mb: float | None = None
    ram_total_mb: float | None = None
    swap_used_mb: float | None = None
    swap_total_mb: float | None = None


class Machine:
    """Reads at most five times a second.

    The kernel counts a core's time in ticks of 10 ms: a share over less than 0.2 s would move in steps of more than 5 %.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._memory = MemoryReader(files)
        self._beat = Beat(0.2)
        self._before: dict[int, tuple[int, int]] = {}
        self._state = MachineState()
        self._present = cpus(files.text("/sys/devices/system/cpu/present"))
        self._cpufreq = files.exists("/sys/devices/system/cpu/cpu0/cpufreq")
        self._cpuinfo_beat = Beat(1.0)
        self._cpuinfo: dict[int, float] = {}
        self._clock_beat = Beat(1.0)
        self._last_clocks: tuple[float | None, ...] = ()

    def read(self, now_s: float) -> MachineState:
        """The state now, or the last one when it is younger than 0.2 s."""
        if not self._beat.due(now_s):
            return self._state
        loads = self._loads()
        if not self._cpufreq and self._cpuinfo_beat.due(now_s):
            self._cpufreq = self._files.exists("/sys/devices/system/cpu/cpu0/cpufreq")
            self._cpuinfo = clocks_mhz(self._files)
        count = max([*self._present, *loads], default=-1) + 1
        used, total, swap_used, swap_total = memory_mb(self._memory.read())
        self._state = MachineState(
            cpu_load_pct=tuple(loads.get(k) for k in range(count)),
            cpu_freq_mhz=self._clocks(loads, count, now_s),
            ram_used_mb=used,
            ram_total_mb=total,
            swap_used_mb=swap_used,
            swap_total_mb=swap_total,
        )
        return self._state

    def _loads(self) -> dict[int, float | None]:
        """Busy share in percent since the last reading, by core; None for a core seen for the first time."""
        now = core_ticks(self._files)
        loads: dict[int, float | None] = {}
        for core, (busy, total) in now.items():
            busy_before, total_before = self._before.get(core, (0, 0))
            span = total - total_before
            if total_before == 0 or span < 0:
                loads[core] = None
            elif span == 0:
                loads[core] = self._last(core)
                now[core] = (busy_before, total_before)
            else:
                loads[core] = round(min(max(100.0 * (busy - busy_before) / span, 0.0), 100.0), 1)
        self._before = now
        return loads

    def _last(self, core: int) -> float | None:
        known = self._state.cpu_load_pct
        return known[core] if core < len(known) else None

    def _clocks(self, on: Collection[int], count: int, now_s: float) -> tuple[float | None, ...]:
        """Once a second where there are many cores: asking for a clock interrupts the core. None is `on`: all are asked."""
        if count <= _FEW_CORES or self._clock_beat.due(now_s):
            self._last_clocks = tuple(self._clock(k) if k in on or not on else None for k in range(count))
        return self._last_clocks

    def _clock(self, core: int) -> float | None:
        if not self._cpufreq:
            return self._cpuinfo.get(core)
        khz = self._files.number(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
        return None if khz is None else round(khz / 1000.0, 1)


def core_ticks(files: Files) -> dict[int, tuple[int, int]]:
    """(busy, total) ticks of every core that is on. Waiting for a disk is not busy; guests are part of user time."""
    try:
        data = files.read("/proc/stat")
    except OSError:
        return {}
    ticks: dict[int, tuple[int, int]] = {}
    for line in data.split(b"\n"):
        if not line.startswith(b"cpu"):
            break
        words = line.split()
        try:
            core, spent = int(words[0][3:]), [int(word) for word in words[1:9]]
        except ValueError:
            continue  # the line of all cores together
        if len(spent) >= 4:
            total = sum(spent)
            ticks[core] = (total - spent[3] - (spent[4] if len(spent) > 4 else 0), total)
    return ticks


def memory_mb(found: Memory) -> tuple[float | None, float | None, float | None, float | None]:
    """(RAM used, RAM total, swap used, swap total) in units of 2^20 bytes."""

    def mb(kib: int | None) -> float | None:
        return None if kib is None else round(kib / _KIB_PER_MB, 1)

    return mb(found.used), mb(found.total), mb(found.swap_used), mb(found.swap_total)
