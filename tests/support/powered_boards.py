"""Boards whose power follows what runs do, told by each kind of source, and what was true while a run measured.

A board is a folder for EDGETUI_ROOT, programs for PATH and modules for PYTHONPATH; `moved_rails.py` moves its sensor.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from laid_boards import write_device_tree, write_files, write_ina3221

HERE = Path(__file__).parent
DEMO = HERE.parents[1] / "profiles" / "demo"
CHIP = "/sys/devices/platform/c240000.i2c/i2c-1/1-0040/hwmon/hwmon1"
ZONE = "/sys/class/powercap/intel-rapl:0"

TEGRASTATS = """#!{python}
import sys, time
from pathlib import Path
every_s = int(sys.argv[sys.argv.index("--interval") + 1]) / 1000
while True:
    mw = int(Path({mw!r}).read_text())
    print(f"RAM 2048/7620MB (lfb 4x4MB) CPU [10%@1510] VDD_IN {{mw}}mW/5000mW", flush=True)
    time.sleep(every_s)
"""
JTOP = """
import time
from pathlib import Path

class NvpModel:
    name = "15W"

class jtop:
    def __init__(self, interval): self.interval = interval
    def __enter__(self): return self
    def __exit__(self, *_): return False
    def ok(self):
        time.sleep(self.interval)
        return True
    @property
    def power(self): return {{"rail": {{"VDD_IN": {{"power": int(Path({mw!r}).read_text())}}}}}}
    gpu, cpu, memory, temperature, fan = {{}}, {{"cpu": []}}, {{}}, {{}}, {{}}
    nvpmodel = NvpModel()
"""
PYNVML = """
from pathlib import Path
NVML_TEMPERATURE_GPU = NVML_CLOCK_GRAPHICS = 0
NVML_CLOCK_MEM = 2
NVML_ERROR_NOT_SUPPORTED = 3

class NVMLError(Exception):
    value = 3

class Box:
    def __init__(self, **named): self.__dict__.update(named)

def nothing(*_): raise NVMLError("not supported")
nvmlDeviceGetUtilizationRates = nvmlDeviceGetTemperature = nvmlDeviceGetMemoryInfo = nothing
nvmlDeviceGetCurrentClocksThrottleReasons = nvmlDeviceGetClockInfo = nothing
def nvmlInit(): pass
def nvmlShutdown(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(k): return k
def nvmlDeviceGetName(k): return "NVIDIA A10"
def nvmlDeviceGetPowerUsage(k): return int(Path({mw!r}).read_text())
def nvmlDeviceGetTotalEnergyConsumption(k): return int(Path({mj!r}).read_text())
def nvmlDeviceGetFieldValues(k, numbers):
    return [Box(nvmlReturn=0, value=Box(uiVal=nvmlDeviceGetPowerUsage(k) if numbers[0] == 186 else 5000))]
"""


@dataclass(frozen=True)
class Truth:
    """Of one side, from what was true in the windows that it had: joules an inference."""

    gross: float
    net: float


class PoweredBoard:
    """A board below `folder` with a state folder of its own; its sensor moves while it is entered."""

    def __init__(self, folder: Path, source: str = "rails", kind: str = "") -> None:
        self.folder, self.root = folder, folder / "board"
        self.home, self.truth_file = folder / "state" / "edgetui", folder / "truth"
        self._kind = kind
        self._files = {unit: folder / unit for unit in ("mw", "mj")}
        self._mover: subprocess.Popen[bytes] | None = None
        self.env = os.environ | {
            "EDGETUI_ROOT": str(self.root),
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder / 'packages'}:{os.environ.get('PYTHONPATH', '')}",
        }
        write_files(self.root, {"/proc/meminfo": "MemTotal: 8000000 kB\nMemFree: 6000000 kB\nMemAvailable: 6000000 kB\n"})
        (self.root / "proc" / "stat").symlink_to("/proc/stat")
        for path in self._files.values():
            path.write_text(f"{5000:14d}\n")
        SOURCES[source](self)

    def rails(self) -> None:
        """INA3221 of an Orin Nano."""
        write_device_tree(self.root, "nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234")
        rails = {"VDD_IN": (5000, 800), "VDD_CPU_GPU_CV": (5000, 100), "VDD_SOC": (5000, 100)}
        write_ina3221(self.root, CHIP, rails, hwmon="hwmon1")
        self._files = {"ma": self.path(f"{CHIP}/curr1_input")}

    def rapl(self) -> None:
        """The energy counter of a plain computer's processor."""
        limits = {"constraint_0_power_limit_uw": "28000000\n", "constraint_0_name": "long_term\n"}
        files = {"name": "package-0\n", "max_energy_range_uj": "262143328850\n", "energy_uj": "0\n"} | limits
        write_files(self.root, {f"{ZONE}/{name}": content for name, content in files.items()})
        self._files = {"uj": self.path(f"{ZONE}/energy_uj")}

    def tegrastats(self) -> None:
        """NVIDIA's program, on PATH; the board itself cannot be seen."""
        self._program("tegrastats", TEGRASTATS)
        self._files = {"mw": self._files["mw"]}

    def jtop(self) -> None:
        """jtop's service and package."""
        write_files(self.root, {"/run/jtop.sock": ""})
        self._module("jtop", JTOP)
        self._files = {"mw": self._files["mw"]}

    def nvml(self) -> None:
        """A card with a driver that counts its energy."""
        self._module("pynvml", PYNVML)

    def path(self, path: str) -> Path:
        """Where a file of the board lies."""
        return Path(f"{self.root}{path}")

    def _program(self, name: str, text: str) -> None:
        place = self.folder / "bin" / name
        place.parent.mkdir()
        place.write_text(text.format(python=sys.executable, **{unit: str(path) for unit, path in self._files.items()}))
        place.chmod(0o755)

    def _module(self, name: str, text: str) -> None:
        place = self.folder / "packages" / f"{name}.py"
        place.parent.mkdir()
        place.write_text(text.format(**{unit: str(path) for unit, path in self._files.items()}))

    def __enter__(self) -> PoweredBoard:
        targets = [word for unit, path in self._files.items() for word in (f"--{unit}", str(path))]
        argv = [sys.executable, str(HERE / "moved_rails.py"), "--home", str(self.home), "--truth", str(self.truth_file)]
        self._mover = subprocess.Popen([*argv, *targets, "--kind", self._kind])
        return self

    def __exit__(self, *_: object) -> None:
        assert self._mover is not None
        self._mover.kill()
        self._mover.wait()

    def run(
        self, *words: str, recipe: str = "int8", preset: str = "quick", model: Path = DEMO / "digits.onnx"
    ) -> dict[str, Any]:
        """`edgetui run`, as a user has it; the document that it prints."""
        argv = [sys.executable, "-m", "edgetui", "run", str(model), "--recipe", recipe, "--preset", preset, "--json", *words]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def windows(self, run: str) -> dict[str, np.ndarray]:
        """What the energy stage kept of its windows."""
        with np.load(self.home / "runs" / run / "artifacts" / "energy.npz") as file:
            return dict(file)

    def truth(self, run: str) -> dict[str, Truth]:
        """By side, what each inference took in truth, over the same windows."""
        lines = [tuple(map(float, line.split())) for line in self.truth_file.read_text().splitlines()]
        times = [t_s for t_s, _ in lines]
        steps = [(b - a) * watts for (a, _), (b, watts) in itertools.pairwise(lines)]
        spent = [0.0, *itertools.accumulate(steps)]

        def until(t_s: float) -> float:
            k = bisect.bisect_left(times, t_s)
            share = (t_s - times[k - 1]) / (times[k] - times[k - 1])
            return spent[k - 1] + share * steps[k - 1]

        raw = self.windows(run)
        middles = raw["idle_s"]
        half_s = float(np.diff(middles).min()) / 2
        idle = [(until(t + half_s) - until(t - half_s)) / (2 * half_s) for t in middles]  # what waits for the plan is in it
        slope, start = np.polyfit(middles - middles[0], idle, 1).tolist() if len(middles) > 4 else (0.0, float(np.mean(idle)))
        found = {}
        for side in ("baseline", "candidate"):
            gross, net = [], []
            spans = zip(raw[f"{side}_begin_s"], raw[f"{side}_end_s"], raw[f"{side}_inferences"], strict=True)
            for begin_s, end_s, inferences in spans:
                joules = until(end_s) - until(begin_s)
                idle_w = start + slope * ((begin_s + end_s) / 2 - middles[0])
                gross.append(joules / inferences)
                net.append((joules - idle_w * (end_s - begin_s)) / inferences)
            found[side] = Truth(float(np.mean(gross)), float(np.mean(net)))
        return found


SOURCES: dict[str, Callable[[PoweredBoard], None]] = {
    "rails": PoweredBoard.rails,
    "rapl": PoweredBoard.rapl,
    "tegrastats": PoweredBoard.tegrastats,
    "jtop": PoweredBoard.jtop,
    "nvml": PoweredBoard.nvml,
}
