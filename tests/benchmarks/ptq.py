"""Post-training quantization side by side: onnxruntime's own calibrators, nncf, edgetui. `make bench-ptq` runs it.

Every contestant quantizes the same network with the same images in a process of its own, whose wall time (interpreter start,
imports and reading the images included) and peak memory are taken from outside. Then one process loads all the results beside
the FP32 network: top-1 over the test images, and latency of one image in interleaved blocks, as ratio to FP32.

edgetui goes the way of `edgetui build`: its stage `quantize.int8`, and `lower`, which writes the integers, in the column after.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MODEL = SHARED / "models" / "resnet20_cifar10.onnx"
DATASET = f"""kind = "image-folder"
path = "{SHARED}/cifar10/test.zip"
calibration = "{SHARED}/cifar10/train.zip"
[input]
size = [32, 32]
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
"""
ORT = ("minmax", "entropy", "percentile")
OURS = ("minmax", "entropy", "percentile", "mse")
Row = dict[str, float]


def main() -> None:
    """Measure, print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="stages are repeated this often, medians are shown")
    parser.add_argument("--images", type=int, default=500, help="calibration images")
    parser.add_argument("--only", nargs="*", default=[], help="contestants whose names begin so")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    asked = parser.parse_args()
    names = [f"onnxruntime-{kind}" for kind in ORT] + ["nncf"] + [f"edgetui-{kind}" for kind in OURS]
    names = [name for name in names if not asked.only or name.startswith(tuple(asked.only))]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "cifar10.toml").write_text(DATASET)
        rows: dict[str, list[Row]] = {name: [] for name in names}
        for turn in range(asked.rounds):
            for name in names:
                print(f"round {turn + 1}: {name}", file=sys.stderr)
                rows[name].append(_edgetui(name, work, asked.images) if "edgetui" in name else _other(name, work, asked.images))
        table = {name: {key: statistics.median(row[key] for row in taken) for key in taken[0]} for name, taken in rows.items()}
        for name, figures in json.loads(_child("judge", str(work), *names)).items():
            table.setdefault(name, {}).update(figures)
    _print(table)
    if asked.json:
        asked.json.write_text(json.dumps(table, indent=1))


def _print(table: dict[str, Row]) -> None:
    columns = ("stage_s", "lower_s", "peak_mb", "size_kb", "top1", "ratio_2_threads", "ratio_1_thread")
    print(f"{'':24}" + "".join(f"{column:>17}" for column in columns))
    for name, row in table.items():
        cells = [f"{row[column]:17.3f}" if column in row else f"{'-':>17}" for column in columns]
        print(f"{name:24}" + "".join(cells))


def _other(name: str, work: Path, images: int) -> Row:
    """One contestant's stage in a child; wall time and peak memory from outside."""
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, __file__, "--child", "quantize", name, str(work), str(images)], stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        raise SystemExit(f"{name} failed")
    return {"stage_s": seconds, "peak_mb": usage.ru_maxrss / 1e3}


def _edgetui(name: str, work: Path, images: int) -> Row:
    """`edgetui build` in a fresh state folder; the stages' own figures, which its supervisor takes from outside."""
    kind = name.removeprefix("edgetui-")
    recipe = work / f"{name}.toml"
    recipe.write_text(f'[[step]]\nmethod = "quantize.int8"\ncalibrator = "{kind}"\nsamples = {images}\n')
    with tempfile.TemporaryDirectory() as state:
        out = Path(state) / "out"
        command = [sys.executable, "-m", "edgetui", "build", str(MODEL), "--recipe", str(recipe), "--json"]
        command += ["--calibration", str(work / "cifar10.toml"), "--out", str(out)]
        ended = subprocess.run(command, env={**os.environ, "XDG_STATE_HOME": state}, capture_output=True, check=False)
        if ended.returncode:
            raise SystemExit(f"{name} failed: {ended.stderr.decode()}")
        (out / "model.onnx").replace(work / f"{name}.onnx")
    stages = {stage["name"]: stage for stage in json.loads(ended.stdout)["stages"]}
    step = stages["quantize.int8"]
    return {"stage_s": step["seconds"], "lower_s": stages["lower"]["seconds"], "peak_mb": step["peak_mb"]}


def _child(what: str, *arguments: str) -> str:
    command = [sys.executable, __file__, "--child", what, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _batches(work: Path, part: str, size: int) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray | None]]:
    """Feeds and labels, read as edgetui reads them."""
    from edgetui.engine.data.open import open_samples
    from edgetui.engine.library.datasets import read_dataset
    from edgetui.engine.schema.model_facts import TensorFacts
    from edgetui.engine.system.reporter import NullReporter

    image = TensorFacts(name="image", dtype="float", shape=("batch", 3, 32, 32))
    samples = open_samples(
        read_dataset(str(work / "cifar10.toml"), {}), [image], {"image": (1, 3, 32, 32)}, part, 0, NullReporter()
    )
    limit = None if part == "evaluation" else int(os.environ["BENCH_IMAGES"])
    for batch in (samples if limit is None else samples.take(limit)).batches(size):
        yield batch.feeds, batch.labels


def quantize(name: str, work: Path, images: int) -> None:
    """onnxruntime's or nncf's whole stage, in this process."""
    os.environ["BENCH_IMAGES"] = str(images)
    out = work / f"{name}.onnx"
    if name == "nncf":
        import nncf
        import onnx

        data = nncf.Dataset([feeds for feeds, _ in _batches(work, "calibration", 1)])
        onnx.save(nncf.quantize(onnx.load(MODEL), data, subset_size=images), out)
        return
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = _batches(work, "calibration", 1)

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next((feeds for feeds, _ in self.left), None)

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    quantize_static(
        MODEL,
        out,
        Reader(),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        calibrate_method=methods[name.removeprefix("onnxruntime-")],
    )


def judge(work: Path, names: list[str]) -> dict[str, Row]:
    """Top-1 and latency of everything beside FP32."""
    import onnxruntime as ort

    files = {"fp32": MODEL} | {name: work / f"{name}.onnx" for name in names}
    found: dict[str, Row] = {name: {"size_kb": file.stat().st_size / 1e3} for name, file in files.items()}
    for threads, column in ((2, "ratio_2_threads"), (1, "ratio_1_thread")):
        sessions = {}
        for name, file in files.items():
            options = ort.SessionOptions()
            options.intra_op_num_threads = threads
            options.log_severity_level = 3
            sessions[name] = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        if threads == 2:
            for name, share in _top1(sessions, work).items():
                found[name]["top1"] = share
        for name, ratio in _ratios(sessions, {"image": next(iter(_batches(work, "evaluation", 1)))[0]["image"]}).items():
            found[name][column] = ratio
    return found


def _top1(sessions: dict[str, Any], work: Path) -> dict[str, float]:
    """Share of test images that each session classifies rightly, one at a time: edgetui fixes the batch to 1."""
    right = dict.fromkeys(sessions, 0)
    seen = 0
    for feeds, labels in _batches(work, "evaluation", 1):
        assert labels is not None
        seen += 1
        for name, session in sessions.items():
            right[name] += int(session.run(None, feeds)[0].argmax() == labels[0])
    return {name: count / seen for name, count in right.items()}


def _ratios(sessions: dict[str, Any], feeds: dict[str, np.ndarray]) -> dict[str, float]:
    """Median over blocks of each session's time over FP32's in the same block; the order within a block is drawn."""
    draw = np.random.default_rng(0)
    names = list(sessions)
    blocks: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(41):
        for name in draw.permutation(names):
            session = sessions[name]
            began = time.perf_counter()
            for _ in range(40):
                session.run(None, feeds)
            if turn:  # the first block warms up
                blocks[name].append(time.perf_counter() - began)
    reference = np.array(blocks["fp32"])
    return {name: float(np.median(np.array(times) / reference)) for name, times in blocks.items()}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        if sys.argv[2] == "quantize":
            quantize(sys.argv[3], Path(sys.argv[4]), int(sys.argv[5]))
        else:
            print(json.dumps(judge(Path(sys.argv[3]), sys.argv[4:])))
    else:
        main()
