"""Charts of workloads: drawn where a workload tells something, and not where it does not."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice.columns import columns
from edgetui.engine.advice.spread import rate_boxes
from edgetui.engine.report import charts, workload_charts
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.html_report import html_report
from edgetui.engine.schema.figures import Correction, Pair, Ratio
from edgetui.engine.schema.workload_figures import (
    FrameSeries,
    KindRates,
    RateSpread,
    Roc,
    StreamFigures,
    Throughput,
    WorkloadFigures,
)
from strict_html import StrictPage, pictures

SPACE = "{http://www.w3.org/2000/svg}"


def spread(median: float) -> RateSpread:
    ends = {"low_whisker": median * 0.7, "q1": median * 0.9, "q3": median * 1.1, "high_whisker": median * 1.3}
    return RateSpread(n=25, median=median, **ends)


TOLD = WorkloadFigures(
    kind="cycle",
    throughput=Throughput(streams=4, images_per_s=410.0, latency_ms=9.7, knee=2),
    streams=tuple(StreamFigures(streams=k, batch=1, images_per_s=300.0 + 40 * k, latency_ms=2.0 * k) for k in (1, 2, 4)),
    parts_ms={"decode": 3.0, "resize": 1.5, "inference": 8.0, "postprocess": 0.5},
    frames=FrameSeries(fps=tuple(80.0 if k % 6 else 30.0 for k in range(60)), real=tuple(k % 6 == 0 for k in range(60)), n=90),
    rates=KindRates(real=spread(30.0), interference=spread(80.0)),
    roc_auc=0.981,
    roc=Roc(low=0.97, high=0.99, points=((0.0, 0.0), (0.02, 0.95), (1.0, 1.0))),
)


@pytest.fixture
def shown(make):
    def build(told: WorkloadFigures):
        run = make()
        sides = {side: msgspec.structs.replace(getattr(run, side), workload=told) for side in ("baseline", "candidate")}
        return msgspec.structs.replace(run, **sides)

    return build


def drawn(run) -> dict[str, str]:
    found = columns([run])
    return {
        "rates": workload_charts.rates(rate_boxes(found)),
        "frames": workload_charts.frames(found[1]),
        "roc": workload_charts.roc(found),
        "streams": workload_charts.streams(found),
        "parts": workload_charts.parts(found),
    }


def test_all_that_a_workload_tells_is_drawn(shown):
    run = shown(TOLD)
    assert [name for name, text in drawn(run).items() if len(pictures(text)) != 1] == []
    page = StrictPage(html_report(evidence([run])))
    assert page.faults == []
    for words in ("Parts of a whole frame", "2 (knee)", "int8 interference", "int8: 0.981", "60 of 90 frames, 10 of them real"):
        assert words in page.text, words


def test_what_it_does_not_tell_is_not_drawn(shown, make):
    assert set(drawn(shown(WorkloadFigures(kind="flat-out"))).values()) == {""}
    assert set(drawn(make()).values()) == {""}


def test_parts_are_as_long_as_they_take(shown):
    (picture,) = pictures(drawn(shown(TOLD))["parts"])
    bars = [float(bar.get("width")) for bar in picture.iter(f"{SPACE}rect") if float(bar.get("height")) == 18][:4]
    assert bars[0] / bars[1] == pytest.approx(2.0, rel=0.01)
    assert bars[2] / sum(bars) == pytest.approx(8 / 13, rel=0.01)


def test_each_frame_is_a_dot_and_real_ones_have_their_own_colour(shown):
    (picture,) = pictures(drawn(shown(TOLD))["frames"])
    dots = [dot.get("class") for dot in picture.iter(f"{SPACE}circle")]
    assert (dots.count("f1"), dots.count("f5")) == (10, 50)


def test_candidates_of_a_group_stand_over_each_other(make):
    one, other = make("int8"), make("fp16", 0.6)
    pair = Pair(a=one.run, b=other.run, latency_ratio=Ratio(value=1.33, low=1.2, high=1.5), energy_ratio=None)
    told = Correction(variants=3, comparisons=3, confidence=0.9833)
    runs = [msgspec.structs.replace(run, pairs=(pair,), correction=told) for run in (one, other)]
    text = charts.pairs(columns(runs))
    assert text.count("fp16/int8: latency 1.33 [1.20, 1.50]") == 1
    assert charts.pairs(columns(runs[:1])) == ""
    (picture,) = pictures(text)
    assert "fp16/int8: latency" in [each.text for each in picture.iter(f"{SPACE}text")]
    one, other = make("int8-of-half-the-channels-after"), make("fp16-of-half-the-channels-after", 0.6)
    pair = msgspec.structs.replace(pair, a=one.run, b=other.run)
    long = [msgspec.structs.replace(run, pairs=(pair,), correction=told) for run in (one, other)]
    (picture,) = pictures(charts.pairs(columns(long)))
    name = "fp16-of-half-the-channels-after/int8-of-half-the-channels-after: latency"
    assert name in [each.text for each in picture.iter(f"{SPACE}text")], "its end tells which of whom, and in what"
    page = StrictPage(html_report(evidence(runs))).text
    assert "3 variants were measured in turns with one baseline" in page
    assert "98.33 % each (Bonferroni, 3 comparisons)" in page
    assert charts.pairs(columns([make()])) == ""
    assert "Bonferroni" not in StrictPage(html_report(evidence([make()]))).text
