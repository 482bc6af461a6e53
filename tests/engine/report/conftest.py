"""Results as a run would leave them, for everything that only reads them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from edgetui.engine.result import (
    Accuracy,
    BackendStamp,
    BoardStamp,
    DatasetStamp,
    Difference,
    Fidelity,
    Latency,
    MemoryMb,
    Metrics,
    ModelFacts,
    Ratio,
    RecipeStamp,
    Result,
    StageFigures,
)

Make = Callable[..., Result]
BASE_MS = 2.44


def metrics(mean_ms: float, size: int, top1: float | None) -> Metrics:
    return Metrics(
        size_bytes=size,
        parameters=272_474,
        nonzero=272_200,
        load_ms=3.2,
        first_ms=1.9,
        latency_ms=Latency(mean=mean_ms, half_width=0.02, p50=mean_ms, p90=mean_ms * 1.02, min=mean_ms * 0.9, max=9.0, n=480),
        fps=1000 / mean_ms,
        memory_mb=MemoryMb(process_peak=212.4, system_drop=180.0),
        accuracy=Accuracy(top1=top1, n=5000) if top1 is not None else Accuracy(),
    )


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
        top1 = None if points is None else 0.81
        return Result(
            run=f"20261120-1401-{model}-{recipe}",
            state="done",
            model=ModelFacts(name=model, sha256=f"sha-{model}", parameters=272_474),
            recipe=RecipeStamp(name=recipe, title="as it is", toml=toml),
            dataset=None if points is None else DatasetStamp(name="cifar10", evaluated=5000, calibrated=500),
            board=BoardStamp(name="a board", cpu="a cpu"),
            backend=BackendStamp(name="onnxruntime", version="1.23.0", threads=2),
            baseline=metrics(BASE_MS, 1_130_000, top1),
            candidate=metrics(BASE_MS * ratio, round(1_130_000 * size), None if points is None else 0.81 + points),
            difference=Difference(
                latency_ratio=Ratio(value=ratio, low=ratio - 0.006, high=ratio + 0.006, interleaved=True),
                size_ratio=size,
                top1_points=Ratio() if points is None else Ratio(value=points, low=points - 0.004, high=points + 0.004),
                mcnemar_p=None if points is None else p,
            ),
            verdict={"latency": verdict, "size": "smaller" if size < 1 else "no difference shown"},
            fidelity=Fidelity(offset_rate=0.002, offset_rate_abs=0.019, cosine=cosine, sqnr_db=24.8, max_abs=0.3, samples=500),
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
