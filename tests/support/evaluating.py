"""Two plans over one dataset in this process, as a run's last stages evaluate them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.graph.output_meaning import meanings
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.tasks.exporter import export_notes
from edgetui.engine.work.evaluate_outputs import Contender, evaluate, refuse_labels
from edgetui.engine.work.splits import open_part


def evaluated(
    model: Path,
    other: Path,
    dataset: Dataset,
    inputs: Sequence[TensorFacts],
    shapes: Mapping[str, tuple[int, ...]],
    say: NullReporter | None = None,
) -> Outcome:
    """`other` beside `model`, on all samples of the dataset."""
    say, backend = say or NullReporter(), OnnxRuntime()
    spec = RunSpec(model=str(model), recipe=Recipe(name="none", step=()), dataset=dataset, calibration=dataset)
    samples = open_part(spec, "evaluation", inputs, shapes, say)
    assert samples is not None
    first, second = (backend.load(path, BackendSettings(threads=1), cooperative=True) for path in (model, other))
    refuse_labels(first, samples, 1, spec)
    said, notes = meanings(onnx.load(model)), export_notes(model)
    return evaluate(first, {"candidate": Contender(second, say)}, samples, 1, spec, say, said, notes)["candidate"]
