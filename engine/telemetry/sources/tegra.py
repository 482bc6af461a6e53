"""What is special about a Tegra chip: GPU load and clock, fan, what throttles, the power mode."""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ...system import power_modes
from ...system.commands import Command
from ...system.root_files import Files
from .. import board_stamp
from ..channel import GPU_LOAD, POWER_MODE_HANGS, Beat, Channel, Notes
from .source import SourceRefused

if TYPE_CHECKING:
    from .nvml import NvmlGpu

_GPU_NODES = frozenset(("gv11b", "gp10b", "ga10b", "gb10b", "gpu"))
_LONGEST_ANSWER_S, _MOST_SAID = 10.0, 1 << 16


class TegraGpu:
    """Load and clock of the GPU. Its device can appear after we have started, so it is looked for until it is there."""

    def __init__(self, files: Files, notes: Notes, *, nvml: bool) -> None:
        """`nvml`: the chip's load is told by NVML where no file has it."""
        self._files, self._notes, self._nvml = files, notes, nvml
        self._look = Beat(10.0)
        self._load: Channel | None = None
        self._clocks: list[Channel] = []
        self._engines: list[Channel] = []
        self._card: NvmlGpu | None = None
        self._card_beat = Beat(1.0)
        self._card_load: float | None = None

    def read(self, now_s: float) -> tuple[float | None, tuple[float, ...], dict[str, float | None]]:
        """(percent, clock of each GPU device in MHz, clocks of its engines); a clock of 0 is a GPU that is powered off."""
        if (not self._clocks or (self._load is None and self._card is None)) and self._look.due(now_s):
            self._find()
        load = self._load.read(now_s) if self._load is not None else self._by_nvml(now_s)
        clocks = [channel.read(now_s) for channel in self._clocks]
        engines = {channel.name: channel.read(now_s) for channel in self._engines}
        percent = None if load is None or not 0 <= load <= 1000 else load / 10.0
        return percent, tuple(round(mhz, 3) for mhz in clocks if mhz is not None), engines

    def _find(self) -> None:
        files, notes = self._files, self._notes
        self._clocks, self._engines = [], []
        loads = ["/sys/devices/gpu.0/load", "/sys/devices/platform/gpu.0/load"]
        for folder in files.under("/sys/class/devfreq"):
            name = folder.rpartition("/")[2]
            node = files.text(f"{folder}/device/of_node/name") or name.rpartition(".")[2]
            if node in _GPU_NODES or name.startswith("gpu-gpc"):
                self._clocks.append(Channel(files, notes, "GPU clock", f"{folder}/cur_freq", 1e-6))
                loads.insert(0, f"{folder}/device/load")
            elif name.startswith("gpu-"):
                self._engines.append(Channel(files, notes, name[4:].rpartition("-")[0].upper(), f"{folder}/cur_freq", 1e-6))
        path = next((path for path in loads if files.exists(path)), None)
        self._load = Channel(files, notes, GPU_LOAD, path) if path else None
        if path is not None:
            self._notes.withdraw("gpu-load")
        elif self._nvml:
            self._open_nvml()
        else:
            self._notes.once("gpu-load", "GPU load: this kernel's driver has no file for it", about=GPU_LOAD)

    def _open_nvml(self) -> None:
        """Thor has no file for the load: NVML alone tells it."""
        from .nvml import open_cards

        try:
            _, cards = open_cards(integrated=True)
            self._card = cards[0]
        except SourceRefused as why:
            text = f"GPU load: this board has no file for it, and {why.what}"
            self._notes.once("gpu-load", text, about=GPU_LOAD, mend=why.mend)

    def _by_nvml(self, now_s: float) -> float | None:
        """Tenths of a percent, as the files have it. Once a second: a question takes 2 ms there."""
        if self._card is not None and self._card_beat.due(now_s):
            percent = self._card.load_pct()
            self._card_load = None if percent is None else percent * 10.0
        return self._card_load


class Throttle:
    """What holds the clocks down now, and the counters of over-current events."""

    def __init__(self, files: Files, notes: Notes, alarms: Callable[[], list[tuple[str, Channel]]]) -> None:
        self._files, self._notes, self._alarms = files, notes, alarms
        self._look, self._beat = Beat(30.0), Beat(0.2)
        self._alerts: dict[str, Channel] = {}
        self._counts: dict[str, Channel] = {}
        self._state: tuple[tuple[str, ...] | None, dict[str, float]] = (None, {})

    def read(self, now_s: float) -> tuple[tuple[str, ...] | None, dict[str, float]]:
        """(reasons, counters). Reasons are None where the board has no alert that could be read."""
        if self._look.due(now_s):
            self._find()
        if self._beat.due(now_s):
            alerts = [*((channel.name, channel) for channel in self._alerts.values()), *self._alarms()]
            states = [(name, channel.read(now_s)) for name, channel in alerts]
            on = tuple(dict.fromkeys(name for name, value in states if value is not None and value > 0))
            counts = {channel.name: channel.read(now_s) for channel in self._counts.values()}
            told = any(value is not None for _, value in states)
            self._state = (on if told else None), {name: value for name, value in counts.items() if value is not None}
        return self._state

    def _find(self) -> None:
        """Drivers come late; channels that are still there keep their pause, and stay where a look has not seen everything."""
        files, notes, alerts, counts = self._files, self._notes, dict[str, Channel](), dict[str, Channel]()
        unanswered = files.unanswered
        for folder in files.under("/sys/class/thermal"):
            kind = (files.text(f"{folder}/type") or "") if "/cooling_device" in folder else ""
            if kind.endswith("throttle-alert"):
                path = f"{folder}/cur_state"
                old = self._alerts.get(path)
                alerts[path] = old if old is not None and old.name == kind else Channel(files, notes, kind, path)
        for folder in files.under("/sys/class/hwmon"):
            if files.text(f"{folder}/name") == "soctherm_oc":
                for name in files.names(folder):
                    if re.fullmatch(r"oc\d+_event_cnt", name):
                        path = f"{folder}/{name}"
                        counts[path] = self._counts.get(path) or Channel(files, notes, name.partition("_")[0], path)
        if files.unanswered != unanswered:
            alerts, counts = self._alerts | alerts, self._counts | counts
        self._alerts, self._counts = alerts, counts


class Fan:
    """Revolutions a minute, once a second."""

    def __init__(self, files: Files) -> None:
        self._files, self._beat = files, Beat(1.0)
        self._rpm: float | None = None

    def read(self, now_s: float) -> float | None:
        """The fan's speed; None: it has no tachometer."""
        if self._beat.due(now_s):
            self._rpm = board_stamp.fan_rpm(self._files)
        return self._rpm


class ModeAsked:
    """Asks `nvpmodel -q` once a minute in a child: the command takes up to seconds under load, and can hang."""

    def __init__(self, files: Files, notes: Notes) -> None:
        self._notes = notes
        self._command = shutil.which("nvpmodel")
        self._beat = Beat(60.0)
        self._child: Command | None = None
        self._said = b""
        self._began_s = 0.0
        self._mode = power_modes.mode_by_status(files)

    def read(self, now_s: float) -> str | None:
        """The mode as it was last said; None: not said yet."""
        if self._child is not None:
            self._collect(now_s)
        elif self._command and self._beat.due(now_s):
            with contextlib.suppress(OSError):
                self._child = Command([self._command, "-q"])
                self._said, self._began_s = b"", now_s
        return self._mode

    def wait(self, timeout_s: float) -> None:
        """Let a question that is on its way be answered."""
        end_s = time.monotonic() + timeout_s
        while self._child is not None and time.monotonic() < end_s:
            time.sleep(0.01)
            self._collect(time.monotonic())

    def close(self) -> None:
        """End the child if there is one, and what it started."""
        if self._child is not None:
            if not self._child.ended:
                self._notes.once("power mode", "power mode: `nvpmodel -q` gives no answer", about=POWER_MODE_HANGS)
            self._child.close()
            self._child = None

    def _collect(self, now_s: float) -> None:
        if self._child is None:
            return
        ended = self._child.ended
        self._said = (self._said + self._child.read())[-_MOST_SAID:]
        if ended:
            self._mode = power_modes.mode_of(self._said.decode("utf-8", "replace")) or self._mode
            if self._mode is None:
                self._notes.once("power mode", "power mode: `nvpmodel -q` does not tell it")
            self.close()
        elif now_s - self._began_s > _LONGEST_ANSWER_S:
            self.close()
