"""Models, recipes, configurations and data with a few bytes or fields changed are read, or refused in words."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
import zoo
from edgetui.engine.config import PACKAGE, load_config
from edgetui.engine.data.fingerprint import fingerprint
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused, EdgetuiError, ModelRefused, RecipeRefused
from edgetui.engine.graph.load import load, parse
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.library.recipes import read_recipe, recipe_toml
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.reporter import NullReporter
from mutations import NO_UTF8, bytes_changed, lines_changed, model_changed

RECIPE = PACKAGE / "profiles" / "recipes" / "prune-30-int8.toml"
DESCRIBED = (
    b'kind = "npz"\npath = "a.npz"\ncalibration = "a.npz"\n[input]\nsize = [4, 4]\nlayout = "NCHW"\nscale = 255\nstd = [0.2]\n'
)
INPUT = TensorFacts(name="x", dtype="float", shape=(1, 3, 4, 4))


def accepted(attempt) -> bool:
    """Whether `attempt` went through (a refusal without words would say so too); what is no refusal goes on as it is."""
    try:
        attempt()
    except EdgetuiError as error:
        return not (error.what and error.fix)
    return True


@pytest.mark.parametrize("make", [zoo.masked_encoder, zoo.recurrent, zoo.grouped, zoo.detector])
def test_changed_models(tmp_path: Path, make) -> None:
    data, file = make(tmp_path / "m.onnx", 17).read_bytes(), tmp_path / "changed.onnx"
    through = []
    for seed in range(60):
        file.write_bytes(model_changed(data, random.Random(seed)))
        through.append(accepted(lambda: inspect(file, {})))
    assert any(through)
    assert not all(through)


def archive() -> bytes:
    made = io.BytesIO()
    np.savez(made, x=np.random.default_rng(0).random((6, 3, 4, 4), np.float32), labels=np.arange(6) % 3)
    return made.getvalue()


def opened(path: Path) -> None:
    dataset = read_dataset(str(path), {})
    fingerprint(dataset)
    for part in ("calibration", "evaluation"):
        samples = open_samples(dataset, (INPUT,), {"x": (1, 3, 4, 4)}, part, 0, NullReporter())
        list(samples.batches(1, padded=True))


def test_changed_arrays(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    through = []
    for seed in range(300):
        file.write_bytes(bytes_changed(archive(), random.Random(seed)))
        through.append(accepted(lambda: opened(file)))
    assert any(through)
    assert not all(through)


@pytest.mark.parametrize("kind", ["recipe", "dataset", "configuration"])
def test_changed_toml(tmp_path: Path, monkeypatch, kind: str) -> None:
    (tmp_path / "a.npz").write_bytes(archive())
    file = tmp_path / "x.toml"
    monkeypatch.setenv("EDGETUI_CONFIG", str(file))
    content, read = {
        "recipe": (RECIPE.read_bytes(), lambda: recipe_toml(read_recipe(file))),
        "dataset": (DESCRIBED, lambda: opened(file)),
        "configuration": ((PACKAGE / "edgetui.toml").read_bytes(), load_config),
    }[kind]
    through = []
    for seed in range(200):
        file.write_bytes(lines_changed(content, random.Random(seed)))
        through.append(accepted(read))
    assert any(through)
    assert not all(through)


def with_attribute(tmp_path: Path, **attributes) -> Path:
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Transpose", ["x"], ["y"], name="turn", **attributes)],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [2, 3])],
        [onnx.helper.make_tensor_value_info("y", 1, [3, 2])],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(onnx.helper.make_model(graph, ir_version=8).SerializeToString())
    return path


def test_an_attribute_of_another_type_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"node turn .* holds text in its attribute `perm`, and takes whole numbers"):
        parse(with_attribute(tmp_path, perm="01"))
    assert load(with_attribute(tmp_path, perm=[1, 0])).graph.node


def test_a_node_with_too_few_inputs_is_named(tmp_path: Path) -> None:
    path = with_attribute(tmp_path)
    model = onnx.load(path)
    del model.graph.node[0].input[:]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused, match=r"node turn .* has 0 inputs, and takes 1"):
        parse(path)


def test_a_name_that_is_no_text_is_said(tmp_path: Path) -> None:
    path = with_attribute(tmp_path)
    model = onnx.load(path)
    model.graph.node[0].MergeFromString(bytes([3 << 3 | 2, len(NO_UTF8)]) + NO_UTF8)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused, match="not UTF-8"):
        parse(path)


@pytest.mark.parametrize("suffix", [".npz", ".zip", ".toml", ""])
def test_a_pipe_or_a_device_is_no_dataset(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"pipe{suffix}")
    with pytest.raises(DataRefused, match="a pipe"):
        read_dataset(str(tmp_path / f"pipe{suffix}"), {})
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    with pytest.raises(DataRefused, match="a device"):
        read_dataset(str(tmp_path / f"zero{suffix}"), {})


@pytest.mark.parametrize("key", ["path", "calibration"])
@pytest.mark.parametrize("where", ["/dev/zero", "pipe", "a\\u0000b"])
def test_neither_is_what_a_description_names(tmp_path: Path, key: str, where: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.npz").write_bytes(archive())
    file = tmp_path / "d.toml"
    others = {"path": "a.npz", "calibration": "a.npz"} | {key: where}
    file.write_text('kind = "npz"\n' + "".join(f'{name} = "{value}"\n' for name, value in others.items()))
    with pytest.raises(DataRefused, match=r"device|pipe|NUL"):
        read_dataset(str(file), {})


def test_nor_a_recipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "r.toml")
    with pytest.raises(RecipeRefused, match="a pipe"):
        read_recipe(tmp_path / "r.toml")


def test_a_number_without_an_end_has_words(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(f'[[step]]\nmethod = "prune.magnitude"\namount = {"9" * 400}\n')
    with pytest.raises(RecipeRefused, match="is not valid"):
        read_recipe(tmp_path / "r.toml")
