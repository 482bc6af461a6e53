"""The same run again and again: whether the spread of its ratios lies within their intervals, and how wide those are.

    make bench-repeat BENCH_ARGS="--runs 10 --preset normal"

ResNet-20 for CIFAR-10 in INT8 where `../shared/data` has it, else the demo's model; every run begins with an empty cache. The
load of the machine stands in each row: intervals are asked to be under 5 % wide where nothing else works. So does the
original's mean: two cores of a virtual machine that come to share one of the host's for minutes make each side slower by a
factor of its own, which no run can know of. `--threads 1` does not meet that.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import psutil

REPO = Path(__file__).resolve().parents[2]
SHARED, DEMO = REPO.parent / "shared" / "data", REPO / "profiles" / "demo"
IMAGES = """kind = "image-folder"
path = "{}"
[input]
size = [32, 32]
scale = 255
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
LOOK_S = 2.0


def main() -> None:
    """Print a row a run, then how they lie together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--preset", default="normal")
    parser.add_argument("--recipe", default="int8")
    parser.add_argument("--threads", default="0", help="of the backend; 0: one for each physical core")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, data = _model(Path(folder))
        print(f"{model.name}, {asked.recipe}, preset {asked.preset}, {os.cpu_count()} cores; load: of others before the run, %")
        print(
            f"{'run':>3} {'load':>5} {'s':>5} {'pairs':>6}  {'FP32 ms':>7}  {'ratio':>7}  {'interval':>18} {'wide %':>7}  ended"
        )
        found = []
        for number in range(1, asked.runs + 1):
            load = psutil.cpu_percent(LOOK_S)
            command = [sys.executable, "-m", "edgetui", "run", str(model), "--recipe", asked.recipe, "--preset", asked.preset]
            command += ["--threads", asked.threads]
            home = {"XDG_STATE_HOME": f"{folder}/{number}"}
            done = subprocess.run(
                [*command, *data, "--json"], env=os.environ | home, check=True, capture_output=True, text=True
            )
            found.append(_row(number, load, json.loads(done.stdout)))
    mean = math.exp(fmean(math.log(ratio) for ratio, _, _ in found))
    held = sum(low <= mean <= high for _, low, high in found)
    widest = max(100 * (high - low) / ratio for ratio, low, high in found)
    spread = 100 * stdev(math.log(ratio) for ratio, _, _ in found) if len(found) > 1 else 0.0
    print(f"mean ratio {mean:.4f}, standard deviation {spread:.2f} %; widest interval {widest:.1f} %")
    print(f"{held} of {len(found)} intervals hold the mean")


def _model(folder: Path) -> tuple[Path, list[str]]:
    """The model, and the words for its data."""
    model = SHARED / "models" / "resnet20_cifar10.onnx"
    if not model.is_file():
        return DEMO / "digits.onnx", ["--dataset", str(DEMO / "digits.toml")]
    images = folder / "images.toml"
    images.write_text(IMAGES.format(SHARED / "cifar10" / "train.zip"))
    return model, ["--calibration", str(images)]


def _row(number: int, load: float, document: dict[str, Any]) -> tuple[float, float, float]:
    ratio, latency = document["difference"]["latency_ratio"], document["baseline"]["latency_ms"]
    took_s = next(stage["seconds"] for stage in document["stages"] if stage["name"] == "measure")
    value, low, high = ratio["value"], ratio["low"], ratio["high"]
    ended = "time was up" if latency["capped"] else "it was decided"
    fp32 = f"{latency['blocks']:>6}  {latency['mean']:>7.4f}"
    cells = f"{number:>3} {load:>5.0f} {took_s:>5.0f} {fp32}  {value:>7.4f}  [{low:>7.4f}, {high:>7.4f}]"
    print(f"{cells} {100 * (high - low) / value:>7.2f}  {ended}", flush=True)
    return value, low, high


if __name__ == "__main__":
    main()
