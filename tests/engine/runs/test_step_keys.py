"""Keys of steps in the cache, as they were when they were written down: an older cache is read."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.runs.stages import plan_stages
from edgetui.engine.schema.spec import Dataset, RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe

VERSIONS = {"edgetui": "0.1.0", "numpy": "2.1", "onnx": "1.19", "tensorrt": "10.3", "torch": "2.4"}
# all are others since outputs say how many of the samples calibrated, and train.finetune since it holds samples out
KEYS = [
    ({"method": "prune.magnitude", "amount": 0.3}, "1d3691ecf68520f2f72a4029"),
    ({"method": "prune.magnitude", "threshold": 0.001, "scope": "global"}, "5713242ec743e323e6a6ee7f"),
    ({"method": "quantize.int8"}, "22e3c2740fe45bd245ea90d6"),
    ({"method": "quantize.int8", "scheme": "affine", "calibrator": "mse", "exclude": ["Softmax"]}, "dadccaac84b138c5d4b648f6"),
    ({"method": "quantize.weights", "bits": 4, "grouping": "block"}, "01118ff3d6a576df16b75330"),
    ({"method": "precision.fp16", "keep": ["/head/*"]}, "4e830464894f245df2b92dd0"),
    ({"method": "train.finetune", "epochs": 2}, "3077933c81f0ed784ff5a5a4"),
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
