"""The smallest half of 25 million weights over all layers, beside `numpy.partition` on the same numbers.

make bench-magnitudes      (python tests/benchmarks/magnitudes.py [--rounds 9])

In turns, medians: the limit, which is what a partition finds; no copy of all weights is made for it. Exit 1 where
the limit takes more than 1.5 times numpy.partition, or is another one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
from edgetui.engine.compress.magnitude import smallest_of_all
from edgetui.engine.graph.weights import Weight
from on_pty import table
from onnx import numpy_helper

SIZES = (12_000_000, 8_000_000, 3_000_000, 2_000_000)
MOST = 1.5


def weight(size: int, place: int) -> Weight:
    """A matrix by lot."""
    values = np.random.default_rng(place).standard_normal((1000, size // 1000)).astype(np.float32)
    return Weight(numpy_helper.from_array(values, f"w{place}"), f"w{place}", values.shape, 0, 1)


def seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def main() -> int:
    """Print the table; exit 1 when the figure is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    found = [weight(size, place) for place, size in enumerate(SIZES)]
    joined = np.abs(np.concatenate([one.array().reshape(-1) for one in found]))
    count = len(joined) // 2
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(seconds(lambda: np.partition(joined, count - 1)))
        ours.append(seconds(lambda: smallest_of_all(found, count)))
    same = smallest_of_all(found, count)[0] == float(np.partition(joined, count - 1)[count - 1])
    ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
    rows = [[name, f"{statistics.median(taken):.3f}"] for name, taken in (("numpy.partition", theirs), ("edgetui", ours))]
    print(table(["of 25 million weights", "s"], rows))
    print(f"{ratio:.2f} of numpy.partition ({MOST} asked for), {'the same limit' if same else 'ANOTHER LIMIT'}")
    return 0 if same and ratio <= MOST else 1


if __name__ == "__main__":
    sys.exit(main())
