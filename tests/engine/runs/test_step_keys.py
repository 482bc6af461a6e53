"""Keys of steps in the cache, as they were when they were written down: an older cache is read."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.runs.stages import plan_stages
from edgetui.engine.schema.spec import Dataset, RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe

VERSIONS = {"edgetui": "0.1.0", "numpy": "2.1", "onnx": "1.19", "tensorrt": "10.3", "torch": "2.4"}
# train.finetune has another key since it holds samples out: what it made before is not what it makes now
KEYS = [
    ({"method": "prune.magnitude", "amount": 0.3}, "92e48860d25efc5d82909a45"),
    ({"method": "prune.magnitude", "threshold": 0.001, "scope": "global"}, "2fa2dcc7d49afff1d7ac2e6a"),
    ({"method": "quantize.int8"}, "46203ff5d51c726dbe2c4dbe"),
    ({"method": "quantize.int8", "scheme": "affine", "calibrator": "mse", "exclude": ["Softmax"]}, "bd3cb5cc2985e7d62b62b277"),
    ({"method": "quantize.weights", "bits": 4, "grouping": "block"}, "418492a8caad1b550f9a90b4"),
    ({"method": "precision.fp16", "keep": ["/head/*"]}, "0b778366fb575b39425cf48e"),
    ({"method": "train.finetune", "epochs": 2}, "55c8ff84898731874ca185fd"),
]


def key(table: dict[str, object], seed: int = 0) -> str:
    """The key of the stage that does this one step."""
    recipe = msgspec.convert({"name": "r", "step": [table]}, Recipe)
    spec = RunSpec(model="/m.onnx", recipe=recipe, dataset=Dataset(kind="npz", path="/data/a.npz"), seed=seed)
    asked = RunRequest(
        run="one", ticket=1, wall="", edgetui="", python="", versions=VERSIONS, model_sha256="aa", dataset_hash="d", spec=spec
    )
    return next(stage.key for stage in plan_stages(asked) if stage.kind == "step")


@pytest.mark.parametrize(("table", "was"), KEYS)
def test_a_step_done_before_is_found_in_the_cache(table, was):
    assert key(table) == was
