"""A home with one small model, and a run of it in files as a supervisor leaves them; a machine without sensors."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.client import Telemetry
from edgetui.engine.telemetry.source_choice import choose
from edgetui.engine.telemetry.sources.source import SourceRefused
from edgetui.tui.app import EdgetuiApp
from laid_boards import lay_out_board
from told_runs import RECIPE, outcome, went
from told_searches import answered, searched
from told_sweeps import swept


@pytest.fixture(autouse=True)
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sensors, a home of our own, a terminal with all colours."""
    (tmp_path / "machine").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "machine"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("NO_COLOR", "COLORFGBG", "LC_ALL", "LC_CTYPE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_sampler_of_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the bare machine what a sampler leaves when it finds no sensor is there without one: 0.2 s a test."""
    bare, start = tmp_path / "machine", Telemetry._start

    def start_or_refuse(telemetry: Telemetry) -> None:
        if os.environ["EDGETUI_ROOT"] != str(bare) or any(bare.iterdir()):
            return start(telemetry)
        try:
            choose(telemetry._asked, Files()).source.close()
        except SourceRefused as why:
            telemetry._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (telemetry._folder / "problem").write_bytes(msgspec.json.encode(why.refusal))
            return None
        return start(telemetry)

    monkeypatch.setattr(Telemetry, "_start", start_or_refuse)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network of one convolution and one matrix, 212 parameters, a free batch axis."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel = np.linspace(-1, 1, 72, dtype=np.float32).reshape(8, 1, 3, 3) ** 3
    matrix = np.linspace(-0.5, 0.5, 128, dtype=np.float32).reshape(8, 16)[:, :16]
    bias = np.zeros(12, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["image", "kernel"], ["conv"], "conv", pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["relu"], "relu"),
            helper.make_node("GlobalAveragePool", ["relu"], ["pool"], "pool"),
            helper.make_node("Flatten", ["pool"], ["flat"], "flat"),
            helper.make_node("Gemm", ["flat", "matrix"], ["logits"], "gemm"),
        ],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 16])],
        [numpy_helper.from_array(array, name) for name, array in (("kernel", kernel), ("matrix", matrix), ("bias", bias))][:2],
    )
    folder = tmp_path / "home" / "models"
    folder.mkdir()
    path = folder / "tiny.onnx"
    onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)]), path)
    (folder / "zz-broken.onnx").write_bytes(b"this is no ONNX file, but long enough to have a size in the list")
    return path


@pytest.fixture
def config(model: Path) -> Config:
    return Config(models=Models(folders=("~/models",)))


@pytest.fixture
def engine(config: Config, own_state: Path) -> Engine:
    return Engine(config, own_state)


@pytest.fixture
def app(config: Config, engine: Engine) -> EdgetuiApp:
    return EdgetuiApp(config, engine)


@pytest.fixture
def bare_app(own_state: Path) -> EdgetuiApp:
    """Without a model folder: nothing is read in other processes, so it is quick."""
    config = Config()
    return EdgetuiApp(config, Engine(config, own_state))


@pytest.fixture
def past_run(own_state: Path, tmp_path: Path) -> Callable[..., str]:
    """Write a run folder; `to`: done, failed, or measure (crashed there, for nobody holds its lock)."""
    made: list[str] = []

    def write(to: str = "done", model: Path = tmp_path / "gone" / "tiny.onnx") -> str:
        n = len(made) + 1
        asked = RunRequest(
            run=f"20261120-231{n}-tiny-both",
            ticket=n,
            wall=f"2026-11-20T23:1{n}:00+00:00",
            edgetui="0",
            python="python",
            model_sha256="a" * 64,
            spec=RunSpec(model=str(model), recipe=RECIPE, preset="quick"),
        )
        folder: RunDir = create(own_state, asked)
        lines = [ev.encode(event) + b"\n" for event in went(to=to)]
        (folder.path / "events.jsonl").write_bytes(b"".join(lines))
        (folder.path / "log.txt").write_text("a tool said this\n")
        if to in ("done", "failed"):
            folder.write_result(outcome(asked.run, model, to))
        made.append(asked.run)
        return asked.run

    return write


@pytest.fixture
def full_home(
    shared: Path, tmp_path: Path, own_state: Path, model: Path, past_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> RunDir:
    """A board with sensors, and of everything that can be listed some; returns the run that is going."""
    for name, value in lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1].items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("EDGETUI_FLEET", str(tmp_path / "none.toml"))
    monkeypatch.chdir(tmp_path / "home")  # what is written where it was started
    runs = [past_run(to, model) for to in ("done", "failed", "measure", "done", "measure")]
    answered(searched(own_state))
    swept(own_state)
    rng = np.random.default_rng(0)
    np.savez("some.npz", image=rng.random((6, 1, 8, 8), np.float32), labels=np.arange(6) % 3)
    return RunDir(own_state / "runs" / runs[-1])
