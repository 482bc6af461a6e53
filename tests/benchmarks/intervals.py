"""By simulation through the product's own turns: intervals hold what they say, verdicts are true. And the timed loop's cost.

make bench-statistics      (python tests/benchmarks/intervals.py [RUNS]; 1000 take five minutes on two cores)

Adaptive stopping is part of every run. A share of 95 % of 1000 runs is known to 0.7 % itself: what misses by more
than twice its standard error is marked.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import onnx
import simulated
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.measure.latency import RULES, timed_once
from edgetui.engine.measure.statistics import serial_half_width
from edgetui.engine.schema.settings import BackendSettings
from on_pty import table
from onnx import TensorProto, helper, numpy_helper
from simulated import Simulated, by_block, drifting, steady, waving

RUNS = 1000
NORMAL = RULES["normal"]
NOISES: dict[str, tuple[Callable[[float, np.random.Generator], simulated.Noise], float]] = {
    "white, 20 %": (simulated.white, 0.2),
    "AR(1) 0.9, 20 %": (simulated.correlated, 0.2),
    "lognormal 1": (simulated.skewed, 1.0),
}
PERIOD_S = 3 * NORMAL.block_s
Trial = Callable[[int], bool]


def held(noise: str, ms: float, preset: str, alone: bool, run: int) -> bool:
    kind, size = NOISES[noise]
    draw = np.random.default_rng([1, list(NOISES).index(noise), int(ms), len(preset), alone, run])
    return simulated.holds(kind(size, draw), None if alone else kind(size, draw), ms, RULES[preset], run)


def _machine(name: str, draw: np.random.Generator) -> simulated.Machine:
    phase = draw.uniform(0, 2 * np.pi)
    machines = {
        "steady": steady,
        "drift of 20 %": drifting(0.2, 2 * NORMAL.measured_s),
        "sine of 5 %": waving(0.05, PERIOD_S, phase),
        "sine of 20 %": waving(0.2, PERIOD_S, phase),
    }
    return machines[name]


def shown(machine: str, ratio: float, in_order: bool, run: int) -> bool:
    draw = np.random.default_rng([2, run])
    sides = [Simulated("baseline", 5.0, by_block(0.02, draw)), Simulated("candidate", 5.0 * ratio, by_block(0.02, draw))]
    moves = _machine(machine, draw)
    return simulated.one_after_the_other(sides, NORMAL, moves) if in_order else simulated.shows(sides, NORMAL, run, moves)


def claimed(correct: bool, run: int) -> bool:
    return simulated.claims(6, np.random.default_rng([3, run]), NORMAL, run, correct=correct)


def lines() -> list[tuple[str, str, float, float, Trial]]:
    """What, wanted in words, from, to, and one run of it."""
    found: list[tuple[str, str, float, float, Trial]] = []
    for preset, noise, ms, alone in product(("quick", "normal"), NOISES, (2.0, 10.0, 50.0), (True, False)):
        what = f"interval of the {'mean' if alone else 'ratio'} holds it: {preset}, {ms:g} ms, {noise}"
        found.append((what, "93 to 97 %", 0.93, 0.97, partial(held, noise, ms, preset, alone)))
    found += [
        (f"false difference: {moves}, in turns", "at most 5 %", 0, 0.05, partial(shown, moves, 1.0, False))
        for moves in ("drift of 20 %", "sine of 5 %", "sine of 20 %")
    ]
    drift = "drift of 20 %"
    found += [
        (f"false difference: {drift}, one after the other", "above 50 %", 0.5, 1, partial(shown, drift, 1.0, True)),
        ("difference of 3 % found: blocks differ by 2 %", "at least 90 %", 0.9, 1, partial(shown, "steady", 1.03, False)),
        ("any of 15 ratios of six alike claimed: corrected", "at most 5 %", 0, 0.05, partial(claimed, True)),
        ("any of 15 ratios of six alike claimed: not corrected", "", 0, 1, partial(claimed, False)),
    ]
    return found


def overhead() -> tuple[float, float, float]:
    """Milliseconds of an inference, how much longer one takes that is timed once more within (as a share), and within what.

    In turns, one by one, and by medians of each thousand: other programs weigh on both and on few of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.onnx"
        weight = numpy_helper.from_array(np.full((256, 256), 0.01, np.float32), "w")
        names = ["x", *(f"h{k}" for k in range(35)), "y"]
        nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in pairwise(names)]
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [8, 256]) for name in "xy"]
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weight])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        session = OnnxRuntime().load(path, BackendSettings(threads=1))
    infer = session.timed({"x": np.ones((8, 256), np.float32)})

    def within() -> None:
        timed_once(infer)

    once, twice = (
        np.array([(timed_once(infer), timed_once(within)) for _ in range(40_000)]).reshape(40, 1000, 2).transpose(2, 0, 1)
    )
    shares = np.median(twice, axis=1) / np.median(once, axis=1) - 1
    return float(np.median(once)) / 1e6, float(shares.mean()), serial_half_width(shares) or 1.0


def main() -> int:
    """Print the table; exit 1 where something is not as wanted."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    rows, bad = [], 0
    with ProcessPoolExecutor() as pool:
        for what, wanted, low, high, trial in lines():
            share = sum(pool.map(trial, range(runs), chunksize=max(1, runs // 16))) / runs
            chance = 2 * math.sqrt(share * (1 - share) / runs)
            missed = not low - chance <= share <= high + chance
            bad += missed
            rows.append((what, f"{share:.1%}", wanted + (" (!)" if missed else "")))
            print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    print(table((f"of {runs} simulated runs", "is", "wanted"), rows))
    ms, share, within = overhead()
    print(f"\nthe timed loop's own cost in a model of {ms:.3f} ms: {share:.2%} ± {within:.2%} of it; wanted: below 1 %")
    return 1 if bad or share >= 0.01 else 0


if __name__ == "__main__":
    sys.exit(main())
