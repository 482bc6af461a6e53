"""A ruined graph names the node where it breaks, and a run that ends in one says so wherever it is read."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import pytest
from edgetui.engine.advice.remedies import advice
from edgetui.engine.compress.annotations import read_int8, write_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.precision import fp16
from edgetui.engine.compress.quantize import int8
from edgetui.engine.measure.fidelity import FidelityMeter
from edgetui.engine.measure.ruin import Ruin, Ruined
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.step import Step
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights, TrainFinetune
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.ruined_outputs import BrokenTensor, first_broken, sentence, tried, warned
from msgspec import structs
from nodes import Bench, Net


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def network() -> onnx.ModelProto:
    """SiLU after every convolution, as detectors have it."""
    made = Net()
    x, channels = made.input("image", 1, 3, 16, 16), 3
    for stage in range(3):
        x = made.node("Conv", x, made.weight(16, channels, 3, 3, scale=0.4), pads=[1] * 4, name=f"/{stage}/Conv")
        x = made.node("Mul", x, made.node("Sigmoid", x, name=f"/{stage}/Sigmoid"), name=f"/{stage}/Mul")
        channels = 16
    return made.model(x)


@cache
def calibrated(exclude: tuple[str, ...]) -> bytes:
    """The network with its ranges; every test ruins a copy."""
    model = network()
    with TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        source, marked = bench.save(model), bench.folder / "marked.onnx"
        int8(QuantizeInt8(calibrator="entropy", exclude=exclude), source, marked, bench.feeds(model, 32), NullReporter())
        return marked.read_bytes()


def lowered(
    bench: Bench, target: str, ruin: str = "", *, half: bool = False, exclude: tuple[str, ...] = ()
) -> tuple[Path, Path, list[dict[str, np.ndarray]]]:
    """The network, and what `target` gets of it with 8 bits, the range of tensor `ruin` cut to a fiftieth."""
    model = network()
    source = bench.save(model)
    marked, out = bench.folder / "marked.onnx", bench.folder / "lowered.onnx"
    marked.write_bytes(calibrated(exclude))
    wish = read_int8(onnx.load(marked))
    assert wish is not None
    if ruin in wish.ranges:
        low, high = wish.ranges[ruin]
        ruined = onnx.load(marked)
        write_int8(ruined, structs.replace(wish, ranges={**wish.ranges, ruin: (low / 50, high / 50)}))
        onnx.save(ruined, marked)
    if half:
        fp16(PrecisionFp16(), marked, marked, None, NullReporter())
    lower(marked, out, target, NullReporter())
    return source, out, list(bench.feeds(model, 4, seed=1))


def judged(original: Path, candidate: Path, feeds: list[dict[str, np.ndarray]]) -> list[Ruined]:
    ruin = Ruin()
    tried(original, candidate, feeds, ruin)
    return ruin.found()


@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "tensorrt"])
def test_what_is_quantized_well_is_not_ruined(bench: Bench, target: str) -> None:
    original, candidate, feeds = lowered(bench, target)
    assert judged(original, candidate, feeds) == []
    assert first_broken(original, candidate, feeds) is None


@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "tensorrt"])
@pytest.mark.parametrize(("tensor", "node"), [("t2", "/0/Mul"), ("t5", "/1/Mul"), ("image", "")])
def test_a_ruined_range_is_found_where_it_is(bench: Bench, target: str, tensor: str, node: str) -> None:
    original, candidate, feeds = lowered(bench, target, ruin=tensor)
    found = judged(original, candidate, feeds)
    first = first_broken(original, candidate, feeds)
    assert first is not None
    assert (first.node, first.tensor) == (node, tensor)
    text = sentence(found, original, candidate, feeds, 4, [QuantizeInt8(calibrator="entropy")])
    assert "the outputs are ruined" in text
    assert (node or "the input image") in text
    assert f"`exclude` {' and '.join(first.nodes)} from quantize.int8" in text


@pytest.mark.parametrize("target", ["onnxruntime-x86", "onnxruntime-arm", "tensorrt"])
@pytest.mark.parametrize("tensor", ["t2", "t5", "image"])
def test_excluding_what_is_advised_mends_a_ruined_range(bench: Bench, target: str, tensor: str) -> None:
    first = first_broken(*lowered(bench, target, ruin=tensor))
    assert first is not None
    (bench.folder / "lowered.onnx").unlink()
    assert judged(*lowered(bench, target, ruin=tensor, exclude=first.nodes)) == []


def test_weights_that_ruin_what_an_activation_keeps_are_named_where_they_are(bench: Bench) -> None:
    made = Net()
    x = made.input("x", 1, 3, 8, 8)
    conv = made.node("Conv", x, made.weight(8, 3, 1, 1), made.constant(np.full(8, -9.0)), name="/conv")
    model = made.model(made.node("Relu", conv, name="/relu"))
    original = bench.save(model)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((8, 3, 1, 1), np.float32), tensor.name))
    first = first_broken(original, bench.save(model, "pruned.onnx"), [{"x": 20 * f["x"]} for f in bench.feeds(model, 4)])
    assert first is not None
    assert first.nodes == ("/conv",)


def test_a_part_is_ruined_where_it_was_made_and_not_where_it_is_cut_off(bench: Bench) -> None:
    made = Net()
    x = made.input("x", 1, 3, 8, 8)
    scale = np.array([60, 60, 60, 60, 0.1, 0.1, 0.1]).reshape(7, 1, 1, 1)
    weights = made.constant(made.draw.standard_normal((7, 3, 1, 1)) * scale)
    boxes = made.node("Split", made.node("Conv", x, weights, name="/head"), made.constant(np.array([4, 3])), axis=1, outputs=2)
    model = made.model(boxes, f"{boxes}_1")
    original, marked, out = bench.save(model), bench.folder / "marked.onnx", bench.folder / "lowered.onnx"
    int8(QuantizeInt8(), original, marked, bench.feeds(model, 32), NullReporter())
    lower(marked, out, "onnxruntime-x86", NullReporter())
    feeds = list(bench.feeds(model, 4, seed=1))
    (found,) = judged(original, out, feeds)
    assert found.output == f"{boxes}_1"
    first = first_broken(original, out, feeds)
    assert first is not None
    assert first.node == "/head"


def test_small_activations_are_looked_at_too(bench: Bench) -> None:
    made = Net()
    x = made.input("x", 1, 3, 8, 8)
    small = made.node("Relu", made.node("Conv", x, made.weight(8, 3, 1, 1, scale=0.003), name="/conv"), name="/relu")
    model = made.model(made.node("Conv", small, made.weight(4, 8, 1, 1, scale=90.0), name="/head"))
    original = bench.save(model)
    cut = onnx.helper.make_node("Clip", ["t0", "low", "high"], ["t1"], name="/relu")
    model.graph.node[1].CopyFrom(cut)
    for name, end in (("low", 0.0), ("high", 0.0005)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(end, np.float32), name))
    first = first_broken(original, bench.save(model, "other.onnx"), list(bench.feeds(model, 4)))
    assert first is not None
    assert first.node == "/relu"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([PruneMagnitude(amount=0.9)], "prune less"),
        ([QuantizeWeights(bits=4)], "`exclude` a and b from quantize.weights, or take 8 bits for the weights"),
        ([PrecisionFp16()], "`keep` a out of precision.fp16"),
        ([TrainFinetune()], "choose a milder recipe"),
        (
            [PruneMagnitude(amount=0.3), QuantizeInt8(calibrator="minmax", per_channel=False)],
            "prune less, or `exclude` a and b from quantize.int8, or choose another calibrator than minmax, or give each "
            "channel a scale (`per_channel = true`)",
        ),
    ],
)
def test_advice_is_what_the_recipes_own_steps_can_do(steps: list[Step], said: str) -> None:
    assert advice(steps, ["a", "b"], "a") == said


def test_many_nodes_are_counted() -> None:
    assert "`exclude` a, b, c and 3 more that read it from" in advice([QuantizeInt8()], list("abcdef"))


def test_half_floats_beside_integers_are_looked_into_too(bench: Bench) -> None:
    original, candidate, feeds = lowered(bench, "tensorrt", ruin="t5", half=True)
    first = first_broken(original, candidate, feeds)
    assert first is not None
    assert first.node == "/1/Mul"
    (bench.folder / "lowered.onnx").unlink()
    original, candidate, feeds = lowered(bench, "tensorrt", half=True)
    assert first_broken(original, candidate, feeds) is None


def test_ruined_weights_are_found_at_their_node(bench: Bench) -> None:
    model = network()
    original = bench.save(model)
    for tensor in model.graph.initializer:
        if tensor.name == model.graph.node[3].input[1]:
            values = onnx.numpy_helper.to_array(tensor) * (np.arange(9).reshape(3, 3) == 0)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float32), tensor.name))
    candidate = bench.save(model, "pruned.onnx")
    first = first_broken(original, candidate, list(bench.feeds(model, 4)))
    assert isinstance(first, BrokenTensor)
    assert (first.node, first.operator) == ("/1/Conv", "Conv")


@pytest.mark.parametrize(
    ("step", "labelled", "said"),
    [(TrainFinetune(), True, False), (TrainFinetune(), False, True), (PruneMagnitude(amount=0.5), True, True)],
    ids=["learnt", "learnt, and nobody tells what is right", "not learnt"],
)
def test_what_was_learnt_is_judged_by_labels_where_there_are_some(bench: Bench, step: Step, labelled: bool, said: bool) -> None:
    original, candidate, feeds = lowered(bench, "onnxruntime-x86", ruin="t2")
    ruin, say = Ruin(), NullReporter()
    tried(original, candidate, feeds, ruin)
    made = warned(Outcome(), ruin, (original, candidate), feeds, 4, [step], say, labelled=labelled)
    assert bool(made.fidelity.ruined) == said
    assert ("the outputs are ruined" in " ".join(say.warnings)) == said
    assert any(note.startswith("training moved outputs to ") for note in say.notes) != said


def test_a_graph_that_does_not_run_is_ruined_all_the_same(bench: Bench) -> None:
    original, _, _ = lowered(bench, "onnxruntime-x86")
    text = sentence([Ruined("y", "", 1.0)], original, original, [{"image": np.zeros((1, 3, 9), np.float32)}], 4, [])
    assert "ruined" in text
    assert "cannot be told" in text


@pytest.mark.long
def test_a_build_says_it_on_the_terminal_and_in_its_document(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    model = network()
    source = bench.save(model)
    np.savez(tmp_path / "data.npz", image=np.concatenate([feeds["image"] for feeds in bench.feeds(model, 8)]))
    recipe = tmp_path / "hard.toml"
    recipe.write_text('title = "far too hard"\n[[step]]\nmethod = "prune.magnitude"\namount = 0.99\n')
    command = [sys.executable, "-m", "edgetui", "build", str(source), "--recipe", str(recipe)]
    command += ["--dataset", str(tmp_path / "data.npz"), "--out"]

    def said(*words: str) -> str:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout

    shown = said(*command, str(tmp_path / "out"))
    assert "!! the outputs are ruined" in shown
    assert "node /0/Conv" in " ".join(shown.split())
    assert "prune less" in " ".join(shown.split())
    assert "calibrator" not in shown
    document = json.loads(said(*command, str(tmp_path / "again"), "--json"))
    assert document["fidelity"]["ruined"] in document["warnings"]
    assert "!! the outputs are ruined" in said(sys.executable, "-m", "edgetui", "show", document["run"])
    measured = [word for word in command if word not in ("build", "--out")]
    shown = said(*measured[:3], "run", *measured[3:], "--preset", "quick")
    assert "!! the outputs are ruined" in shown
    assert shown.index("!! the outputs") < shown.index("latency, mean")


def test_the_stem_of_a_detector_keeps_what_minmax_keeps(shared: Path, bench: Bench) -> None:
    stem = shared.parent / "cases" / "models" / "silu_stem.onnx"
    if not stem.is_file():
        pytest.skip("the folder ../shared/cases is not here")
    draw = np.random.default_rng(0)
    feeds = []
    for _ in range(16):
        picture = np.full((1, 3, 320, 320), 114 / 255, np.float32)
        blocks = np.round(255 * draw.beta(6, 3, (3, 15, 20))) / 255  # bright and in patches, with bars above and below
        picture[0, :, 40:280] = np.kron(blocks, np.ones((16, 16)))
        feeds.append({"images": picture})
    kept = {}
    for calibrator in ("minmax", "entropy"):
        marked, out = bench.folder / "marked.onnx", bench.folder / f"{calibrator}.onnx"
        int8(QuantizeInt8(calibrator=calibrator), stem, marked, feeds[:12], NullReporter())
        lower(marked, out, "onnxruntime-x86", NullReporter())
        near = FidelityMeter()
        tried(stem, out, feeds[12:], near)  # type: ignore[arg-type]
        kept[calibrator] = near.figures().sqnr_db
    assert kept["minmax"] > 15
    assert kept["entropy"] > kept["minmax"] - 2
