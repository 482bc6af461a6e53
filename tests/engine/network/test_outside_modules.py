"""PyTorch modules from outside: made and exported as they are, with weights that are data, and nothing that is unpickled."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from edgetui.engine.errors import ModelRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.module_sources import Factory, factory, placed

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when PyTorch is loaded: its threads wait for each other on a busy machine
torch = pytest.importorskip("torch", reason="needs torch")

from edgetui.engine.network.outside_modules import made_by, program_of, read_state  # noqa: E402
from edgetui.engine.network.to_onnx import to_onnx  # noqa: E402

NET = """
import torch
import beside

def small():
    return torch.nn.Sequential(torch.nn.Conv2d(1, beside.WIDE, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(108, 5))

def broken():
    raise RuntimeError("no such thing")

def number():
    return 3
"""
IMAGE = (TensorFacts(name="image", dtype="float", shape=(1, 1, 8, 8)),)


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with functions, and one beside it that it imports."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "beside.py").write_text("WIDE = 3\n")
    return str(tmp_path / "net.py")


class Marks:
    """What a pickle runs where it is unpickled: a file is written."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (exec, (f"open({str(self.file)!r}, 'w').close()",))


def test_a_function_is_named_by_its_module_or_its_file(tmp_path, monkeypatch):
    assert factory("net.onnx") is None
    assert factory("separable") is None
    assert factory("a b:c") is None
    assert factory("nets.small:make") == Factory("nets.small", "make")
    assert placed("nets.small:make", tmp_path) == "nets.small:make"
    assert placed("nets/small.py:make", tmp_path) == f"{tmp_path}/nets/small.py:make"
    assert placed("small.pt2", tmp_path) == f"{tmp_path}/small.pt2"
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("raise SystemExit('imported')")
    (tmp_path / "nets" / "small.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert factory("nets.small:make").file == str(tmp_path / "nets" / "small.py")
    assert factory("nets.other:make").file == "nets/other.py"
    assert "nets" not in sys.modules


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none", r"has no function none"),
        ("broken", r"failed \(RuntimeError: no such thing\)"),
        ("number", r"returned int, no torch\.nn\.Module"),
    ],
)
def test_functions_that_make_no_module_are_refused(net, name, said):
    with pytest.raises(ModelRefused, match=said):
        made_by(Factory(net, name), "")


def test_modules_that_cannot_be_imported_are_refused(tmp_path):
    with pytest.raises(ModelRefused, match=r"cannot be imported \(ModuleNotFoundError.*; install it into this Python"):
        made_by(Factory("no_such_package_here.net", "small"), "")
    with pytest.raises(ModelRefused, match="there is no file"):
        made_by(Factory(str(tmp_path / "none.py"), "small"), "")


@pytest.mark.parametrize("form", ["plain", "inside", "parallel"])
def test_a_state_dict_is_read_whatever_stands_around_it(net, tmp_path, form):
    torch.manual_seed(1)
    wanted = made_by(Factory(net, "small"), "").state_dict()
    saved = {f"module.{name}": value for name, value in wanted.items()} if form == "parallel" else dict(wanted)
    torch.save({"state_dict": saved, "epoch": 3} if form == "inside" else saved, tmp_path / "w.pt")
    torch.manual_seed(2)
    found = made_by(Factory(net, "small"), str(tmp_path / "w.pt")).state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())


def test_real_weights_of_others_are_read(shared):
    found = read_state(shared / "models" / "resnet20_cifar10.th")
    assert not any(name.startswith("module.") for name in found)
    assert sum(value.numel() for value in found.values() if value.is_floating_point()) > 270_000


def test_safetensors_are_read_and_cut_ones_refused(net, tmp_path):
    save_file = pytest.importorskip("safetensors.torch", reason="needs torch and safetensors").save_file
    wanted = made_by(Factory(net, "small"), "").state_dict()
    save_file(dict(wanted), tmp_path / "w.safetensors")
    found = made_by(Factory(net, "small"), str(tmp_path / "w.safetensors")).state_dict()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-40])
    with pytest.raises(ModelRefused, match="is no safetensors file"):
        read_state(tmp_path / "cut.safetensors")


def test_weights_that_would_run_code_are_refused_and_not_run(tmp_path):
    torch.save({"w": Marks(tmp_path / "ran")}, tmp_path / "w.pt")
    with pytest.raises(ModelRefused, match=r"holds more than tensors, .*; save `module.state_dict\(\)`"):
        read_state(tmp_path / "w.pt")
    assert not (tmp_path / "ran").exists()


def test_weights_of_another_module_are_refused(net, tmp_path):
    torch.save({"0.weight": torch.zeros(3, 1, 3, 3)}, tmp_path / "w.pt")
    with pytest.raises(ModelRefused, match=r"holds other weights than .*Missing key"):
        made_by(Factory(net, "small"), str(tmp_path / "w.pt"))
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(ModelRefused, match="is no state dict"):
        read_state(tmp_path / "list.pt")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small module with an open batch, as torch.export saves it."""
    file = tmp_path_factory.mktemp("program") / "small.pt2"
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(72, 4)).eval()
    shapes = ({0: torch.export.Dim("batch")},)
    torch.export.save(torch.export.export(module, (torch.zeros(2, 1, 8, 8),), dynamic_shapes=shapes), file)
    return file


def with_member(program: Path, out: Path, end: str, change) -> Path:
    """The archive with the content of members that end so replaced by what `change` makes of it."""
    with zipfile.ZipFile(program) as before, zipfile.ZipFile(out, "w") as after:
        for name in before.namelist():
            after.writestr(name, change(before.read(name)) if name.endswith(end) else before.read(name))
    return out


def test_a_program_is_read(program):
    assert program_of(program).graph_signature.user_inputs


def test_a_program_with_a_pickle_is_refused_and_it_is_not_run(program, tmp_path):
    torch.save((Marks(tmp_path / "ran"),), tmp_path / "evil.pt")
    evil = with_member(program, tmp_path / "e.pt2", "sample_inputs/model.pt", lambda _: (tmp_path / "evil.pt").read_bytes())
    with pytest.raises(ModelRefused, match="cannot be read as an exported program"):
        program_of(evil)
    with zipfile.ZipFile(program) as before, zipfile.ZipFile(tmp_path / "o.pt2", "w") as after:
        for name in before.namelist():
            after.writestr(name, before.read(name))
        after.writestr("small/data/constants/opaque_obj_0", pickle.dumps(Marks(tmp_path / "ran")))
    with pytest.raises(ModelRefused, match="holds an object of Python"):
        program_of(tmp_path / "o.pt2")
    assert not (tmp_path / "ran").exists()
    assert torch.load.__module__ == "torch.serialization"


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "open('ran', 'w')",
        "s77.is_integer",
        "Symbol('s77') if True else exec('')",
        's77 == "a"',
    ],
)
def test_a_program_with_conditions_that_are_code_is_refused(program, tmp_path, text):
    def changed(data: bytes) -> bytes:
        return json.dumps({**json.loads(data), "guards_code": [text]}).encode()

    with pytest.raises(ModelRefused, match="a condition that PyTorch would run as code"):
        program_of(with_member(program, tmp_path / "e.pt2", "models/model.json", changed))


def test_what_is_no_program_is_refused(tmp_path):
    (tmp_path / "no.pt2").write_bytes(b"nothing of that kind")
    with pytest.raises(ModelRefused, match="is no exported program"):
        program_of(tmp_path / "no.pt2")
    with zipfile.ZipFile(tmp_path / "empty.pt2", "w") as out:
        out.writestr("a/b.txt", "c")
    with pytest.raises(ModelRefused, match="cannot be read as an exported program") as refused:
        program_of(tmp_path / "empty.pt2")
    assert "warnings above" not in str(refused.value), "nobody sees what PyTorch logs"


@pytest.mark.long
def test_the_export_has_the_names_that_were_asked_for_and_gives_what_the_module_gives(net, tmp_path):
    to_onnx(f"{net}:small", "", IMAGE, ["logits"], tmp_path / "a.onnx", seed=5)
    to_onnx(f"{net}:small", "", IMAGE, ["logits"], tmp_path / "b.onnx", seed=5)
    torch.manual_seed(5)
    module, image = made_by(Factory(net, "small"), ""), np.random.default_rng(1).random((1, 1, 8, 8), np.float32)
    for name in ("a.onnx", "b.onnx"):
        (found,) = ort.InferenceSession(str(tmp_path / name)).run(["logits"], {"image": image})
        np.testing.assert_allclose(found, module(torch.from_numpy(image)).detach().numpy(), atol=1e-5)


@pytest.mark.long
def test_a_program_becomes_a_model_with_its_batch_open(program, tmp_path):
    to_onnx(str(program), "", (), (), tmp_path / "a.onnx")
    session = ort.InferenceSession(str(tmp_path / "a.onnx"))
    image = np.random.default_rng(1).random((3, 1, 8, 8), np.float32)
    (found,) = session.run(None, {session.get_inputs()[0].name: image})
    np.testing.assert_allclose(found, program_of(program).module()(torch.from_numpy(image)).detach().numpy(), atol=1e-5)


def test_shapes_that_the_module_does_not_take_are_refused(net, tmp_path):
    wrong = (TensorFacts(name="image", dtype="float", shape=(1, 3, 8, 8)),)
    with pytest.raises(ModelRefused, match=r"PyTorch cannot export .*net\.py:small to ONNX"):
        to_onnx(f"{net}:small", "", wrong, (), tmp_path / "a.onnx")
    with pytest.raises(ModelRefused, match=r"is no factory and no \.pt2 file"):
        to_onnx("something", "", IMAGE, (), tmp_path / "a.onnx")
