"""Training behind rounding: what is written is what was trained, and what need not change stays."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import pytest
from edgetui.engine.compress.annotations import read_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.train.qat import qat
from edgetui.engine.compress.weight_only import weights as weight_only
from edgetui.engine.config import PACKAGE
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import RecipeRefused, RunFailed
from edgetui.engine.graph import metadata
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.values import array_of
from edgetui.engine.graph.walk import constants
from edgetui.engine.graph.weights import weights
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.schema.spec import Dataset, ImageInput
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, QuantizeWeights, TrainFinetune, TrainQat
from edgetui.engine.system.reporter import NullReporter

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when PyTorch is loaded: spinning threads starve the other tests
torch = pytest.importorskip("torch", reason="needs torch")

DEMO = PACKAGE / "profiles" / "demo"
SHORT = TrainQat(epochs=1, held_out=0.0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo's network: `floats`, with `integers` of 4 bits a weight, with `ranges`, and with half its weights zero."""
    folder = tmp_path_factory.mktemp("quantized")
    found = {name: folder / f"{name}.onnx" for name in ("floats", "integers", "ranges", "pruned", "pruned-ranges")}
    say = NullReporter()
    normalise(DEMO / "digits.onnx", found["floats"], {}, say)
    weight_only(QuantizeWeights(bits=4, grouping="tensor"), found["floats"], found["integers"], say)
    prune(PruneMagnitude(scope="global", amount=0.5), found["floats"], found["pruned"], None, say)
    for source, out in (("floats", "ranges"), ("pruned", "pruned-ranges")):
        feeds = (batch.feeds for batch in digits(found["floats"]).take(64).batches(1))
        int8(QuantizeInt8(samples=64), found[source], found[out], feeds, say)
    return found


def digits(model: Path, count: int | None = None) -> Samples:
    facts = inspect(model, {})
    data = Dataset(kind="npz", path=str(DEMO / "digits.npz"))
    samples = open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, NullReporter())
    return samples if count is None else samples.take(count)


def trained(step: TrainQat, source: Path, out: Path, samples: Samples) -> Path:
    qat(step, source, out, samples, NullReporter())
    return out


def lowered_scales(path: Path, target: str, folder: Path) -> dict[str, float]:
    """Scale of each activation whose range is in the model, as a target's graph has it."""
    lower(path, folder / "lowered.onnx", target, NullReporter())
    names = read_int8(onnx.load(path)).ranges
    held = stored(folder / "lowered.onnx")
    return {name: float(held[f"{name}_scale"]) for name in names if f"{name}_scale" in held}


def stored(path: Path) -> dict[str, np.ndarray]:
    return {name: np.asarray(array_of(tensor)) for name, tensor in constants(onnx.load(path)).items()}


@pytest.mark.parametrize("start", ["integers", "ranges"])
def test_a_learning_rate_of_0_changes_nothing(tmp_path, models, start):
    out = trained(
        msgspec.structs.replace(SHORT, learning_rate=0.0), models[start], tmp_path / "out.onnx", digits(models[start], 64)
    )
    assert onnx.load(out) == onnx.load(models[start])


def test_integers_and_their_scales_are_learnt_in_the_same_graph(tmp_path, models):
    step = msgspec.structs.replace(SHORT, learning_rate=0.02)
    out = trained(step, models["integers"], tmp_path / "out.onnx", digits(models["integers"], 128))
    before, after = stored(models["integers"]), stored(out)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert {name.rpartition("_")[2] for name in changed} >= {"q4", "scale"}
    assert all(np.abs(array.astype(int)).max() <= 7 for name, array in after.items() if name.endswith("_q4"))
    graphs = [onnx.load(path).graph for path in (models["integers"], out)]
    assert graphs[0].node == graphs[1].node
    onnx.checker.check_model(onnx.load(out))


def test_scales_stay_where_they_shall(tmp_path, models):
    step = msgspec.structs.replace(SHORT, scales=False)
    out = trained(step, models["integers"], tmp_path / "out.onnx", digits(models["integers"], 64))
    before, after = stored(models["integers"]), stored(out)
    assert all(np.array_equal(before[name], after[name]) for name in before if name.endswith("_scale"))
    ranged = trained(step, models["ranges"], tmp_path / "ranged.onnx", digits(models["ranges"], 64))
    assert read_int8(onnx.load(ranged)) == read_int8(onnx.load(models["ranges"]))


@pytest.mark.parametrize("pairs", ["onnxruntime", "tensorrt"])
def test_ranges_that_were_learnt_are_those_that_lowering_writes(tmp_path, models, pairs):
    """Each grows or shrinks as a whole, so that its zero-point stays; the graph stays FP32 and lowers for every backend."""
    step = msgspec.structs.replace(SHORT, pairs=pairs)
    out = trained(step, models["ranges"], tmp_path / "out.onnx", digits(models["ranges"], 96))
    before, after = (read_int8(onnx.load(path)).ranges for path in (models["ranges"], out))
    assert before.keys() == after.keys()
    grown = {name: (np.array(after[name]) + 1e-30) / (np.array(before[name]) + 1e-30) for name in before}
    for name, (low, high) in grown.items():
        assert before[name][0] == 0 or low == pytest.approx(high), name
    assert any(high != 1 for _, high in grown.values())
    assert {weight.name for weight in weights(onnx.load(out))} == {
        weight.name for weight in weights(onnx.load(models["ranges"]))
    }
    for target in ("torch", "tensorrt"):
        scales = [lowered_scales(path, target, tmp_path) for path in (models["ranges"], out)]
        assert scales[0].keys() == scales[1].keys() != set()
        for name, scale in scales[0].items():
            assert scales[1][name] == pytest.approx(scale * grown[name][1], rel=1e-6)


def test_zeros_of_pruning_stay_and_are_filled_where_they_need_not(tmp_path, models):
    source = models["pruned-ranges"]
    kept, filled = (
        trained(msgspec.structs.replace(SHORT, keep_zeros=keep), source, tmp_path / f"{keep}.onnx", digits(source, 64))
        for keep in (True, False)
    )
    before = {weight.name: weight.array() == 0 for weight in weights(onnx.load(source))}
    now = {weight.name: weight.array() == 0 for weight in weights(onnx.load(kept))}
    assert all(now[name][gone].all() for name, gone in before.items())
    assert (
        sum(int((weight.array() == 0).sum()) for weight in weights(onnx.load(filled))) < sum(map(np.sum, before.values())) / 10
    )


@pytest.mark.parametrize("noted", [True, False])
def test_of_weights_in_integers_zeros_of_pruning_stay_and_those_of_rounding_learn(tmp_path, models, noted):
    """A twentieth of the weights is pruned, 4 bits round more of them to 0; a model of others says not which."""
    pruned, four, out = (tmp_path / name for name in ("pruned.onnx", "four.onnx", "out.onnx"))
    prune(PruneMagnitude(scope="layer", amount=0.05), models["floats"], pruned, None, NullReporter())
    weight_only(QuantizeWeights(bits=4), pruned, four, NullReporter())
    if not noted:
        model = onnx.load(four)
        assert metadata.drop(model, "zeros")
        onnx.save(model, four)
    trained(msgspec.structs.replace(SHORT, learning_rate=0.01), four, out, digits(four, 96))
    gone = {weight.name: weight.array() == 0 for weight in weights(onnx.load(pruned))}
    before, after = (integers(path) for path in (four, out))
    rounded = 0
    for name, zeros in gone.items():
        assert (before[name][zeros] == 0).all()
        assert (after[name][zeros] == 0).all()
        made = (before[name] == 0) & ~zeros
        rounded += int(made.sum())
        assert noted or (after[name][made] == 0).all()
    assert rounded > 50
    moved = sum(int(((before[name] == 0) & ~zeros & (after[name] != 0)).sum()) for name, zeros in gone.items())
    assert (moved > 0) == noted


def integers(path: Path) -> dict[str, np.ndarray]:
    """Of each weight, by the weight's name."""
    return {name.rpartition("_q4")[0]: array.astype(np.int8) for name, array in stored(path).items() if name.endswith("_q4")}


def test_the_same_seed_gives_the_same_file(tmp_path, models):
    files = [
        trained(
            msgspec.structs.replace(SHORT, seed=seed),
            models["integers"],
            tmp_path / f"{place}.onnx",
            digits(models["integers"], 48),
        )
        for place, seed in enumerate((0, 0, 1))
    ]
    first, again, other = (file.read_bytes() for file in files)
    assert first == again
    assert first != other


def test_a_training_that_was_killed_goes_on_with_weights_and_scales(tmp_path, models):
    """What is kept after an epoch holds the scales as well: what goes on from it ends as what was never disturbed."""
    outs, says = [tmp_path / f"{name}.onnx" for name in ("whole", "again")], [NullReporter(), NullReporter()]
    for out, say in zip(outs, says, strict=True):
        qat(SHORT, models["ranges"], out, digits(models["ranges"], 48), say, tmp_path / "kept")
    assert "taken up again after epoch 1 of 1" in says[1].notes
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert outs[0].read_bytes() != models["ranges"].read_bytes()


def test_a_model_that_is_not_quantized_is_refused(tmp_path, models):
    with pytest.raises(RecipeRefused, match="nothing is quantized before"):
        trained(SHORT, models["floats"], tmp_path / "out.onnx", digits(models["floats"], 48))


def test_a_learning_rate_far_too_high_ends_with_what_to_do(tmp_path, models):
    step = msgspec.structs.replace(SHORT, learning_rate=1e30, optimizer="sgd")
    with pytest.raises(RunFailed) as caught:
        trained(step, models["integers"], tmp_path / "out.onnx", digits(models["integers"], 96))
    assert "lower the learning rate" in caught.value.fix


def test_shuffled_labels_are_not_called_a_gain(tmp_path, models):
    """What is right by chance alone cannot be learnt; the result must not say that it was."""
    with np.load(DEMO / "digits.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["labels"] = np.random.default_rng(5).permutation(arrays["labels"])
    np.savez(tmp_path / "shuffled.npz", **arrays)
    facts = inspect(models["integers"], {})
    data = Dataset(kind="npz", path=str(tmp_path / "shuffled.npz"))
    samples = open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, NullReporter()).take(300)
    said = NullReporter()
    qat(TrainQat(epochs=1, held_out=0.3), models["integers"], tmp_path / "out.onnx", samples, said)
    assert any(text.startswith("training shows no gain on the 90 samples held out") for text in said.warnings)


@pytest.mark.long
def test_a_resnet_regains_half_of_what_4_bit_weights_lost(shared, tmp_path):
    """ResNet-20 of CIFAR-10: 0.810, in 4 bits 0.775, after an epoch of 1800 images 0.813 (after three of 9000: 0.828)."""
    say = NullReporter()
    files = [tmp_path / f"{name}.onnx" for name in ("floats", "rounded", "trained")]
    normalise(shared / "models" / "resnet20_cifar10.onnx", files[0], {"image": (1, 3, 32, 32)}, say)
    weight_only(QuantizeWeights(bits=4), files[0], files[1], say)
    facts = inspect(files[0], {})
    image = ImageInput(size=(32, 32), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    folder = shared / "cifar10"
    data = Dataset(kind="image-folder", path=str(folder / "test.zip"), calibration=str(folder / "train.zip"), input=image)
    training = open_samples(data, facts.inputs, facts.shapes, "calibration", 0, say).take(2000)
    qat(TrainQat(epochs=1, learning_rate=3e-4, keep_zeros=False), files[1], files[2], training, say)
    seen = list(open_samples(data, facts.inputs, facts.shapes, "evaluation", 0, say).batches(1))
    sessions = [ort.InferenceSession(str(file), providers=["CPUExecutionProvider"]) for file in files]
    floats, rounded, trained = (
        np.mean([session.run(None, batch.feeds)[0].argmax() == batch.labels[0] for batch in seen]) for session in sessions
    )
    assert rounded < floats - 0.01
    assert trained - rounded >= (floats - rounded) / 2


def test_what_spoils_it_is_said_before_a_run():
    assert "quantizes" in TrainQat().spoils(())[0]
    assert TrainQat(keep_zeros=False).spoils((QuantizeWeights(bits=4),)) == []
    assert TrainQat().spoils((QuantizeWeights(bits=4),)) == []
    assert TrainQat().spoils((PruneMagnitude(amount=0.5), QuantizeInt8())) == []
    assert "fills the zeros" in TrainQat(keep_zeros=False).spoils((PruneMagnitude(amount=0.5), QuantizeInt8()))[0]
    assert "train first" in TrainFinetune().spoils((QuantizeWeights(), TrainQat()))[0]
