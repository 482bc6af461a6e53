"""A board with power modes: a tree for EDGETUI_ROOT, an `nvpmodel` on PATH that edits it, and a plan whose time and power
follow the clocks that stand in the tree, as a roofline has them.
"""

from __future__ import annotations

import os
import random
import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from edgetui.engine.runs.sweep_folder import SweepDir
from edgetui.engine.runs.swept_board import SweptBoard
from edgetui.engine.schema.power_mode import PowerMode
from edgetui.engine.schema.sweep import SweepPoint, SweepRequest
from edgetui.engine.schema.sweep_shot import Shot
from laid_boards import write_device_tree, write_files

GPU = "/sys/devices/platform/17000000.gpu/devfreq/17000000.gpu"
GPU_MHZ = (306, 408, 510, 612, 714, 816, 918, 1020)
CORES = 6


@dataclass(frozen=True)
class Mode:
    """What nvpmodel.conf says of a mode; -1: no limit."""

    name: str
    gpu_mhz: int
    cores: int = CORES
    cpu_mhz: int = 1344


ORIN = (Mode("15W", 612), Mode("25W", 918), Mode("MAXN_SUPER", -1, cpu_mhz=-1), Mode("7W", 408, cores=4, cpu_mhz=960))
HOW = ("comes", "asks", "lies", "halves", "fails")
"""What becomes of a mode that is set: it comes; a reboot is asked for; `-q` says it and nothing came; its GPU came and its
cores did not; the command fails."""


class ModedBoard:
    """A board below `folder`, in its first mode."""

    def __init__(self, folder: Path, modes: Sequence[Mode] = ORIN, first: int = 0, how: dict[int, str] | None = None) -> None:
        self.folder, self.root, self.bin, self.modes = folder, folder / "board", folder / "bin", modes
        self.home = folder / "state" / "edgetui"
        write_device_tree(self.root, "nvidia,p3768-0000+p3767-0005-super", "nvidia,tegra234")
        write_files(
            self.root, {"/etc/nvpmodel.conf": self._conf(), "/proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB\n"}
        )
        write_files(self.root, {f"{GPU}/available_frequencies": " ".join(str(mhz * 10**6) for mhz in GPU_MHZ)})
        write_files(
            self.root,
            {"/sys/class/thermal/thermal_zone0/type": "gpu-thermal\n", "/sys/class/thermal/thermal_zone0/temp": "45000\n"},
        )
        for core in range(CORES):
            write_files(self.root, {f"/sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq": "1728000\n"})
        self.bin.mkdir(parents=True)
        for number, mode in enumerate(modes):
            self.becomes(number, (how or {}).get(number, "comes"))
            self._apply(mode, number, self._script(number, "all"))
        self._run(first)
        program = self.bin / "nvpmodel"
        program.write_text(NVPMODEL.format(folder=shlex.quote(str(folder))))
        program.chmod(0o755)
        self.env = os.environ | {
            "EDGETUI_ROOT": str(self.root),
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
        }

    def _conf(self) -> str:
        cpus = range(CORES)
        lines = ["< PARAM TYPE=FILE NAME=CPU_ONLINE >"]
        lines += [f"CORE_{core} /sys/devices/system/cpu/cpu{core}/online" for core in cpus]
        for core in cpus:
            lines += [f"< PARAM TYPE=CLOCK NAME=CPU_A78_{core} >"]
            lines += [f"MAX_FREQ /sys/devices/system/cpu/cpu{core}/cpufreq/scaling_max_freq"]
        lines += ["< PARAM TYPE=CLOCK NAME=GPU >", f"MAX_FREQ {GPU}/max_freq"]
        for number, mode in enumerate(self.modes):
            lines += [f"< POWER_MODEL ID={number} NAME={mode.name} >"]
            lines += [f"CPU_ONLINE CORE_{core} {int(core < mode.cores)}" for core in cpus]
            lines += [
                f"CPU_A78_{core} MAX_FREQ {mode.cpu_mhz * 1000 if mode.cpu_mhz > 0 else -1}" for core in range(mode.cores)
            ]
            lines += [f"GPU MAX_FREQ {mode.gpu_mhz * 10**6 if mode.gpu_mhz > 0 else -1}"]
        return "\n".join([*lines, "< PM_CONFIG DEFAULT=1 >", ""])

    def becomes(self, number: int, how: str) -> None:
        """What happens from now on when a mode is set."""
        assert how in HOW
        self._script(number, "how").write_text(how)

    def _script(self, number: int, what: str) -> Path:
        folder = self.folder / "modes" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / what

    def _apply(self, mode: Mode, number: int, script: Path) -> None:
        """Files that hold what the tree has in a mode, each with where it goes."""
        gpu = (mode.gpu_mhz if mode.gpu_mhz > 0 else GPU_MHZ[-1]) * 10**6
        cpu = mode.cpu_mhz * 1000 if mode.cpu_mhz > 0 else 1728000
        tree: dict[str, str] = {f"{GPU}/max_freq": f"{gpu}", "/sys/devices/system/cpu/online": f"0-{mode.cores - 1}"}
        tree |= {f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_max_freq": f"{cpu}" for core in range(mode.cores)}
        said = {"/var/lib/nvpmodel/status": f"pmode:{number:04d}"}
        for path in (*tree, *said):
            Path(f"{self.root}{path}").parent.mkdir(parents=True, exist_ok=True)

        def lines(files: dict[str, str]) -> str:
            return "".join(f"echo {text} > {shlex.quote(str(self.root) + path)}\n" for path, text in files.items())

        name = f"echo {mode.name} > {shlex.quote(str(self.folder / 'now'))}\n"
        script.with_name("name").write_text(mode.name)
        script.with_name(f"{mode.name}.number").write_text(f"{number}\n")
        script.with_name("listed").write_text(f"POWER_MODEL: ID={number} NAME={mode.name}\n")
        script.write_text(lines(tree | said) + name)
        script.with_name("half").write_text(lines({f"{GPU}/max_freq": f"{gpu}"} | said) + name)
        script.with_name("said").write_text(lines(said) + name)

    def _run(self, number: int) -> None:
        subprocess.run(["sh", str(self._script(number, "all"))], check=True)

    def set(self, number: int) -> None:
        """Somebody else sets a mode."""
        self._run(number)

    @property
    def mode(self) -> str:
        """What is on, by the tree: by the GPU's limit and the cores."""
        found = [mode.name for mode in self.modes if self._is(mode)]
        return found[0] if len(found) == 1 else "none"

    def _is(self, mode: Mode) -> bool:
        gpu = self.number(f"{GPU}/max_freq") / 1e6
        cores = Path(f"{self.root}/sys/devices/system/cpu/online").read_text().strip()
        return gpu == (mode.gpu_mhz if mode.gpu_mhz > 0 else GPU_MHZ[-1]) and cores == f"0-{mode.cores - 1}"

    def number(self, path: str) -> float:
        return float(Path(f"{self.root}{path}").read_text())

    @property
    def calls(self) -> list[str]:
        """The modes that were set, by number, and what came on standard input of each."""
        log = self.folder / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def slow(self, seconds: float) -> None:
        """A switch takes so long from now on, and comes at its end."""
        (self.folder / "slow").write_text(f"{seconds:g}")

    def values(self) -> tuple[PowerMode, ...]:
        return tuple(PowerMode(number, mode.name) for number, mode in enumerate(self.modes))


NVPMODEL = """#!/bin/sh
cd {folder}
if [ "$1" = -q ]; then
    echo "NV Power Mode: $(cat now)"
    cat modes/*/"$(cat now).number"
    exit 0
fi
if [ "$1" = -p ]; then
    cat modes/*/listed
    echo "PM_CONFIG: DEFAULT=$(cat modes/0/name)(0)"
    exit 0
fi
[ "$1" = -m ] || exit 2
if [ -f slow ]; then sleep "$(cat slow)"; fi
case "$(cat modes/$2/how)" in
    comes) sh modes/$2/all ;;
    asks)
        echo "NVPM WARN: Reboot required for changing to this power mode"
        printf "DO YOU WANT TO REBOOT NOW? enter YES/yes to confirm: "
        read answer
        [ -z "$answer" ] || echo "rebooted" >> calls ;;
    lies) sh modes/$2/said ;;
    halves) sh modes/$2/half ;;
    fails) echo "NVPM ERROR: failed to set power mode"; exit 255 ;;
esac
echo "$2" >> calls
"""


@dataclass
class Roofline:
    """A plan on a board, by numbers: what it computes and moves, and what the board draws."""

    gflop: float
    """Of a sample."""
    weight_mb: float
    sample_mb: float
    overhead_ms: float
    peak_gflop_s_mhz: float
    gbyte_s: float
    idle_w: float
    core_w: float
    w_mhz: float
    """Of the busy GPU, at the voltage of its lowest clock."""
    knee_mhz: float
    """The clock from which on the voltage rises."""

    @classmethod
    def drawn(cls, draw: random.Random) -> Roofline:
        return cls(
            gflop=draw.uniform(0.5, 12),
            weight_mb=draw.uniform(2, 200),
            sample_mb=draw.uniform(1, 30),
            overhead_ms=draw.uniform(0.5, 12),
            peak_gflop_s_mhz=draw.uniform(0.8, 2.5),
            gbyte_s=draw.uniform(20, 60),
            idle_w=draw.uniform(2, 5),
            core_w=draw.uniform(0.1, 0.5),
            w_mhz=draw.uniform(0.003, 0.012),
            knee_mhz=draw.uniform(350, 800),
        )

    def figures(self, gpu_mhz: float, cores: int, batch: int, streams: int) -> tuple[float, float, float]:
        """Frames a second, ms of an inference, watts."""
        compute_s = batch * self.gflop / (self.peak_gflop_s_mhz * gpu_mhz)
        memory_s = (self.weight_mb + batch * self.sample_mb) / 1e3 / self.gbyte_s
        busy_s = max(compute_s, memory_s)
        alone_s = busy_s + self.overhead_ms / 1e3
        each_s = max(busy_s, alone_s / streams)
        share = busy_s / each_s
        volt = 0.65 * max(1.0, (gpu_mhz / self.knee_mhz) ** 0.7)
        watts = (
            self.idle_w + cores * self.core_w + share * self.w_mhz * gpu_mhz * (volt / 0.65) ** 2 * (compute_s / busy_s + 0.3)
        )
        return batch / each_s, 1e3 * each_s * streams, watts


@dataclass
class SimulatedPlan:
    """Windows as `SweptBoard` takes them, of a plan that exists as numbers; modes are set on the laid-out board."""

    board: ModedBoard
    real: SweptBoard
    asked: SweepRequest
    plan: Roofline
    draw: random.Random
    noise: float = 0.01
    drift: float = 0.03
    """Share by which the board slows down over all of it."""
    windows: int = 0
    seen: list[tuple[str, str]] = field(default_factory=list)
    """Of each window the mode that was asked for, and the one that was on."""

    def set_mode(self, mode: PowerMode) -> str:
        return self.real.set_mode(mode)

    def settle(self) -> None:
        pass

    def measure(self, points: Sequence[int], round: int, tell: Callable[[Shot], None]) -> None:  # noqa: A002
        for number in points:
            point = self.asked.points[number]
            self.seen.append((point.mode or "", self.board.mode))
            self.windows += 1
            gpu = self.board.number(f"{GPU}/max_freq") / 1e6
            cores = int(Path(f"{self.board.root}/sys/devices/system/cpu/online").read_text().strip().split("-")[1]) + 1
            fps, ms, watts = self.plan.figures(gpu, cores, point.batch or 1, point.streams)
            slower = 1 + self.drift * min(1.0, self.windows / 100)
            fps *= self.draw.gauss(1, self.noise) / slower
            watts *= self.draw.gauss(1, self.noise)
            tell(
                Shot(point=number, round=round, fps=fps, latency_ms=ms * slower * self.draw.gauss(1, self.noise), power_w=watts)
            )


def asked_of(board: ModedBoard, want: str, points: Sequence[SweepPoint], seed: int = 0, rounds: int = 3) -> SweepRequest:
    return SweepRequest(
        name="simulated",
        path="/nowhere.onnx",
        modes=board.values(),
        points=tuple(points),
        want=want,
        seed=seed,
        rounds=rounds,
        has_power=True,
    )


def folder_of(board: ModedBoard, asked: SweepRequest) -> SweepDir:
    """A sweep's folder, as its driver finds it."""
    folder = SweepDir(board.home / "sweeps" / f"simulated-{asked.seed}")
    folder.path.mkdir(parents=True)
    (folder.path / "sweep.json").write_bytes(msgspec.json.encode(asked))
    return folder
