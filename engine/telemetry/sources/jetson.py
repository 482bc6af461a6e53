"""A Jetson read from /sys and /proc, without root, without a daemon."""

from __future__ import annotations

from ...boards import Board, detect, total_of
from ..channel import Notes
from ..files import Files
from ..sample import Sample, wall_now
from .base import SourceRefused
from .machine import Machine
from .rails import find_rails
from .tegra import Emc, Fan, Gpu, PowerMode, Throttle
from .thermal import Thermal


class Jetson:
    """All sensors of a module: rails and GPU at every beat, what changes slowly at most five times a second.

    Raises:
        SourceRefused: this is no Tegra chip.
    """

    name = "jetson"
    told = False

    def __init__(self, files: Files, board: Board | None = None) -> None:
        board = board or detect(files)
        if not board.jetson:
            raise SourceRefused("this is no Jetson: the device tree names no Tegra chip")
        self._profile, self._known = board.profile, board.known
        self._notes = Notes()
        self._rails = find_rails(files, self._notes)
        self._carrier = frozenset(self._profile.carrier)
        self._machine = Machine(files)
        self._thermal = Thermal(files, self._notes, hwmon=False)
        self._gpu, self._emc, self._fan = Gpu(files, self._notes), Emc(files, self._notes), Fan(files)
        alarms = [(f"{rail.name} over-current", alarm) for rail in self._rails for alarm in rail.alarms]
        self._throttle = Throttle(files, self._notes, alarms)
        self._mode = PowerMode(files)
        if not self._rails:
            self._notes.once("rails", "power: this board has no power sensor that can be read")
        elif not board.known:
            self._notes.once("total", f"total power: no profile knows {board.name}, so its rails are not added up")

    def read(self, now_s: float) -> Sample:
        """One sweep."""
        rails = {rail.name: rail.read(now_s) for rail in self._rails}
        carrier = {name: rails.pop(name) for name in list(rails) if name in self._carrier}
        total, scope = total_of(self._profile.total, rails) if self._known else (None, None)
        gpu_load, gpu_clocks, engines = self._gpu.read(now_s)
        emc_load, emc_mhz = self._emc.read(now_s)
        throttled, counters = self._throttle.read(now_s)
        machine = self._machine.read(now_s)
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
            temps_c=self._thermal.read(now_s),
            clocks_mhz=engines if emc_mhz is None else {"EMC": emc_mhz, **engines},
            fan_rpm=self._fan.read(now_s),
            power_mode=self._mode.read(now_s),
            counters=counters,
            throttled=throttled,
        )

    def settle(self, timeout_s: float) -> None:
        """Wait for the power mode, which a command tells."""
        self._mode.wait(timeout_s)

    def pace(self, rate_hz: float) -> None:
        """Files are read when asked: nothing to change."""

    def notes(self) -> tuple[str, ...]:
        """Channels that could not be read."""
        return self._notes.lines()

    def close(self) -> None:
        """End a question for the power mode that is still on its way."""
        self._mode.close()
