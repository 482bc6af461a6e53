"""A sweep as its driver leaves it in a folder, made up."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
from edgetui.engine.config import PACKAGE
from edgetui.engine.runs.sweep_folder import SweepDir, create_sweep
from edgetui.engine.schema.power_mode import PowerMode
from edgetui.engine.schema.sweep import Doing, FirstModeTold, ModeTold, ShotTold, SweepEnded, SweepPoint, SweepRequest
from edgetui.engine.schema.sweep_shot import Shot

MODEL = PACKAGE / "profiles" / "demo" / "digits.onnx"
MODES = ("15W", "25W", "MAXN_SUPER", "7W", "10W")
FPS_W = {"15W": (41.2, 7.9), "25W": (63.0, 11.6), "MAXN_SUPER": (71.4, 15.8), "7W": (18.8, 5.1)}
WANT = "fps>=30 power_w<=12"


def swept(home: Path, batches: tuple[int | None, ...] = (1,), *, ended: bool = True, power: bool = True) -> SweepDir:
    """A sweep as its driver leaves it, or as it is while it goes."""
    points = tuple(SweepPoint(mode=mode, batch=batch) for mode, batch in itertools.product(MODES, batches))
    asked = SweepRequest(
        name="digits",
        path=str(MODEL),
        modes=tuple(PowerMode(n, mode) for n, mode in enumerate(MODES)),
        points=points,
        want=WANT if power else "fps>=30",
        has_power=power,
    )
    made = create_sweep(home, asked).path
    folder = SweepDir(made.rename(made.with_name("20261120-2315-sweep-digits")))  # the same minute in every snapshot
    folder.tell(FirstModeTold(mode="25W"))
    folder.tell(Doing(text="15W, 1 row", round=2, left_s=240.0, mode="15W", hottest_c=48.1))
    folder.tell(ModeTold(mode="10W", reason="needs a reboot: not set (nvpmodel says 25W)"))
    for round_, (number, point) in itertools.product(range(3), enumerate(points)):
        if point.mode in FPS_W and (ended or round_ < 1 or point.mode == "15W"):
            fps, watts = FPS_W[point.mode]
            fps *= (1 + 0.002 * (round_ - 1)) * (point.batch or 1) ** 0.3
            shot = Shot(point=number, round=round_, fps=fps, latency_ms=1e3 * (point.batch or 1) / fps, power_w=watts)
            silent = {"power_w": None, "why_no_power": "no sensor here tells the power"}
            folder.tell(ShotTold(shot=shot if power else msgspec.structs.replace(shot, **silent)))
    if ended:
        folder.tell(FirstModeTold(mode="25W", back=True))
        folder.tell(SweepEnded(state="done"))
    return folder
