"""From a model and a recipe to the file a backend builds from, in this process: the pipeline's functions in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from edgetui.engine.compress.lower import lower
from edgetui.engine.data.samples import Row, Samples, Truths
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.measure.inputs import random_inputs
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.work.apply_step import apply_step


class MadeUp:
    """Made-up inputs as a dataset; a sample is one inference, whatever the model's batch."""

    labels = largest_batch = pixels = None
    classes = ()
    assumed = ""
    truth = ""
    points = None

    def __init__(self, facts: ModelFacts, count: int = 4) -> None:
        self.feeds = [random_inputs(facts.inputs, facts.shapes, seed) for seed in range(count)]

    def __len__(self) -> int:
        return len(self.feeds)

    def name(self, number: int) -> str:
        return f"sample {number}"

    def rows(self, order: Sequence[int]) -> Iterator[Row]:
        return (self.feeds[number] for number in order)

    def pack(self, rows: list[Row]) -> Row:
        (row,) = rows
        return row

    def frames(self, order: Sequence[int], most_bytes: int) -> None:
        return None

    def truths(self, rows: Sequence[Row], numbers: Sequence[int]) -> Truths:
        return Truths()


def lowered(
    model: Path, recipe: Recipe, folder: Path, target: str = "tensorrt", shapes: dict[str, tuple[int, ...]] | None = None
) -> Path:
    """The lowered file; calibration sees four made-up samples."""
    say = NullReporter()
    facts = inspect(model, shapes or {})
    assert not facts.open_axes, facts.open_axes
    current = folder / "0.onnx"
    normalise(model, current, facts.shapes, say)
    for number, step in enumerate(recipe.active, 1):
        out = folder / f"{number}.onnx"
        samples = None if step.needs == "none" else Samples(MadeUp(facts), np.arange(4), "made up", say)
        apply_step(step, current, out, samples, 1, say)
        current = out
    lower(current, folder / "lowered.onnx", target, say)
    return folder / "lowered.onnx"
