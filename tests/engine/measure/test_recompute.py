"""Figures from raw samples again: what agrees, what was tampered with, and files that are no samples."""

from __future__ import annotations

import zipfile
from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.advice.recomputed import RawSamples, with_computed
from edgetui.engine.measure.recompute import MOST_POINTS, recompute
from edgetui.engine.schema.figures import Difference, Energy, Latency, Metrics, Power, Ratio
from edgetui.engine.schema.result import Result

WATTS = {"idle": 4.0, "baseline": 9.0, "candidate": 6.0}
WINDOW_S, GAP_S, RATE_HZ = 2.0, 0.5, 20


def latencies(path: Path) -> dict[str, np.ndarray]:
    """Ten blocks of 80 inferences of both sides, the candidate's half as long."""
    draw = np.random.default_rng(3)
    raw: dict[str, np.ndarray] = {"candidate_first": np.arange(10) % 2 == 0}
    for side, ms in (("baseline", 4.0), ("candidate", 2.0)):
        raw[f"{side}_ns"] = np.round(draw.normal(ms, 0.1, 800) * 1e6).astype(np.int64)
        raw[f"{side}_block"] = np.repeat(np.arange(10), 80)
        raw[f"{side}_began_ns"] = np.arange(10) * 10**9 + 7
    np.savez_compressed(path, **raw)
    return raw


def joules(path: Path, noise_w: float = 0.0) -> None:
    """Idle, five windows of each side in turn, idle: a power that steps from one to the next."""
    draw = np.random.default_rng(1)
    spans: list[tuple[str, float, float]] = [("idle", 100.0, 104.0)]
    for _ in range(5):
        for side in ("baseline", "candidate"):
            begin = spans[-1][2] + GAP_S
            spans.append((side, begin, begin + WINDOW_S))
    spans.append(("idle", spans[-1][2] + GAP_S, spans[-1][2] + GAP_S + 4.0))
    at = np.arange(99.0, spans[-1][2] + 1, 1 / RATE_HZ)
    watts = np.full(len(at), WATTS["idle"])
    for kind, begin, end in spans:
        watts[(at >= begin - GAP_S / 2) & (at <= end + GAP_S / 2)] = WATTS[kind]
    watts += draw.normal(0, noise_w, len(at)) if noise_w else 0
    idle = [(begin + (k + 0.5), WATTS["idle"]) for kind, begin, _ in spans if kind == "idle" for k in range(4)]
    raw = {
        "idle_s": np.array([t for t, _ in idle]),
        "idle_w": np.array([w for _, w in idle]),
        "sample_s": at,
        "sample_w": watts,
    }
    for side, count in (("baseline", 500), ("candidate", 1000)):
        own = [(begin, end) for kind, begin, end in spans if kind == side]
        raw[f"{side}_begin_s"], raw[f"{side}_end_s"] = (np.array(ends) for ends in zip(*own, strict=True))
        raw[f"{side}_inferences"] = np.full(5, count)
        raw[f"{side}_joules"] = np.full(5, WATTS[side] * WINDOW_S)
    np.savez_compressed(path, **raw)


@pytest.fixture
def asked(tmp_path: Path) -> RawSamples:
    """A run whose document says what numpy makes of its samples, and what its windows took."""
    raw = latencies(tmp_path / "latencies.npz")
    joules(tmp_path / "energy.npz")
    sides = {}
    for side, count in (("baseline", 500), ("candidate", 1000)):
        ms = raw[f"{side}_ns"] / 1e6
        p25, p50, p75, p90, p95, p99 = (float(value) for value in np.percentile(ms, [25, 50, 75, 90, 95, 99]))
        net = (WATTS[side] - WATTS["idle"]) * WINDOW_S / count
        sides[side] = Metrics(
            fps=1000 / float(ms.mean()),
            latency_ms=Latency(
                mean=float(ms.mean()),
                p50=p50,
                p90=p90,
                p95=p95,
                p99=p99,
                min=float(ms.min()),
                max=float(ms.max()),
                sd=float(ms.std(ddof=1)),
                iqr=p75 - p25,
                n=800,
                blocks=10,
            ),
            power_w=Power(mean=WATTS[side], peak=WATTS[side], idle=4.0, idle_drift=0.0),
            energy_j_per_inference=Energy(gross=WATTS[side] * WINDOW_S / count, net=net, windows=5, method="trapezoid"),
        )
    result = Result(run="r", state="done", **sides)
    return RawSamples(result=result, latencies=str(tmp_path / "latencies.npz"), energy=str(tmp_path / "energy.npz"))


def test_what_numpy_says_of_the_samples_agrees(asked):
    found = recompute(asked)
    by_path = {figure.path: figure for figure in found.figures}
    assert found.reasons == {"evaluation": "the run has none"}
    known = [figure for figure in found.figures if figure.stored is not None]
    assert len(known) == 2 * (12 + 8 - 1)
    assert [figure.path for figure in known if figure.differs] == []
    ratio = by_path["difference.latency_ratio.value"].computed
    assert ratio == pytest.approx(0.5, rel=0.01)
    low, high = (by_path[f"difference.latency_ratio.{end}"].computed for end in ("low", "high"))
    assert low < ratio < high
    assert by_path["difference.energy_ratio.value"].computed == pytest.approx((2 / 1000) / (5 / 500))
    assert by_path["difference.energy_ratio_gross.value"].computed == pytest.approx(6 / 9 / 2)


def test_a_figure_that_was_changed_is_found_and_put_right(asked):
    side = asked.result.candidate
    lie = msgspec.structs.replace(side, latency_ms=msgspec.structs.replace(side.latency_ms, mean=0.5, p99=None), fps=2000.0)
    changed = msgspec.structs.replace(asked.result, candidate=lie)
    found = recompute(msgspec.structs.replace(asked, result=changed))
    different = {figure.path: (figure.stored, figure.computed) for figure in found.different if figure.stored is not None}
    assert different["candidate.latency_ms.mean"] == (0.5, side.latency_ms.mean)
    assert set(different) == {"candidate.latency_ms.mean", "candidate.fps"}
    assert "candidate.latency_ms.p99" in {figure.path for figure in found.different}
    right = with_computed(changed, found)
    assert (right.candidate.latency_ms.mean, right.candidate.fps) == (side.latency_ms.mean, side.fps)
    assert right.candidate.latency_ms.p99 == side.latency_ms.p99
    assert right.baseline.latency_ms.half_width is not None
    assert recompute(msgspec.structs.replace(asked, result=right)).different == ()


def test_a_ratio_that_the_document_lacks_is_put_into_it(asked):
    nothing = msgspec.structs.replace(asked.result, difference=Difference(latency_ratio=Ratio(), energy_ratio=None))
    right = with_computed(nothing, recompute(msgspec.structs.replace(asked, result=nothing)))
    assert right.difference.energy_ratio is not None
    assert right.difference.energy_ratio.value == pytest.approx(0.2)


def test_pictures_have_their_points(asked):
    found = recompute(asked)
    assert [(block.side, len(block.mean_ms), block.began_s[1]) for block in found.blocks] == [
        ("baseline", 10, 1.0),
        ("candidate", 10, 1.0),
    ]
    assert found.power is not None
    assert [window.side for window in found.power.windows] == ["baseline"] * 5 + ["candidate"] * 5
    assert found.power.windows[0].joules == pytest.approx(18.0)
    assert max(found.power.watts) == 9.0


def test_of_a_long_trace_the_peaks_stay(asked):
    with np.load(asked.energy) as stored:
        raw = dict(stored)
    at = np.linspace(99.0, raw["sample_s"][-1], 50_000)
    raw["sample_w"] = np.interp(at, raw["sample_s"], raw["sample_w"])
    raw["sample_w"][12_345] = 31.0
    np.savez_compressed(asked.energy, **(raw | {"sample_s": at}))
    power = recompute(asked).power
    assert power is not None
    assert len(power.watts) <= MOST_POINTS
    assert max(power.watts) == 31.0


def test_joules_that_the_sensor_counted_are_taken_as_it_told_them(asked):
    with np.load(asked.energy) as stored:
        raw = dict(stored)
    raw["baseline_joules"] = raw["baseline_joules"] * 1.5
    np.savez_compressed(asked.energy, **raw)
    base = asked.result.baseline
    counter = msgspec.structs.replace(base.energy_j_per_inference, method="counter")
    counted = msgspec.structs.replace(asked.result, baseline=msgspec.structs.replace(base, energy_j_per_inference=counter))
    figures = {figure.path: figure.computed for figure in recompute(msgspec.structs.replace(asked, result=counted)).figures}
    assert figures["baseline.energy_j_per_inference.gross"] == pytest.approx(27 / 500)
    assert figures["baseline.power_w.peak"] == 9.0


def test_a_guard_is_computed_again_beside_both(asked):
    for path in (asked.latencies, asked.energy):
        with np.load(path) as stored:
            raw = dict(stored)
        np.savez_compressed(
            path, **raw, **{f"guard{k.removeprefix('candidate')}": v for k, v in raw.items() if "candidate_" in k}
        )
    guarded = msgspec.structs.replace(asked.result, guard=asked.result.candidate)
    figures = {each.path: each for each in recompute(msgspec.structs.replace(asked, result=guarded)).figures}
    assert figures["guard.latency_ms.p50"].differs is False
    assert figures["difference.latency_ratio_to_guard.value"].computed == pytest.approx(1.0)
    assert figures["difference.energy_ratio_to_guard.value"].computed == pytest.approx(1.0)
    for field in ("latency_ratio", "energy_ratio", "energy_ratio_gross"):
        assert figures[f"guard_difference.{field}.value"].computed == figures[f"difference.{field}.value"].computed
    assert "difference.energy_ratio_gross_to_guard.value" not in figures


def test_of_a_group_the_middle_of_all_windows_says_what_idle_power_is_not_known_to(asked):
    def width() -> float:
        figures = {figure.path: figure.computed for figure in recompute(asked).figures}
        return figures["difference.energy_ratio.high"] - figures["difference.energy_ratio.low"]

    with np.load(asked.energy) as stored:
        raw = dict(stored)
    raw["idle_w"] = raw["idle_w"] + np.array([0.1, -0.1] * 4)
    np.savez_compressed(asked.energy, **raw)
    alone = width()
    np.savez_compressed(asked.energy, **(raw | {"middle_s": np.array([raw["sample_s"][-1] + 30])}))
    assert width() > alone * 1.05


def ruined(kind: str, path: Path) -> None:
    raw = {
        "baseline_ns": np.arange(5),
        "baseline_block": np.zeros(5),
        "baseline_began_ns": np.arange(1),
        "sample_s": np.zeros(0),
    }
    if kind == "no archive":
        path.write_bytes(b"PK\x03\x04 no")
    elif kind == "an array":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    elif kind == "a pickle":
        np.savez(path, baseline_ns=np.array([{"a": 1}], dtype=object))
    elif kind == "not a number":
        np.savez(path, **(raw | {"baseline_ns": np.array([1.0, np.nan])}))
    elif kind == "texts":
        np.savez(path, baseline_ns=np.array(["a"]))
    elif kind == "blocks that do not fit":
        np.savez(path, **(raw | {"baseline_began_ns": np.arange(3)}))
    elif kind == "no windows":
        np.savez(path, **(raw | {"baseline_joules": np.zeros(0), "baseline_block": np.arange(9)}))
    elif kind == "a bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("baseline_ns.npy", "w") as entry:
            for _ in range(300):
                entry.write(bytes(1 << 20))
    else:
        path.unlink()


@pytest.mark.parametrize(
    "kind",
    ["no archive", "an array", "a pickle", "not a number", "texts", "blocks that do not fit", "no windows", "a bomb", "gone"],
)
def test_files_that_are_no_samples_are_named_and_nothing_is_made_up(asked, tmp_path, kind):
    paths = {name: str(tmp_path / f"{name}.npz") for name in ("latencies", "energy", "workload", "evaluation")}
    for path in paths.values():
        Path(path).touch()
        ruined(kind, Path(path))
    found = recompute(msgspec.structs.replace(asked, **paths))
    assert all(path in found.reasons[name] for name, path in paths.items())
    assert (found.figures, found.blocks, found.power) == ((), (), None)
    assert with_computed(asked.result, found) is asked.result


def test_a_run_without_samples_says_so(asked):
    found = recompute(RawSamples(result=asked.result))
    assert found.reasons == dict.fromkeys(("latencies", "energy", "evaluation"), "the run has none")
