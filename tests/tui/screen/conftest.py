"""A home with one small model, and a run of it in files as a supervisor leaves them; a machine without sensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from edgetui.engine import events as ev
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Models
from edgetui.engine.result import (
    Accuracy,
    DatasetStamp,
    Difference,
    Failure,
    Fidelity,
    Latency,
    MemoryMb,
    Metrics,
    ModelFacts,
    Ratio,
    RecipeStamp,
    Result,
)
from edgetui.engine.rundir import Asked, RunDir, create
from edgetui.engine.spec import PruneMagnitude, QuantizeWeights, Recipe, RunSpec
from edgetui.tui.app import Workbench

STAGES = ("inspect", "normalise", "prune.magnitude", "quantize.weights", "lower", "build", "verify", "measure")
RECIPE = Recipe(name="both", title="Prune, then 8 bits", step=(PruneMagnitude(amount=0.3), QuantizeWeights()))


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
def app(config: Config, engine: Engine) -> Workbench:
    return Workbench(config, engine)


def went(*, to: str = "done") -> list[ev.AnyEvent]:
    """The events of a run up to the middle of measuring, or to its end."""
    said: list[ev.AnyEvent] = [ev.RunBegan(stages=STAGES, pid=1)]
    for n, stage in enumerate(STAGES):
        said.append(ev.StageBegan(stage=stage, eta_s=20.0 if stage == "measure" else None))
        if stage == "measure":
            for k in range(40):
                said.append(ev.Reading(side="baseline", latency_ms=2.4 + 0.1 * (k % 5), mean_ms=2.5, half_width=0.03, samples=9 * k))
                said.append(ev.Reading(side="candidate", latency_ms=1.1 + 0.05 * (k % 7), mean_ms=1.2, half_width=0.02, samples=9 * k))
            said.append(ev.Note(stage="measure", level="warning", text="clocks are floating"))
            if to == "measure":
                said.append(ev.Progress(stage="measure", done=19, total=28, text="pairs"))
                break
            if to == "failed":
                said.append(ev.StageFailed(stage="measure", what="it was killed", fix="give it more memory"))
                said.append(ev.RunEnded(state="failed"))
                break
        said.append(ev.StageEnded(stage=stage, seconds=0.4 + n, summary=f"{stage} is done", cached=stage == "normalise"))
    else:
        said.append(ev.RunEnded(state="done"))
    return [msgspec.structs.replace(event, n=n, t=n / 10) for n, event in enumerate(said, 1)]


def metrics(ms: float, size: int, top1: float) -> Metrics:
    latency = Latency(mean=ms, half_width=ms / 50, p50=ms * 0.99, p90=ms * 1.1, min=ms / 2, max=ms * 3, sd=ms / 9, n=640)
    return Metrics(
        size_bytes=size,
        latency_ms=latency,
        fps=1000 / ms,
        load_ms=11.5,
        first_ms=3.1,
        memory_mb=MemoryMb(process_peak=84.0),
        accuracy=Accuracy(top1=top1, f1=top1, n=500),
    )


def outcome(run: str, model: Path, state: str = "done") -> Result:
    ended = state == "done"
    return Result(
        run=run,
        state=state,
        model=ModelFacts(name="tiny", path=str(model), sha256="a" * 64, size_bytes=1200, parameters=200, nonzero=200),
        recipe=RecipeStamp(name=RECIPE.name),
        dataset=DatasetStamp(name="shapes", evaluated=500),
        baseline=metrics(2.5, 1200, 0.81) if ended else Metrics(),
        candidate=metrics(1.2, 400, 0.80) if ended else Metrics(),
        difference=Difference(latency_ratio=Ratio(value=0.48, low=0.47, high=0.49, interleaved=True), size_ratio=0.333)
        if ended
        else Difference(),
        verdict={"latency": "faster", "size": "smaller", "accuracy": "no difference shown"} if ended else {},
        fidelity=Fidelity(offset_rate=0.01, offset_rate_abs=0.019, cosine=0.9991, sqnr_db=24.8, samples=500) if ended else Fidelity(),
        warnings=("clocks are floating",),
        error=None if ended else Failure(stage="measure", what="it was killed", fix="give it more memory"),
    )


@pytest.fixture
def past_run(own_state: Path, model: Path) -> Callable[..., str]:
    """Write a run folder; `to`: done, failed, or measure (crashed there, for nobody holds its lock)."""
    made: list[str] = []

    def write(to: str = "done", said: Sequence[ev.AnyEvent] | None = None) -> str:
        n = len(made) + 1
        asked = Asked(
            run=f"20261120-231{n}-tiny-both",
            ticket=n,
            wall=f"2026-11-20T23:1{n}:00+00:00",
            edgetui="0",
            python="python",
            model_sha256="a" * 64,
            spec=RunSpec(model=str(model), recipe=RECIPE, preset="quick"),
        )
        folder: RunDir = create(own_state, asked)
        lines = [ev.encode(event) + b"\n" for event in (went(to=to) if said is None else said)]
        (folder.path / "events.jsonl").write_bytes(b"".join(lines))
        (folder.path / "log.txt").write_text("a tool said this\n")
        if to in ("done", "failed"):
            folder.write_result(outcome(asked.run, model, to))
        made.append(asked.run)
        return asked.run

    return write
