"""Large weights stay in their files: models refer to them, and every result is that of the model in memory."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.precision import fp16
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import weights
from edgetui.engine.errors import EdgetuiError, ModelRefused
from edgetui.engine.graph import values
from edgetui.engine.graph.load import digest, load, parse, save, save_apart
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.graph.write import FOLDER_OPTION, beside, blocks, for_session
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.inspection.lint import lint
from edgetui.engine.measure.inputs import random_inputs
from edgetui.engine.schema.steps import PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights
from edgetui.engine.system.reporter import NullReporter
from onnx import ModelProto, TensorProto, helper, numpy_helper
from zoo import NETWORKS

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def network(side: int = 600, opset: int = 13) -> ModelProto:
    """Two matrices in one file of 2.9 MB."""
    draw = np.random.default_rng(0)
    held = [numpy_helper.from_array(draw.standard_normal((side, side)).astype(np.float32), name) for name in ("a", "b")]
    held += [numpy_helper.from_array(np.ones(side, np.float32), "bias"), numpy_helper.from_array(np.array([1, side]), "shape")]
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"], name="first"),
        helper.make_node("Add", ["h", "bias"], ["i"], name="sum"),
        helper.make_node("Relu", ["i"], ["r"], name="relu"),
        helper.make_node("MatMul", ["r", "b"], ["m"], name="second"),
        helper.make_node("Reshape", ["m", "shape"], ["y"], name="shaped"),
    ]
    values_ = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, side]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "two", values_[:1], values_[1:], held, doc_string="two matrices")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, producer_name="nobody")
    model.metadata_props.add(key="k", value="v")
    model.graph.initializer[0].doc_string = "the first"
    return model


def written(folder: Path, model: ModelProto | None = None) -> Path:
    path = folder / "model.onnx"
    path.write_bytes((model or network()).SerializeToString())
    return path


def whole(path: Path) -> ModelProto:
    """As ONNX's own reader has it, which takes no file that has two names."""
    with TemporaryDirectory() as folder:
        for file in path.parent.glob(f"{path.name}*"):
            shutil.copy(file, folder)
        model = onnx.load(Path(folder) / path.name)
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
    return model


def test_a_large_file_is_read_without_its_weights(tmp_path: Path) -> None:
    model, same_model = load(written(tmp_path)), network()
    assert model.ByteSize() < 5000
    for tensor, same in zip(model.graph.initializer, same_model.graph.initializer, strict=True):
        assert (values.span(tensor) is not None) == (len(same.raw_data) >= values.LEAST_BYTES)
        np.testing.assert_array_equal(values.array_of(tensor), numpy_helper.to_array(same))
        assert values.filled(tensor) == same


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.FLOAT16, TensorProto.INT4, TensorProto.FLOAT8E4M3FN])
def test_every_type_is_read_as_it_is_stored(tmp_path: Path, kind: int) -> None:
    model = network()
    numbers = np.random.default_rng(0).integers(-7, 7, (1200, 1200)).astype(helper.tensor_dtype_to_np_dtype(kind))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(numbers, "a"))
    tensor = load(written(tmp_path, model)).graph.initializer[0]
    assert values.span(tensor) is not None
    found = values.array_of(tensor)
    assert found.dtype == numbers.dtype
    np.testing.assert_array_equal(found.astype(np.float32), numbers.astype(np.float32))


def test_one_file_has_the_bytes_that_protobuf_would_write(tmp_path: Path) -> None:
    content = network().SerializeToString()
    assert b"".join(blocks(network())) == content
    model = load(written(tmp_path))
    assert b"".join(blocks(model)) == content
    save(model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == content


def test_apart_the_weights_lie_beside_the_graph_where_runtimes_map_them(tmp_path: Path) -> None:
    save_apart(load(written(tmp_path)), tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").stat().st_size < 5000
    spans = [found for tensor in load(tmp_path / "m.onnx").graph.initializer if (found := values.span(tensor))]
    assert len(spans) == 3
    assert all(found.offset % 4096 == 0 for found in spans)
    assert whole(tmp_path / "m.onnx") == network()
    onnx.checker.check_model(str(tmp_path / "m.onnx"), full_check=True)


def test_unchanged_weights_are_stored_once_and_outlive_the_stage_before(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    save_apart(load(written(tmp_path)), first / "model.onnx", shared=False)
    model = load(first / "model.onnx")
    model.producer_name = "somebody"
    save_apart(model, second / "model.onnx")
    assert os.path.samefile(beside(first / "model.onnx"), beside(second / "model.onnx"))
    for file in first.iterdir():
        file.unlink()
    model = network()
    model.producer_name = "somebody"
    assert whole(second / "model.onnx") == model


def test_a_users_file_of_weights_is_copied(tmp_path: Path) -> None:
    save_apart(network(), tmp_path / "theirs.onnx")
    save_apart(load(tmp_path / "theirs.onnx"), tmp_path / "ours.onnx", shared=False)
    assert not os.path.samefile(beside(tmp_path / "theirs.onnx"), beside(tmp_path / "ours.onnx"))


def test_changed_weights_get_a_file_of_their_own(tmp_path: Path) -> None:
    save_apart(network(), tmp_path / "a.onnx")
    prune(PruneMagnitude(amount=0.5), tmp_path / "a.onnx", tmp_path / "b.onnx", None, NullReporter())
    before, after = (numpy_helper.to_array(whole(tmp_path / name).graph.initializer[0]) for name in ("a.onnx", "b.onnx"))
    assert (before != 0).all()
    assert np.count_nonzero(after) == after.size // 2


def test_a_file_may_be_written_where_it_was_read(tmp_path: Path) -> None:
    path = written(tmp_path)
    for way in (save, save_apart, save_apart):
        way(load(path), path)
        assert whole(path) == network()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx.data"]
    save(load(path), path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    model = load(path)
    path.write_bytes(network(opset=14).SerializeToString())
    os.utime(path, ns=(1, 1))
    with pytest.raises(ModelRefused, match="changed while"):
        values.array_of(model.graph.initializer[0])
    with pytest.raises(ModelRefused, match="changed while"):
        save(model, tmp_path / "out.onnx")
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_a_file_cannot_refer_to_what_lies_outside_its_folder(tmp_path: Path) -> None:
    """Not even in the words that a loaded model itself refers with."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 600 * 600 * 4)
    inner = tmp_path / "inner"
    inner.mkdir()
    model = network()
    tensor = model.graph.initializer[0]
    values.refer(tensor, secret, 0, 600 * 600 * 4)
    for entry in tensor.external_data:
        entry.key = entry.key.replace(entry.key.partition(".")[2], "0123456789abcdef") if "." in entry.key else entry.key
    with pytest.raises(ModelRefused, match="outside"):
        load(written(inner, model))


@pytest.mark.parametrize("cut", [1, 1000, 2_000_000])
def test_a_large_file_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    content = network().SerializeToString()[:-cut]
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelRefused, match=f"damaged \\({len(content)} bytes\\)"):
        parse(tmp_path / "m.onnx")


def test_a_large_weight_with_too_few_bytes_is_refused(tmp_path: Path) -> None:
    model = network()
    model.graph.initializer[1].raw_data = model.graph.initializer[1].raw_data[:-8]
    with pytest.raises(ModelRefused, match=r"tensor b of model\.onnx holds 1439992 bytes, its shape needs 1440000"):
        load(written(tmp_path, model))


def test_numbers_that_are_no_raw_data_stay_in_the_model(tmp_path: Path) -> None:
    model = network()
    numbers = numpy_helper.to_array(model.graph.initializer[0])
    model.graph.initializer[0].ClearField("raw_data")
    model.graph.initializer[0].float_data.extend(numbers.reshape(-1).tolist())
    found = load(written(tmp_path, model)).graph.initializer[0]
    assert values.span(found) is None
    np.testing.assert_array_equal(values.array_of(found), numbers)


@pytest.mark.parametrize("apart", [True, False])
def test_a_session_computes_the_same(tmp_path: Path, apart: bool) -> None:
    path = written(tmp_path)
    if apart:
        save_apart(load(path), path)
        os.link(beside(path), tmp_path / "of another stage.data")
    content, folder = for_session(load(path))
    assert (folder == tmp_path) or not apart  # in one file a tensor lies where it happens to
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry(FOLDER_OPTION, str(folder or tmp_path))
    feeds = {"x": np.ones((1, 600), np.float32)}
    ours = onnxruntime.InferenceSession(content, options).run(None, feeds)
    theirs = onnxruntime.InferenceSession(network().SerializeToString()).run(None, feeds)
    np.testing.assert_array_equal(ours[0], theirs[0])


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    path = written(tmp_path)
    assert digest(path) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)


def stages(source: Path, folder: Path) -> list[object]:
    """Every stage that changes a model, each to a file of its own; what they say, and what they refuse."""
    folder.mkdir()
    say = NullReporter()
    facts = inspect(source, {})
    feeds = [random_inputs(facts.inputs, facts.shapes, seed) for seed in range(2)]
    normal, said = folder / "normal.onnx", []

    def attempt(stage: Callable[[], str]) -> None:
        try:
            said.append(stage())
        except EdgetuiError as error:
            said.append(error.what)

    attempt(lambda: normalise(source, normal, facts.shapes, say))
    attempt(lambda: prune(PruneMagnitude(scope="global", amount=0.3), normal, folder / "pruned.onnx", None, say))
    attempt(lambda: int8(QuantizeInt8(), folder / "pruned.onnx", folder / "int8.onnx", feeds, say))
    attempt(lambda: fp16(PrecisionFp16(), normal, folder / "fp16.onnx", feeds, say))
    attempt(lambda: weights(QuantizeWeights(bits=4, grouping="block", block=32), normal, folder / "w4.onnx", say))
    for wish in ("pruned", "int8", "fp16", "w4"):
        for target in ("onnxruntime-x86", "tensorrt"):
            attempt(lambda: lower(folder / f"{wish}.onnx", folder / f"{wish}-{target}.onnx", target, say))  # noqa: B023
    return [msgspec.structs.replace(facts, path=""), *said, *say.warnings, *lint(load(normal), "tensorrt")]


LARGER = [pytest.param(name, marks=pytest.mark.long) for name in ("light_squeezenet", "ultraface_rfb320")]  # 3 s each


@pytest.mark.parametrize("name", ["resnet20_cifar10", *LARGER, *NETWORKS])
def test_every_stage_makes_the_same_of_weights_in_files(
    name: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = LIGHT / f"{name}.onnx" if name.startswith("light") else shared / "models" / f"{name}.onnx"
    if name in NETWORKS:
        source = NETWORKS[name](tmp_path / "source.onnx", 13)
    said = []
    for folder, limit in (("files", 0), ("memory", 1 << 40)):
        monkeypatch.setattr(values, "LEAST_FILE_BYTES", limit)
        said.append(stages(source, tmp_path / folder))
    assert said[0] == said[1]
    assert list((tmp_path / "files").glob("*.data"))
    assert not list((tmp_path / "memory").glob("*.data"))
    made = sorted(file.name for file in (tmp_path / "memory").iterdir())
    assert len(made) >= 4
    assert made == sorted(file.name for file in (tmp_path / "files").glob("*.onnx"))
    for file in made:
        assert whole(tmp_path / "files" / file) == whole(tmp_path / "memory" / file), file


def test_what_an_earlier_version_left_in_one_file_goes_on(tmp_path: Path) -> None:
    """In the cache each stage's model was one file, where a tensor lies at any place."""
    made = []
    for name in ("one", "apart"):
        folder = tmp_path / name
        folder.mkdir()
        path = written(folder)
        if name == "apart":
            save_apart(load(path), path)
        feeds = [{"x": np.random.default_rng(seed).random((1, 600)).astype(np.float32)} for seed in range(4)]
        int8(QuantizeInt8(calibrator="entropy"), path, folder / "int8.onnx", feeds, NullReporter())
        lower(folder / "int8.onnx", folder / "lowered.onnx", "onnxruntime-x86", NullReporter())
        made.append([whole(folder / "int8.onnx"), whole(folder / "lowered.onnx")])
    assert not beside(tmp_path / "one" / "model.onnx").exists()
    assert made[0] == made[1]
