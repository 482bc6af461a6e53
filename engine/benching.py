"""One model or plan timed alone: what `edgetui bench` asks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .backends import trt_manifest
from .backends.base import Backend
from .errors import PlanRefused
from .measure.inputs import made_up
from .measure.paired import measure
from .measure.probe import probe
from .pipeline import backend, open_axes
from .questions import BenchQuestion
from .result import Metrics
from .say import Say

if TYPE_CHECKING:
    from .backends.base import Feeds


def bench(home: Path, question: BenchQuestion, say: Say) -> Metrics:
    """Time one model or plan alone. A model is built first where the backend does not run it as it is.

    Raises:
        ModelRefused: an axis needs a size.
        PlanRefused: the file is no plan for this machine.
        BackendRefused: the backend cannot run here.
    """
    path, engine = Path(question.model), backend(question.backend, home)
    engine.check(question.backend, execute=True)
    if path.suffix in trt_manifest.SUFFIXES:
        return _bench_plan(path, engine, question, say)
    from .graph.inspect import inspect
    from .graph.normalise import settled_only

    facts = inspect(path, question.shapes)
    if facts.open_axes:
        raise open_axes(facts)
    feeds = made_up(facts.inputs, facts.shapes, question.seed)
    known = Metrics(size_bytes=facts.size_bytes, parameters=facts.parameters, nonzero=facts.nonzero, macs=facts.macs)
    if engine.name == "onnxruntime":
        return _timed(engine, path, feeds, question, known, say)
    with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
        settled, plan = Path(folder) / "model.onnx", Path(folder) / f"model{engine.suffix}"
        settled_only(path, settled, facts.shapes)
        engine.build(settled, plan, question.backend, say)
        return _timed(engine, plan, feeds, question, msgspec.structs.replace(known, plan_bytes=plan.stat().st_size), say)


def _bench_plan(plan: Path, engine: Backend, question: BenchQuestion, say: Say) -> Metrics:
    if engine.name != "tensorrt":
        raise PlanRefused(f"{plan.name} is a plan of TensorRT", fix="add --backend tensorrt")
    manifest = trt_manifest.read(plan)
    if manifest is not None:
        inputs = manifest.inputs
    else:
        session = engine.load(plan, question.backend)
        inputs = session.inputs
        session.close()
    shapes = {tensor.name: tuple(size for size in tensor.shape if isinstance(size, int)) for tensor in inputs}
    size = plan.stat().st_size
    return _timed(engine, plan, made_up(inputs, shapes, question.seed), question, Metrics(plan_bytes=size), say)


def _timed(engine: Backend, plan: Path, feeds: Feeds, question: BenchQuestion, known: Metrics, say: Say) -> Metrics:
    alone = None if engine.outside else probe(engine, plan, question.backend, feeds)
    session = engine.load(plan, question.backend)
    found = measure(session, None, feeds, question.workload, question.preset, question.seed, say)
    device_ms = session.device_ms()
    session.close()
    if alone is not None:
        known = msgspec.structs.replace(known, load_ms=alone.load_ms, first_ms=alone.first_ms, memory_mb=alone.memory)
    return msgspec.structs.replace(
        known,
        latency_ms=found.baseline,
        device_ms=device_ms,
        fps=1000 / found.baseline.mean if found.baseline.mean else None,
    )
