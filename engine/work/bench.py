"""One model or plan timed alone: what `edgetui bench` asks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ..advice.workload_needs import refuse_in_bench
from ..backends.base import Backend
from ..backends.card import Card
from ..backends.cards import CARDS, by_suffix, open_backend
from ..errors import Fix, PlanRefused
from ..library.models import open_axes
from ..measure.inputs import random_inputs
from ..measure.paired import measure
from ..measure.probe import probe
from ..runs.queries import BenchQuestion
from ..schema.figures import Metrics
from ..system.reporter import Reporter

if TYPE_CHECKING:
    from ..backends.base import Feeds


def bench(home: Path, question: BenchQuestion, say: Reporter) -> Metrics:
    """Time one model or plan alone. A model is built first where the backend does not run it as it is.

    Raises:
        DataRefused: the workload needs data.
        ModelRefused: an axis needs a size.
        PlanRefused: the file is no plan for this machine.
        BackendRefused: the backend cannot run here.
    """
    refuse_in_bench(question.workload, question.backend.name)
    path, backend = Path(question.model), open_backend(question.backend, home)
    backend.check(question.backend, execute=True)
    if maker := by_suffix(path):
        return _bench_plan(path, maker, backend, question, say)
    from ..graph.normalise import fix_shapes_only
    from ..inspection.inspect import inspect

    facts = inspect(path, question.shapes)
    if facts.open_axes:
        raise open_axes(facts)
    feeds = random_inputs(facts.inputs, facts.shapes, question.seed)
    known = Metrics(size_bytes=facts.size_bytes, parameters=facts.parameters, nonzero=facts.nonzero, macs=facts.macs)
    if CARDS[backend.name].runs_models:
        return _timed(backend, path, feeds, question, known, say)
    with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
        settled, plan = Path(folder) / "model.onnx", Path(folder) / f"model{backend.suffix}"
        fix_shapes_only(path, settled, facts.shapes)
        backend.build(settled, plan, question.backend, say)
        return _timed(backend, plan, feeds, question, msgspec.structs.replace(known, plan_bytes=plan.stat().st_size), say)


def _bench_plan(plan: Path, maker: Card, backend: Backend, question: BenchQuestion, say: Reporter) -> Metrics:
    if backend.name != maker.name:
        raise PlanRefused(f"{plan.name} is a plan of {maker.title}", fix=Fix("add {}", "backend", maker.name))
    inputs = backend.describe(plan).inputs
    if not inputs:
        session = backend.load(plan, question.backend)
        inputs = session.inputs
        session.close()
    shapes = {tensor.name: tuple(size for size in tensor.shape if isinstance(size, int)) for tensor in inputs}
    size = plan.stat().st_size
    return _timed(backend, plan, random_inputs(inputs, shapes, question.seed), question, Metrics(plan_bytes=size), say)


def _timed(backend: Backend, plan: Path, feeds: Feeds, question: BenchQuestion, known: Metrics, say: Reporter) -> Metrics:
    alone = None if backend.out_of_process else probe(backend, plan, question.backend, feeds)
    session = backend.load(plan, question.backend)
    found = measure({"baseline": session}, feeds, question.workload, question.preset, question.seed, say)
    latency, device_ms = found.latencies["baseline"], session.device_ms()
    session.close()
    if alone is not None:
        known = msgspec.structs.replace(known, load_ms=alone.load_ms, first_ms=alone.first_ms, memory_mb=alone.memory)
    return msgspec.structs.replace(
        known,
        latency_ms=latency,
        workload=found.told["baseline"].figures,
        device_ms=device_ms,
        fps=1000 / latency.mean if latency.mean else None,
    )
