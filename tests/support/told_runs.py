"""What a run says and leaves behind, made up: events and a result as a supervisor writes them."""

from __future__ import annotations

from pathlib import Path

import msgspec
from edgetui.engine.schema import events as ev
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.figures import Difference, Latency, MemoryMb, Metrics, Ratio
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.output_figures import Accuracy, Fidelity
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.stamps import DatasetStamp, RecipeStamp
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeWeights, Recipe

STAGES = ("inspect", "normalise", "prune.magnitude", "quantize.weights", "lower", "build", "verify", "measure")
RECIPE = Recipe(name="both", title="Prune, then 8 bits", step=(PruneMagnitude(amount=0.3), QuantizeWeights()))


def went(*, to: str = "done") -> list[ev.AnyEvent]:
    """The events of a run up to the middle of measuring, or to its end."""
    said: list[ev.AnyEvent] = [ev.RunBegan(stages=STAGES, pid=1)]
    for n, stage in enumerate(STAGES):
        measures = stage == "measure"
        said.append(ev.StageBegan(stage=stage, eta_s=20.0 if measures else None, measures=measures))
        if stage == "measure":
            for k in range(40):
                said.append(
                    ev.Reading(side="baseline", latency_ms=2.4 + 0.1 * (k % 5), mean_ms=2.5, half_width=0.03, samples=9 * k)
                )
                said.append(
                    ev.Reading(side="candidate", latency_ms=1.1 + 0.05 * (k % 7), mean_ms=1.2, half_width=0.02, samples=9 * k)
                )
            said.append(ev.Note(stage="measure", level="warning", text="clocks are floating"))
            if to == "measure":
                said.append(ev.Progress(stage="measure", done=19, total=28, text="pairs"))
                break
            if to == "failed":
                said.append(ev.StageFailed(stage="measure", what="it was killed", fix="give it more memory"))
                said.append(ev.RunEnded(state="failed"))
                break
        said.append(ev.StageEnded(stage=stage, seconds=0.4 + n, summary=f"{stage} is done", cached=stage == "normalise"))
    else:
        said.append(ev.RunEnded(state="done"))
    return [msgspec.structs.replace(event, n=n, t=n / 10) for n, event in enumerate(said, 1)]


def metrics(ms: float, size: int, top1: float | None, n: int = 500, weights: int | None = None) -> Metrics:
    """One side; `n` samples were evaluated, if any; `weights`: parameters, none of them zero."""
    latency = Latency(mean=ms, half_width=ms / 50, p50=ms * 0.99, p90=ms * 1.1, min=ms / 2, max=ms * 3, sd=ms / 9, n=640)
    return Metrics(
        size_bytes=size,
        parameters=weights,
        nonzero=weights,
        latency_ms=latency,
        fps=1000 / ms,
        load_ms=11.5,
        first_ms=3.1,
        memory_mb=MemoryMb(process_peak=84.0),
        accuracy=Accuracy() if top1 is None else Accuracy(top1=top1, f1=top1, n=n),
    )


def difference(
    ratio: float, size: float, within: float = 0.01, points: float | None = None, p: float | None = None
) -> Difference:
    """Of both sides; `within`: half the ratio's interval; `points`: in top-1, not shown to differ when `p` is large."""
    return Difference(
        latency_ratio=Ratio(value=ratio, low=ratio - within, high=ratio + within, interleaved=True),
        size_ratio=size,
        top1_points=Ratio() if points is None else Ratio(value=points, low=points - 0.004, high=points + 0.004),
        mcnemar_p=None if points is None else p,
    )


def outcome(run: str, model: Path, state: str = "done") -> Result:
    """What a run leaves: done, or failed while measuring."""
    told = Result(
        run=run,
        state=state,
        model=ModelFacts(name="tiny", path=str(model), sha256="a" * 64, size_bytes=1200, parameters=200, nonzero=200),
        recipe=RecipeStamp(name=RECIPE.name),
        dataset=DatasetStamp(name="shapes", evaluated=500),
        warnings=("clocks are floating",),
    )
    if state != "done":
        failure = Failure(stage="measure", what="it was killed", fix="give it more memory")
        return msgspec.structs.replace(told, error=failure)
    return msgspec.structs.replace(
        told,
        baseline=metrics(2.5, 1200, 0.81),
        candidate=metrics(1.2, 400, 0.80),
        difference=difference(0.48, 0.333),
        verdict={"latency": "faster", "size": "smaller", "accuracy": "no difference shown"},
        fidelity=Fidelity(offset_rate=0.01, offset_rate_abs=0.019, cosine=0.9991, sqnr_db=24.8, samples=500),
    )
