"""TensorRT's command as a script: its help, its log, the files it exports. Executing is ONNX Runtime on the stored ONNX."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

OLD = "onnx saveEngine loadEngine fp16 int8 memPoolSize buildOnly timingCacheFile sparsity useDLACore allowGPUFallback \
iterations warmUp duration useSpinWait exportTimes exportOutput exportProfile exportLayerInfo dumpProfile loadInputs \
profilingVerbosity precisionConstraints layerPrecisions noTF32 useCudaGraph"
NEW = OLD.replace("buildOnly", "skipInference builderOptimizationLevel stronglyTyped")


def install(folder: Path, number: str, words: str) -> Path:
    """A trtexec in `folder` that says it is TensorRT `number` (8502, 100300) and knows the options `words`; it keeps what it
    was asked in `asked` beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "trtexec"
    support = str(Path(__file__).parent)
    script.write_text(
        f"#!{sys.executable} -S\nimport sys\nsys.path.insert(0, {support!r})\nimport fake_trtexec\n"
        f"sys.exit(fake_trtexec.main({number!r}, {words!r}.split(), {str(folder / 'asked')!r}, {sys.path!r}, sys.argv[1:]))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return script


def main(number: str, known: list[str], asked: str, packages: list[str], argv: list[str]) -> int:
    """`packages`: folders to import from where outputs are asked for; without, it starts in half the time."""
    print(f"&&&& RUNNING TensorRT.trtexec [TensorRT v{number}] # trtexec {' '.join(argv)}")
    if argv == ["--help"]:
        print("\n".join(f"  --{word}" for word in known))
        return 0
    with open(asked, "a") as file:
        file.write(json.dumps(argv) + "\n")
    given = {}
    for word in argv:
        name, _, value = word.removeprefix("--").partition("=")
        if name not in known:
            print(f"[11/21/2026-03:00:00] [E] Unknown option: {word}")
            return 1
        given[name] = value
    if "onnx" in given:
        return _build(given)
    sys.path.extend(packages)
    return _run(given)


def _build(given: dict[str, str]) -> int:
    print("[11/21/2026-03:00:00] [I] [TRT] Graph optimization time: 0.1 seconds.")
    if os.environ.get("FAKE_MEMORY_MB") and int(given["memPoolSize"].split(":")[1]) > int(os.environ["FAKE_MEMORY_MB"]):
        print("[11/21/2026-03:00:00] [E] Error[2]: [virtualMemoryBuffer.cpp::resizePhysical::145] Error Code 2: OutOfMemory")
        return 1
    if "sparsity" in given:
        print("[11/21/2026-03:00:00] [I] [TRT] (Sparsity) TRT inference plan picked sparse implementation for layers: a, b")
    Path(given["saveEngine"]).write_bytes(b"plan" + Path(given["onnx"]).read_bytes())
    return 0


def _run(given: dict[str, str]) -> int:
    files = [pair.rpartition(":")[2] for pair in given.get("loadInputs", "").split(",") if pair]
    if not all(map(os.path.isfile, files)):
        print("[11/21/2026-03:00:00] [E] Cannot open file of an input")
        return 1
    if "exportOutput" in given:
        _compute(given)
    if "exportTimes" in given:
        times = [{"h2dMs": 0.1, "computeMs": 0.7, "d2hMs": 0.2, "latencyMs": 1.0 + 0.001 * (n % 7)} for n in range(100)]
        Path(given["exportTimes"]).write_text(json.dumps(times))
    if "exportLayerInfo" in given:
        layers = [
            {"Name": "conv", "LayerType": "CaskConvolution", "Outputs": [{"Name": "y", "Format/Datatype": "Row major FP16"}]}
        ]
        Path(given["exportLayerInfo"]).write_text(json.dumps({"Layers": layers, "Bindings": []}))
        Path(given["exportProfile"]).write_text(json.dumps([{"count": 10}, {"name": "conv", "timeMs": 5, "averageMs": 0.5}]))
    return 0


def _compute(given: dict[str, str]) -> None:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(Path(given["loadEngine"]).read_bytes()[4:])
    feeds = {tensor.name: np.zeros(tensor.shape, np.float32) for tensor in session.get_inputs()}
    for pair in given.get("loadInputs", "").split(",") if "loadInputs" in given else ():
        name, _, file = pair.rpartition(":")
        name = name.strip("'")
        feeds[name] = np.fromfile(file, np.float32).reshape(feeds[name].shape)
    made = session.run(None, feeds)
    outputs = [
        {
            "name": tensor.name,
            "dimensions": "x".join(map(str, array.shape)),
            "values": [float(f"{value:.6g}") for value in array.ravel()],
        }
        for tensor, array in zip(session.get_outputs(), made, strict=True)
    ]
    text = json.dumps(outputs).replace("NaN", "-nan").replace("Infinity", "inf")  # as C++ prints them
    Path(given["exportOutput"]).write_text(text)
