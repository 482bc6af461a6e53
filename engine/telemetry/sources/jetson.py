"""A Jetson read from /sys and /proc, without root, without a daemon."""

from __future__ import annotations

from ...system.boards import Board, detect
from ...system.root_files import Files
from ..channel import Notes
from ..sample import Sample, wall_now
from .emc import Emc
from .machine import Machine
from .rails import Rails
from .source import NotedSource, SourceRefused
from .tegra import Fan, ModeAsked, TegraGpu, Throttle
from .thermal import Thermal

_LOAD_IN_FILES = frozenset(("tegra124", "tegra186", "tegra194", "tegra210", "tegra234"))
"""Chips whose driver tells the GPU's load in a file; the NVML of these answers with nothing or rubbish."""


class Jetson(NotedSource):
    """All sensors of a module: rails and GPU at every beat, what changes slowly at most five times a second.

    Raises:
        SourceRefused: this is no Tegra chip.
    """

    name = "jetson"
    pushed = False

    def __init__(self, files: Files, board: Board | None = None) -> None:
        board = board or detect(files)
        if not board.jetson:
            raise SourceRefused("this is not a Jetson: the device tree names no Tegra chip")
        self._notes = Notes()
        self._rails = Rails(files, self._notes, board)
        self._machine = Machine(files)
        self._thermal = Thermal(files, self._notes, hwmon=False)
        self._gpu = TegraGpu(files, self._notes, nvml=board.profile.soc not in _LOAD_IN_FILES)
        self._emc, self._fan = Emc(files, self._notes), Fan(files)
        self._throttle = Throttle(files, self._notes, self._rails.alarms)
        self._mode = ModeAsked(files, self._notes)

    def read(self, now_s: float) -> Sample:
        """One sweep."""
        rails, carrier = self._rails.read(now_s)
        total, scope = self._rails.total(rails)
        gpu_load, gpu_clocks, engines = self._gpu.read(now_s)
        emc_load, emc_mhz = self._emc.read(now_s)
        throttled, counters = self._throttle.read(now_s)
        machine, temps = self._machine.read(now_s), self._thermal.read(now_s)
        return Sample(
            t_s=now_s,
            wall=wall_now(),
            source=self.name,
            rails_mw=rails,
            carrier_mw=carrier,
            total_mw=total,
            total_scope=scope,
            gpu_load_pct=gpu_load,
            gpu_freq_mhz=gpu_clocks,
            cpu_load_pct=machine.cpu_load_pct,
            cpu_freq_mhz=machine.cpu_freq_mhz,
            emc_load_pct=emc_load,
            ram_used_mb=machine.ram_used_mb,
            ram_total_mb=machine.ram_total_mb,
            swap_used_mb=machine.swap_used_mb,
            swap_total_mb=machine.swap_total_mb,
            temps_c=temps,
            clocks_mhz=engines if emc_mhz is None else {"EMC": emc_mhz, **engines},
            fan_rpm=self._fan.read(now_s),
            power_mode=self._mode.read(now_s),
            silent=self._notes.faults_of({**rails, **carrier, **temps, **engines, "GPU load": gpu_load, "EMC": emc_mhz}),
            counters=counters,
            throttled=throttled,
        )

    def settle(self, timeout_s: float) -> None:
        """Wait for the power mode, which a command tells."""
        self._mode.wait(timeout_s)

    def close(self) -> None:
        """End a question for the power mode that is still on its way."""
        self._mode.close()
