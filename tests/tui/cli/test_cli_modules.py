"""MODEL may be a PyTorch module: a function that edgetui.toml names, or a `.pt2` file; what cannot be one is refused."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

NET = """
import torch

def small():
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 5))
"""
TABLE = """
[factories.mine]
make = "net.py:small"
inputs = { image = [1, 1, 8, 8] }
outputs = ["logits"]
"""


@pytest.fixture
def factories(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "edgetui.toml").write_text(TABLE)
    monkeypatch.setenv("EDGETUI_CONFIG", str(tmp_path / "edgetui.toml"))
    return tmp_path


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_a_function_is_inspected_as_the_model_that_it_makes_and_exported_once(tell, factories, own_state):
    said = tell("inspect", "mine", "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts["inputs"] == [{"name": "image", "dtype": "float", "shape": [1, 1, 8, 8]}]
    assert [each["name"] for each in facts["outputs"]] == ["logits"]
    (file,) = (own_state / "models").iterdir()
    written = file.stat().st_mtime_ns
    assert tell("inspect", "mine", "--json").out == said.out
    assert file.stat().st_mtime_ns == written
    (factories / "net.py").write_text(NET.replace("72, 5", "72, 6"))
    assert json.loads(tell("inspect", "mine", "--json").out)["outputs"][0]["shape"] == [1, 6]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs torch")
def test_what_is_no_module_is_one_line(tell, factories, tmp_path):
    (tmp_path / "no.pt2").write_bytes(b"nothing of that kind")
    said = tell("inspect", str(tmp_path / "no.pt2"))
    assert (said.code, said.err.count("\n")) == (1, 1)
    assert "is no exported program" in said.err
    (factories / "net.py").unlink()
    said = tell("inspect", "mine")
    assert said.code == 1
    assert f"cannot read the model {factories}/net.py" in said.err


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="needs a Python without torch")
def test_without_pytorch_it_says_what_to_install(tell, factories):
    said = tell("inspect", "mine")
    assert said.code == 1
    assert "PyTorch is not here; pip install 'edgetui[train]'" in said.err


def test_a_table_that_is_not_valid_names_its_key(tell, factories):
    (factories / "edgetui.toml").write_text(TABLE.replace("outputs", "output"))
    said = tell("config")
    assert said.code == 1
    assert "output" in said.err
