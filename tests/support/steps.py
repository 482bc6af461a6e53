"""From a model and a recipe to the file a backend builds from, in this process: the pipeline's functions in its order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from edgetui.engine.compress.lower import lower
from edgetui.engine.compress.magnitude import prune
from edgetui.engine.compress.precision import fp16
from edgetui.engine.compress.quantize import int8
from edgetui.engine.compress.weight_only import weights
from edgetui.engine.graph.inspect import inspect
from edgetui.engine.graph.normalise import normalise
from edgetui.engine.measure.inputs import made_up
from edgetui.engine.say import Silent
from edgetui.engine.spec import PrecisionFp16, PruneMagnitude, QuantizeInt8, QuantizeWeights, Recipe

Feeds = Mapping[str, np.ndarray]


def lowered(
    model: Path, recipe: Recipe, folder: Path, target: str = "tensorrt", shapes: dict[str, tuple[int, ...]] | None = None
) -> Path:
    """The lowered file; calibration sees four made-up samples."""
    say = Silent()
    facts = inspect(model, shapes or {})
    assert not facts.open_axes, facts.open_axes
    current = folder / "0.onnx"
    normalise(model, current, facts.shapes, say)
    for number, step in enumerate(recipe.active, 1):
        out = folder / f"{number}.onnx"
        feeds = [made_up(facts.inputs, facts.shapes, seed) for seed in range(4)]
        if isinstance(step, PruneMagnitude):
            prune(step, current, out, say)
        elif isinstance(step, QuantizeInt8):
            int8(step, current, out, feeds, say)
        elif isinstance(step, QuantizeWeights):
            weights(step, current, out, say)
        else:
            assert isinstance(step, PrecisionFp16), step
            fp16(step, current, out, feeds, say)
        current = out
    lower(current, folder / "lowered.onnx", target, say)
    return folder / "lowered.onnx"
