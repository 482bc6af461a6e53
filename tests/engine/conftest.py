"""What tests of several rooms share: boards laid out in a folder, and results as a run would leave them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.result import Result, StageFigures
from edgetui.engine.schema.stamps import BackendStamp, BoardStamp, DatasetStamp, RecipeStamp
from laid_boards import Laid, lay_out_board
from told_runs import difference, metrics, outcome

LayOut = Callable[..., Laid]


@pytest.fixture
def lay_out(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LayOut:
    """`lay_out("nano_r32")` makes the board's files and commands and points EDGETUI_ROOT and PATH at them."""

    def make(name: str, *, as_root: bool = True) -> Laid:
        laid, variables = lay_out_board(shared / "sysfs" / f"{name}.json", tmp_path, as_root=as_root)
        for variable, value in variables.items():
            monkeypatch.setenv(variable, value)
        return laid

    return make


Make = Callable[..., Result]
BASE_MS = 2.44
WEIGHTS = 272_474


@pytest.fixture
def make() -> Make:
    """A finished run: `make("int8", 0.452, "faster", ...)`."""

    def build(
        recipe: str = "int8",
        ratio: float = 0.452,
        verdict: str = "faster",
        *,
        size: float = 0.32,
        points: float | None = -0.001,
        p: float = 0.61,
        cosine: float = 0.9991,
        model: str = "resnet20",
        toml: str = "",
    ) -> Result:
        after = None if points is None else 0.81 + points
        told = outcome(f"20261120-1401-{model}-{recipe}", Path())
        return msgspec.structs.replace(
            told,
            model=ModelFacts(name=model, sha256=f"sha-{model}", parameters=WEIGHTS),
            recipe=RecipeStamp(name=recipe, title="as it is", toml=toml),
            dataset=None if points is None else DatasetStamp(name="cifar10", evaluated=5000, calibrated=500),
            board=BoardStamp(name="a board", cpu="a cpu"),
            backend=BackendStamp(name="onnxruntime", version="1.23.0", threads=2),
            baseline=metrics(BASE_MS, 1_130_000, None if points is None else 0.81, 5000, WEIGHTS),
            candidate=metrics(BASE_MS * ratio, round(1_130_000 * size), after, 5000, WEIGHTS),
            difference=difference(ratio, size, 0.006, points, p),
            verdict={"latency": verdict, "size": "smaller" if size < 1 else "no difference shown"},
            fidelity=msgspec.structs.replace(told.fidelity, cosine=cosine, max_abs=0.3),
            warnings=(),
            stages=(
                StageFigures(name="inspect", seconds=0.4),
                StageFigures(name="quantize.int8", seconds=1.3, peak_mb=160.0),
                StageFigures(name="lower", seconds=0.3),
                StageFigures(name="build", seconds=0.4),
                StageFigures(name="measure", seconds=40.0),
            ),
            reasons={"candidate.latency_ms.p99": "have 480 of 662", "baseline.latency_ms.p99": "have 480 of 662"},
        )

    return build
