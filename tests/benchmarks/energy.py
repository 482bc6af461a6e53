"""Joules of real runs on a laid-out board beside what was true: how often intervals hold it, and how far figures are off.

    make bench-energy BENCH_ARGS="--runs 20 --kind '' --source rails"

The board's power is idle + 3 W for each core that the run's processes keep busy, drifts by 0.1 W a minute, and is told
20 times a second in steps of 0.04 W with noise (`tests/support/moved_rails.py`, which has the kinds).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moved_rails import KINDS
from powered_boards import DEMO, SOURCES, PoweredBoard, Truth

HEAD = f"{'run':>3} {'s':>5} {'load':>5}  {'gross off, half %':>18}  {'net off, half %':>18}  {'ratio off, half %':>18}  held"


def main() -> None:
    """Print a row a run, then how many held what is true."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--source", choices=SOURCES, default="rails")
    parser.add_argument("--kind", choices=KINDS, default="")
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--same", action="store_true", help="a recipe that changes nothing: no difference is there to show")
    asked = parser.parse_args()
    print(f"{asked.source} {asked.kind or 'as it should be'}, preset {asked.preset}\n{HEAD}", flush=True)
    rows = []
    for number in range(1, asked.runs + 1):
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            with PoweredBoard(Path(folder), asked.source, asked.kind) as board:
                recipe = _nothing(Path(folder)) if asked.same else "int8"
                document = board.run("--dataset", str(DEMO / "digits.toml"), recipe=recipe, preset=asked.preset)
            head = f"{number:>3} {time.monotonic() - began:>5.0f} {os.getloadavg()[0]:>5.1f}"
            if document["baseline"]["energy_j_per_inference"]["gross"] is None:
                why = document["reasons"]["baseline.energy_j_per_inference.gross"]
                print(f"{head}  null: {why}", flush=True)
                continue
            found = list(_compared(document, board.truth(document["run"])))
            rows.append(found)
            cells = "  ".join(f"{off:>+9.2f} ±{half:>7.2f}" for _, off, half in found)
            held = " ".join(name if abs(off) <= half else f"NOT {name}" for name, off, half in found)
            said = document["verdict"].get("energy") or json.dumps(document["reasons"].get("difference.energy_ratio.value"))
            warned = [text for text in document["warnings"] if text.startswith("energy")]
            print(f"{head}  {cells}  {held}; {said}; {warned or ''}", flush=True)
    for place, name in enumerate(("gross", "net", "ratio")):
        told = [found[place] for found in rows if len(found) > place]
        if told:
            held = sum(abs(off) <= half for _, off, half in told)
            print(
                f"{name}: {held} of {len(told)} intervals hold it; off by {max(abs(off) for _, off, _ in told):.2f} % at most"
            )


def _nothing(folder: Path) -> str:
    path = folder / "nothing.toml"
    path.write_text('title = "Changes nothing"\n\n[[step]]\nmethod = "prune.magnitude"\nthreshold = 1e-30\n')
    return str(path)


def _compared(document: dict[str, Any], true: dict[str, Truth]) -> Iterator[tuple[str, float, float]]:
    """(what, percent off, half width in percent): the worse side of gross and net joules, and the ratio."""
    for name in ("gross", "net"):
        sides = []
        for side in ("baseline", "candidate"):
            told, truth = document[side]["energy_j_per_inference"], getattr(true[side], name)
            sides.append((100 * (told[name] / truth - 1), 100 * told[f"{name}_half_width"] / truth))
        off, half = max(sides, key=lambda one: abs(one[0]) / one[1])
        yield name, off, half
    ratio = document["difference"]["energy_ratio"]
    if ratio["value"] is not None:
        truth = true["candidate"].net / true["baseline"].net
        yield "ratio", 100 * (ratio["value"] / truth - 1), 50 * (ratio["high"] - ratio["low"]) / truth


if __name__ == "__main__":
    main()
