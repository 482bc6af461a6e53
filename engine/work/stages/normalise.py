"""One plain form of the model, and the baseline: the model as it came with its axes settled."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...graph.load import files_of
from ...graph.normalise import fix_shapes_only, normalise
from ...measure.sizes import gz_bytes
from ...runs.outcome import Outcome
from ..job import Job


def run(job: Job) -> Outcome:
    """Write `baseline.onnx` and `model.onnx`. The model as given is packed meanwhile, which takes longest (30 MB a second)."""
    shapes, baseline = job.model().shapes, job.out / "baseline.onnx"
    fix_shapes_only(Path(job.spec.model), baseline, shapes)
    with ThreadPoolExecutor(1) as pool:
        packed = pool.submit(gz_bytes, files_of(Path(job.spec.model)))
        line = normalise(Path(job.spec.model), job.out / "model.onnx", shapes, job.say)
        return Outcome(summary=line, original_gz_bytes=packed.result())
