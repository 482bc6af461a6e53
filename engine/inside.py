"""What is inside a plan: its layers with precision, time and origin. What `edgetui inspect PLAN` and the screen Layers ask.

Apart from `benching.py`, which times a plan as a whole.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .backends import trt_inside, trt_manifest
from .backends.onnxruntime import OnnxRuntime
from .backends.trt_find import find
from .errors import BackendRefused, PlanRefused, StorageRefused, from_os_error
from .graph.origins import with_origins
from .measure.inputs import made_up
from .onnxfile import BUILT_FOR, BUILT_WITH, is_plan, read_metadata
from .pipeline import backend, open_axes
from .questions import PlanQuestion
from .result import PlanFacts
from .say import Say
from .spec import BackendSettings, TensorRtSettings

if TYPE_CHECKING:
    from .backends.base import Feeds

_NO_INSPECTOR = "the backend torch names no layers; run with --backend onnxruntime or tensorrt to see them"
Alone = Callable[[], AbstractContextManager[None]]
"""A context in which nothing else measures on this board."""


def inspect_plan(home: Path, question: PlanQuestion, alone: Alone, say: Say) -> PlanFacts:
    """What is inside a plan; of one that cannot be loaded here what its manifest says, and why no more.

    Raises:
        PlanRefused: it is not there, or it is of ONNX Runtime and not for this machine.
        ModelRefused: of a model: it cannot be read, or an axis needs a size.
        BackendRefused: it cannot be executed.
    """
    path = Path(question.plan)
    if not path.is_file():
        raise PlanRefused(f"{path} is not there", fix="check the path")
    if path.suffix in trt_manifest.SUFFIXES:
        return _of_tensorrt(path, question, alone)
    if is_plan(path):
        return _of_onnxruntime(path, question, alone, question.shapes)
    if question.backend.name == "torch":
        return PlanFacts(name=path.name, path=str(path), backend="torch", size_bytes=path.stat().st_size, reason=_NO_INSPECTOR)
    return _of_model(home, path, question, alone, say)


def _of_model(home: Path, path: Path, question: PlanQuestion, alone: Alone, say: Say) -> PlanFacts:
    """Of the plan that the backend makes of a model, as it makes the baseline's of a run."""
    from .graph.inspect import inspect
    from .graph.normalise import settled_only

    engine, facts = backend(question.backend, home), inspect(path, question.shapes)
    engine.check(question.backend, execute=True)
    if facts.open_axes:
        raise open_axes(facts)
    try:
        with tempfile.TemporaryDirectory(prefix="edgetui-") as folder:
            settled, plan = Path(folder) / "model.onnx", Path(folder) / f"plan{engine.suffix}"
            settled_only(path, settled, facts.shapes)
            engine.build(settled, plan, question.backend, say)
            asked = msgspec.structs.replace(question, plan=str(plan), source=str(settled))
            found = _of_onnxruntime(plan, asked, alone, facts.shapes) if is_plan(plan) else _of_tensorrt(plan, asked, alone)
            return msgspec.structs.replace(found, name=path.name, path=str(path))
    except OSError as error:
        raise from_os_error(error) from None


def _of_onnxruntime(plan: Path, question: PlanQuestion, alone: Alone, shapes: dict[str, tuple[int, ...]]) -> PlanFacts:
    from .backends.ort_inside import look

    engine = OnnxRuntime()
    session = engine.load(plan, question.backend)
    inputs, outputs = session.inputs, session.outputs
    session.close()
    built = read_metadata(plan)
    fixed = {tensor.name: tuple(size if isinstance(size, int) else 1 for size in tensor.shape) for tensor in inputs}
    feeds: Feeds = made_up(inputs, {**fixed, **shapes}, seed=0)
    with alone():
        try:
            seen = look(engine, plan, question.backend, feeds)
        except OSError as error:
            raise StorageRefused(
                f"the profiler's file cannot be written ({error.strerror})",
                fix="free some space, or set TMPDIR",
            ) from None
    layers = with_origins(seen.layers, Path(question.source)) if question.source else seen.layers
    return PlanFacts(
        name=plan.name,
        path=str(plan),
        backend="onnxruntime",
        size_bytes=plan.stat().st_size,
        built={"built with": f"onnxruntime {built.get(BUILT_WITH, '')}", "for": built.get(BUILT_FOR, "")},
        inputs=inputs,
        outputs=outputs,
        layers=layers,
        inferences=seen.inferences,
        inference_ms=seen.inference_ms,
        islands=sum(layer.island for layer in layers),
    )


def _of_tensorrt(plan: Path, question: PlanQuestion, alone: Alone) -> PlanFacts:
    from .backends.tensorrt import TensorRt
    from .backends.trtexec import TrtExecSession

    manifest = trt_manifest.read(plan)
    known = PlanFacts(
        name=plan.name,
        path=str(plan),
        backend="tensorrt",
        size_bytes=plan.stat().st_size,
        built=trt_manifest.in_words(manifest, plan),
        inputs=manifest.inputs if manifest else (),
        outputs=manifest.outputs if manifest else (),
    )
    settings = BackendSettings(name="tensorrt", tensorrt=TensorRtSettings(trust=question.trust))
    try:
        session = TensorRt().load(plan, settings)
    except (BackendRefused, PlanRefused) as error:
        return msgspec.structs.replace(known, reason=str(error))
    try:
        with alone():
            layers = session.layers() if isinstance(session, TrtExecSession) else trt_inside.look(find().api, session)
        islands = trt_inside.islands(layers)
        marked = tuple(msgspec.structs.replace(layer, island=True) if layer in islands else layer for layer in layers)
        return msgspec.structs.replace(
            known,
            inputs=session.inputs,
            outputs=session.outputs,
            layers=marked,
            islands=len(islands),
            device_bytes=session.plan_bytes(),
        )
    finally:
        session.close()
