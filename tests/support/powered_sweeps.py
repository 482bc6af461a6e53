"""A board with power modes whose power sensor moves: a busy core takes more in one mode than in another, and what was true in
each window of a sweep.
"""

from __future__ import annotations

import bisect
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetui.engine.runs.sweep_folder import SweepDir
from laid_boards import write_ina3221
from powered_boards import CHIP, HERE
from swept_boards import Mode, ModedBoard


class PoweredSweepBoard(ModedBoard):
    """Its sensor moves while it is entered. `watts`: of a busy core, by mode; `drift`: watts that idling gains a second."""

    def __init__(self, folder: Path, modes: Sequence[Mode], watts: Mapping[str, float], drift: float, kind: str = "") -> None:
        super().__init__(folder, modes)
        write_ina3221(self.root, CHIP, {"VDD_IN": (5000, 800), "VDD_CPU_GPU_CV": (5000, 100)}, hwmon="hwmon1")
        (self.root / "proc" / "stat").symlink_to("/proc/stat")
        self._current = Path(f"{self.root}{CHIP}/curr1_input")
        self._current.write_text(f"{800:14d}\n")
        self._truth = folder / "truth"
        self._said = ",".join(f"{mode}={each}" for mode, each in watts.items())
        self._drift, self._kind = drift, kind
        self._mover: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> PoweredSweepBoard:
        argv = [sys.executable, str(HERE / "moved_rails.py"), "--home", str(self.home), "--truth", str(self._truth)]
        argv += ["--ma", str(self._current), "--kind", self._kind, "--drift", str(self._drift)]
        self._mover = subprocess.Popen([*argv, "--mode-file", str(self.folder / "now"), "--mode-watts", self._said])
        return self

    def __exit__(self, *_: object) -> None:
        assert self._mover is not None
        self._mover.kill()
        self._mover.wait()

    def sweep(self, *words: str) -> dict[str, Any]:
        """`edgetui sweep --json`, as a user has it."""
        argv = [sys.executable, "-m", "edgetui", "sweep", *words, "--json"]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, timeout=580)
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def truth(self, sweep: str) -> dict[int, float]:
        """By point, the joules that a frame took in truth, the mean over its windows."""
        lines = [tuple(map(float, line.split())) for line in self._truth.read_text().splitlines()]
        times = [t_s for t_s, _ in lines]
        steps = [(b - a) * watts for (a, _), (b, watts) in itertools.pairwise(lines)]
        spent = [0.0, *itertools.accumulate(steps)]

        def until(t_s: float) -> float:
            k = bisect.bisect_left(times, t_s)
            return spent[k - 1] + (t_s - times[k - 1]) / (times[k] - times[k - 1]) * steps[k - 1]

        found: dict[int, list[float]] = {}
        for shot in SweepDir(self.home / "sweeps" / sweep).shots():
            if shot.fps is not None and shot.begin_s is not None and shot.end_s is not None:
                joules = until(shot.end_s) - until(shot.begin_s)
                found.setdefault(shot.point, []).append(joules / (shot.fps * (shot.end_s - shot.begin_s)))
        return {point: sum(each) / len(each) for point, each in found.items()}
