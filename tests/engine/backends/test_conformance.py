"""What every backend must do, and the same for all: check, build, load, run, time, close; refuse what does not fit; end.

A new adapter is entered in `KITS`. TensorRT is there as a fake of each generation that executes with ONNX Runtime, in this
process and in those that build; so is `trtexec`. `make test` has one kit of each sort, `make test-long` the others, whose
builds, and of `trtexec` every inference, are processes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import fake_gpu
import fake_tensorrt
import fake_trtexec
import msgspec
import numpy as np
import pytest
from edgetui.engine.backends.base import Backend, Session
from edgetui.engine.backends.cards import CARDS, lowerings, open_backend
from edgetui.engine.errors import BackendRefused, DataRefused, EdgetuiError, PlanRefused
from edgetui.engine.schema.settings import BackendSettings, TorchSettings
from edgetui.engine.schema.steps import QuantizeInt8, Recipe
from edgetui.engine.system.reporter import NullReporter
from networks import lstm
from steps import lowered

Patch = pytest.MonkeyPatch
OF_TENSORRT = BackendSettings(name="tensorrt")


@dataclass
class Kit:
    """A backend that is made to be here, and how it is taken away again."""

    settings: BackendSettings
    here: Callable[[Patch, Path], None] = lambda patch, folder: None
    gone: Callable[[Patch, Path], None] = lambda patch, folder: None
    digits: float = 1e-5
    """Share of the largest value by which outputs may differ from ONNX Runtime's on the same file."""
    environment: dict[str, str] = field(default_factory=dict)


def tensorrt(generation: str) -> Kit:
    def here(patch: Patch, folder: Path) -> None:
        fake_gpu.here(patch, generation)
        fake_gpu.elsewhere(patch, folder / "site", generation)

    def gone(patch: Patch, folder: Path) -> None:
        for module in fake_gpu.MODULES:
            patch.setitem(sys.modules, module, None)
        patch.setenv("EDGETUI_ROOT", str(folder / "nowhere"))
        patch.setenv("PATH", "/usr/bin:/bin")

    return Kit(OF_TENSORRT, here, gone)


def trtexec(number: str, words: str) -> Kit:
    def here(patch: Patch, folder: Path) -> None:
        root = folder / "root"
        fake_trtexec.install(root / "usr/src/tensorrt/bin", number, words)
        (root / "dev").mkdir()
        (root / "dev/nvhost-gpu").touch()
        patch.setenv("EDGETUI_ROOT", str(root))
        patch.setenv("PATH", "/usr/bin:/bin")
        for module in fake_gpu.MODULES:
            patch.setitem(sys.modules, module, None)

    return Kit(OF_TENSORRT, here, lambda patch, folder: (folder / "root/dev/nvhost-gpu").unlink(), digits=1e-4)


def without(module: str) -> Callable[[Patch, Path], None]:
    return lambda patch, folder: patch.setitem(sys.modules, module, None)


def has_torch(patch: Patch, folder: Path) -> None:
    pytest.importorskip("torch", reason="needs torch")


KITS = {
    "onnxruntime": Kit(BackendSettings(threads=1), gone=without("onnxruntime")),
    "torch": Kit(BackendSettings(name="torch", torch=TorchSettings(device="cpu", threads=1)), has_torch, without("torch")),
    **{f"tensorrt {generation}": tensorrt(generation) for generation in fake_tensorrt.GENERATIONS},
    "trtexec 8.5": trtexec("8502", fake_trtexec.OLD),
    "trtexec 10.3": trtexec("100300", fake_trtexec.NEW),
}


SHORT = ("onnxruntime", "torch", "tensorrt 10.3")


@pytest.fixture(params=[pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in KITS])
def kit(request: pytest.FixtureRequest, monkeypatch: Patch, tmp_path: Path) -> Kit:
    kit: Kit = KITS[request.param]
    kit.here(monkeypatch, tmp_path)
    return kit


@pytest.fixture
def backend(kit: Kit, tmp_path: Path) -> Backend:
    return open_backend(kit.settings, tmp_path / "home")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """An LSTM calibrated for INT8, lowered for a target."""
    folder = tmp_path_factory.mktemp("models")
    made: dict[str, Path] = {}

    def model(target: str) -> Path:
        if target not in made:
            (folder / target).mkdir()
            steps = (QuantizeInt8(calibrator="minmax"),)
            made[target] = lowered(lstm(folder / target / "lstm.onnx"), Recipe(step=steps), folder / target, target)
        return made[target]

    return model


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each kit's plan is kept, with what lies beside it, once it has been built."""
    return tmp_path_factory.mktemp("built")


@pytest.fixture
def plan(
    kit: Kit, backend: Backend, models: Callable[[str], Path], built: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> Path:
    kept, own = built / request.node.callspec.params["kit"], tmp_path / "plan"
    if not kept.is_dir():
        made = built / "made"
        made.mkdir(exist_ok=True)
        backend.build(models(backend.target()), made / f"plan{backend.suffix}", kit.settings, NullReporter())
        made.rename(kept)
    shutil.copytree(kept, own)
    return own / f"plan{backend.suffix}"


@pytest.fixture
def session(kit: Kit, backend: Backend, plan: Path):
    session = backend.load(plan, kit.settings)
    yield session
    session.close()


def feeds(seed: int = 0) -> dict[str, np.ndarray]:
    return {"sequence": np.random.default_rng(seed).standard_normal((12, 1, 16)).astype(np.float32)}


def test_every_backend_has_a_kit():
    assert {kit.settings.name for kit in KITS.values()} == set(CARDS)


def test_what_is_here_passes_the_check_and_says_what_it_is(kit, backend):
    backend.check(kit.settings, execute=True)
    stamp = backend.stamp(kit.settings)
    assert stamp.name == backend.name == kit.settings.name
    assert stamp.version
    assert backend.target() in lowerings()
    assert CARDS[backend.name].line(kit.settings).startswith(backend.name)


def test_a_plan_is_one_of_its_backend_and_is_described_without_being_loaded(backend, plan):
    told = backend.describe(plan)
    assert (told.name, told.backend, told.size_bytes) == (plan.name, backend.name, plan.stat().st_size)
    assert plan.suffix == backend.suffix


def test_a_plan_of_this_machine_is_not_refused_and_one_that_is_gone_is(kit, backend, plan):
    backend.refuse_plan(plan, kit.settings)
    plan.unlink()
    with pytest.raises(PlanRefused, match="not there"):
        backend.refuse_plan(plan, kit.settings)


def test_it_computes_what_onnx_runtime_computes_of_its_file(kit, backend, session, models):
    reference = open_backend(BackendSettings(threads=1, graph="basic"), Path()).load(
        models(backend.target()), BackendSettings(threads=1, graph="basic")
    )
    for seed in range(3):
        outputs, expected = session.run(feeds(seed)), reference.run(feeds(seed))
        assert outputs.keys() == expected.keys()
        for name, array in expected.items():
            assert outputs[name].shape == array.shape
            assert np.abs(outputs[name] - array).max() <= kit.digits * np.abs(array).max()
    reference.close()


def test_inputs_and_outputs_are_told(session):
    assert [(tensor.name, tensor.shape) for tensor in session.inputs] == [("sequence", (12, 1, 16))]
    assert [tensor.shape for tensor in session.outputs] == [(1, 3)]


def test_outputs_are_fresh_arrays(session):
    first = session.run(feeds(0))
    kept = {name: array.copy() for name, array in first.items()}
    session.run(feeds(1))
    assert all(np.array_equal(first[name], array) for name, array in kept.items())


def test_a_timed_call_infers_again_and_again(session):
    once = session.timed(feeds())
    for _ in range(3):
        assert once() is None
    assert isinstance(session.remark, str)
    device_ms = session.device_ms()
    assert device_ms is None or device_ms > 0


def test_a_session_out_of_process_times_itself_and_no_other_does(backend, session):
    block = session.blocks(feeds())
    assert (block is not None) is backend.out_of_process
    if block is not None:
        times = block(1.0)
        assert times.dtype == np.int64
        assert (times > 0).all()


def test_figures_that_a_backend_cannot_tell_are_none(session):
    size = session.plan_bytes()
    assert size is None or size >= 0
    assert session.max_concurrency >= 1
    assert isinstance(session.layers(), tuple)


def test_a_cooperative_session_computes_the_same(kit, backend, plan, session):
    other = backend.load(plan, kit.settings, cooperative=True)
    for name, array in session.run(feeds()).items():
        assert np.allclose(other.run(feeds())[name], array, rtol=1e-6)
    other.close()


WRONG = {
    "missing": {},
    "another name": {"sequences": feeds()["sequence"]},
    "extra": {**feeds(), "more": np.zeros(1, np.float32)},
    "shape": {"sequence": np.zeros((1, 12, 16), np.float32)},
    "rank": {"sequence": np.zeros((12, 16), np.float32)},
    "type": {"sequence": np.zeros((12, 1, 16), np.complex64)},
    "texts": {"sequence": np.full((12, 1, 16), "a")},
}


@pytest.mark.parametrize("how", WRONG)
def test_arrays_that_do_not_fit_are_refused_and_the_session_goes_on(how, session):
    for use in (session.run, session.timed):
        with pytest.raises(DataRefused):
            use(WRONG[how])
    assert session.run(feeds())


def test_a_closed_session_is_closed_again_and_refuses_to_run(session: Session):
    session.run(feeds())
    session.close()
    session.close()
    for use in (session.run, session.timed):
        with pytest.raises(BackendRefused, match="closed"):
            use(feeds())


def test_what_is_not_here_is_refused_before_any_work(kit, tmp_path, monkeypatch):
    kit.gone(monkeypatch, tmp_path)
    with pytest.raises(BackendRefused) as refused:
        open_backend(kit.settings, tmp_path / "home").check(kit.settings, execute=True)
    assert refused.value.fix


def test_what_cannot_be_built_is_refused_and_leaves_no_plan(kit, backend, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model at all")
    out = tmp_path / f"plan{backend.suffix}"
    with pytest.raises(EdgetuiError) as refused:
        backend.build(tmp_path / "m.onnx", out, kit.settings, NullReporter())
    assert refused.value.fix
    assert not out.exists()


@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "another file"])
def test_a_plan_that_was_damaged_is_refused(damage, kit, backend, plan):
    content = plan.read_bytes()
    if damage == "gone":
        plan.unlink()
    else:
        plan.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "another file": b"PK" + bytes(4000)}[damage])
    with pytest.raises(PlanRefused) as refused:
        backend.load(plan, kit.settings)
    assert refused.value.fix


BUILD = """
import sys, msgspec
from pathlib import Path
from edgetui.engine.backends.cards import open_backend
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.system.reporter import NullReporter

class Slow(NullReporter):
    def note(self, text):
        print("building", flush=True)
        sys.stdin.readline()

settings = msgspec.json.decode(sys.argv[1], type=BackendSettings)
open_backend(settings, Path(sys.argv[4])).build(Path(sys.argv[2]), Path(sys.argv[3]), settings, Slow())
"""


def test_a_build_ends_when_it_is_told_to_and_leaves_no_plan(kit, backend, models, tmp_path):
    out = tmp_path / f"plan{backend.suffix}"
    words = [msgspec.json.encode(kit.settings).decode(), str(models(backend.target())), str(out), str(tmp_path / "home")]
    argv = [sys.executable, "-c", BUILD, *words]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ.copy(), text=True, start_new_session=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "building\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == -signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
    assert not out.is_file() or not out.stat().st_size
