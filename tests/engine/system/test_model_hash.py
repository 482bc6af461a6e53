"""What makes a model another one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.library.models import model_hash
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """A model whose weights lie in a folder below its own; returns the model."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 64]) for name in "xy"]
    held = [numpy_helper.from_array(np.ones((64, 64), np.float32), "w")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", values[:1], values[1:], held)
    (tmp_path / "data").mkdir()
    where = "data/" + "w" * 140 + ".bin"  # a length of two bytes
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), path, save_as_external_data=True, location=where, size_threshold=0)
    return path


def test_weights_in_a_folder_below_count(beside: Path) -> None:
    before = model_hash(beside)
    (data,) = (beside.parent / "data").iterdir()
    os.utime(data, ns=(1, 1))
    assert model_hash(beside) != before
    data.unlink()
    assert model_hash(beside) != before


def test_what_else_lies_beside_does_not(beside: Path) -> None:
    before = model_hash(beside)
    (beside.parent / "notes.txt").write_text("mine")
    assert model_hash(beside) == before


def test_every_byte_counts(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    hashes = set()
    for content in (b"", b"a", b"b", b"\n\x08location\x12"):
        path.write_bytes(content)
        hashes.add(model_hash(path))
    assert len(hashes) == 4


def test_a_model_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="cannot read the model"):
        model_hash(tmp_path / "none.onnx")


@pytest.mark.parametrize("before", [0, 1, 12, 13, 14, 40, 5000])
def test_names_of_external_files_are_found_across_the_parts_that_a_file_is_read_in(tmp_path: Path, before: int) -> None:
    path, weights = tmp_path / "large.onnx", tmp_path / ("w" * 200)
    weights.write_bytes(b"1")
    entry = b"\x0a\x08location\x12\xc8\x01" + b"w" * 200
    path.write_bytes(bytes((1 << 20) - before) + entry + bytes(100))
    first = model_hash(path)
    weights.write_bytes(b"22")
    assert model_hash(path) != first
