"""Every figure that is missing from a result has its reason, whatever became of the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.outcome import Outcome, compose
from edgetui.engine.runs.telemetry_log import recorded
from edgetui.engine.schema.figures import Latency, Metrics, Pair
from edgetui.engine.schema.model_facts import ModelFacts
from edgetui.engine.schema.output_figures import Fidelity
from edgetui.engine.schema.result import SCHEMA
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.stamps import BackendStamp, BoardStamp, DatasetStamp
from edgetui.engine.schema.steps import Recipe

NO_REASON_NEEDED = ("error", "candidate_backend")  # null says something there: none; what executed the baseline


def asked(measure: bool = True) -> RunRequest:
    spec = RunSpec(model="/m.onnx", recipe=Recipe(), measure=measure)
    return RunRequest(run="r", ticket=1, wall="", edgetui="", python="", model_sha256="", spec=spec)


def nulls(value: object, path: str = "") -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from nulls(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from nulls(inner, f"{path}.{place}")


STAGES = [
    ("inspect", False, Outcome(seconds=1.0, peak_mb=1.0, model=ModelFacts(name="m"), backend=BackendStamp(name="onnxruntime"))),
    ("measure", True, Outcome(baseline=Metrics(latency_ms=Latency(mean=1.0)), reasons={"baseline.latency_ms.p99": "too few"})),
    ("energy", False, Outcome(pairs=(Pair(a="r", b="s"),))),
    ("verify", False, Outcome(board=BoardStamp(temps_c={"cpu-thermal": 50.0, "cv0-thermal": None}))),
    ("evaluate", False, Outcome(fidelity=Fidelity(cosine=1.0), reasons={"fidelity.sqnr_db": "identical"})),
]


@pytest.mark.parametrize("state", ["done", "failed", "cancelled", "crashed", "running", "queued"])
@pytest.mark.parametrize("reached", range(len(STAGES) + 1))
@pytest.mark.parametrize("measure", [True, False])
def test_every_null_has_its_reason(state: str, reached: int, measure: bool) -> None:
    document = compose(asked(measure), state, STAGES[:reached], {}, {})  # type: ignore[arg-type]
    plain = msgspec.to_builtins(document)
    missing = [path for path in nulls(plain) if path not in NO_REASON_NEEDED]
    assert [path for path in missing if not plain["reasons"].get(path)] == []
    assert len(missing) > 10


def test_the_reasons_of_stages_stand() -> None:
    reasons = compose(asked(), "done", STAGES, {}, {}).reasons
    assert reasons["baseline.latency_ms.p99"] == "too few"
    assert reasons["fidelity.sqnr_db"] == "identical"
    assert reasons["baseline.latency_ms.missed_deadlines"] == "only a paced workload has deadlines"
    assert reasons["candidate.accuracy.top1"] == "there are no labels"
    assert reasons["model.macs"] == "the shape of a tensor inside the model cannot be told"
    assert reasons["difference.energy_ratio"] == "no power was measured"


@pytest.mark.parametrize("order", [1, -1])
def test_of_steps_that_read_different_numbers_of_samples_the_most_is_told(order: int) -> None:
    steps = [
        Outcome(dataset=DatasetStamp(calibrated=2000, calibration="2 000 of 10 000 of train.zip, seed 0")),
        Outcome(dataset=DatasetStamp(calibrated=500, calibration="500 of 10 000 of train.zip, seed 0")),
    ][::order]
    told = Outcome(dataset=DatasetStamp(name="d", evaluated=7))
    document = compose(asked(), "done", [(str(n), False, part) for n, part in enumerate([*steps, told])], {}, {})
    stamp = document.dataset
    assert stamp is not None
    assert (stamp.calibrated, stamp.calibration, stamp.evaluated) == (2000, "2 000 of 10 000 of train.zip, seed 0", 7)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "no power was measured"),
        ([b'{"t": 1.0, "stage": "measure", "cpu_mean_pct": [1, 2, 3]}'], "no power was measured"),
        ([b'{"t": 1.0, "stage": "measure", "rails_mw.VDD_IN": [4800, 5100, 5600]}'], "power was recorded"),
        ([b"half a li", b'{"t": 2.0, "stage": "measure", "total_mw": [4800, 5100, 5600]}'], "power was recorded"),
    ],
)
def test_power_that_was_recorded_is_not_said_to_be_unmeasured(tmp_path: Path, lines: list[bytes], told: str) -> None:
    if lines:
        (tmp_path / "telemetry.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    reasons = compose(asked(), "done", STAGES, {}, {}, recorded=recorded(tmp_path)).reasons
    for path in (
        "candidate.energy_j_per_inference.net",
        "baseline.power_w.mean",
        "difference.energy_ratio",
        "stages.0.energy_j",
    ):
        assert reasons[path].startswith(told)


def test_a_run_that_failed_says_so() -> None:
    assert compose(asked(), "failed", STAGES[:1], {}, {}).reasons["candidate.fps"] == "the run ended before that (failed)"


def test_samples_that_nobody_compared_are_unknown_and_not_none_at_all() -> None:
    document = compose(asked(), "crashed", STAGES[:2], {}, {})
    assert document.fidelity.samples is None
    assert document.reasons["fidelity.samples"] == "the run ended before that (crashed)"


def test_a_run_that_measured_nothing_has_no_counts_of_it() -> None:
    document = compose(asked(), "cancelled", STAGES[:1], {}, {})
    counts = [document.baseline.latency_ms.n, document.baseline.latency_ms.blocks, document.candidate.accuracy.n]
    assert counts == [None, None, None]
    assert document.baseline.latency_ms.capped is None
    assert document.reasons["candidate.latency_ms.n"] == "the run ended before that (cancelled)"


def test_what_a_later_stage_says_of_outputs_replaces_what_an_earlier_said() -> None:
    early = Outcome(fidelity=Fidelity(agreement=1.0, samples=4), reasons={"fidelity.cosine": "no quantity"})
    late = Outcome(fidelity=Fidelity(cosine=0.9, samples=9), reasons={"fidelity.agreement": "no labels"})
    document = compose(asked(), "done", [("verify", False, early), ("evaluate", False, late)], {}, {})
    assert document.schema == SCHEMA
    assert document.fidelity == Fidelity(cosine=0.9, samples=9)
    assert "fidelity.cosine" not in document.reasons
    assert document.reasons["fidelity.agreement"] == "no labels"


def test_a_ruin_that_one_stage_found_outlives_the_figures_of_later_ones() -> None:
    early = Outcome(fidelity=Fidelity(cosine=0.99, samples=4, ruined="the outputs are ruined"))
    late = Outcome(fidelity=Fidelity(cosine=0.9, samples=9))
    document = compose(asked(), "done", [("verify", False, early), ("evaluate", False, late)], {}, {})
    assert document.fidelity == Fidelity(cosine=0.9, samples=9, ruined="the outputs are ruined")
