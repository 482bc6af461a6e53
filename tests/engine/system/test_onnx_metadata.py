"""Metadata of an ONNX file, read and added without parsing the model."""

from __future__ import annotations

import contextlib
from pathlib import Path

import onnx
import pytest
from edgetui.engine.system.onnx_metadata import add_metadata, read_metadata
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper


def saved(folder: Path, props: dict[str, str]) -> Path:
    model = helper.make_model(
        helper.make_graph([], "g", [], []), producer_name="tests", opset_imports=[helper.make_opsetid("", 17)]
    )
    helper.set_model_props(model, props)
    path = folder / "m.onnx"
    onnx.save(model, path)
    return path


TEXTS = st.dictionaries(st.text(max_size=20), st.text(max_size=300), max_size=4)


@given(TEXTS, TEXTS)
def test_what_is_added_stands_beside_what_was_there(tmp_path_factory, before, added):
    path = saved(tmp_path_factory.mktemp("m"), before)
    add_metadata(path, added)
    assert read_metadata(path) == before | added
    model = onnx.load(path)
    assert {prop.key: prop.value for prop in model.metadata_props} == before | added
    assert (model.producer_name, model.graph.name) == ("tests", "g")


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused_but_never_worse(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("m") / "x"
    path.write_bytes(data)
    with contextlib.suppress(ValueError):
        assert isinstance(read_metadata(path), dict)


def test_a_cut_file_is_told_from_a_whole_one(tmp_path):
    path = saved(tmp_path, {"a": "b" * 100})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ValueError, match="ends within a field"):
        read_metadata(path)
