"""The page: whole and well-formed, nothing fetched or executed, hostile names are text, and what is wrong stands on top."""

from __future__ import annotations

import base64
import hashlib
import re
from math import hypot

import msgspec
import pytest
from edgetui.engine.advice.columns import columns
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.recomputed import BlockMeans, EnergyWindow, PowerTrace, RawFigure, Recomputed
from edgetui.engine.advice.spread import Spread, Spreads
from edgetui.engine.report import charts
from edgetui.engine.report.evidence import Evidence, PlanInside, evidence
from edgetui.engine.report.html_report import html_report
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.svg import LETTER, Canvas, Scale
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.figures import Energy, Power, Ratio
from edgetui.engine.schema.plan import LayerFacts, PlanFacts
from edgetui.engine.schema.stamps import BackendStamp, BoardStamp, DatasetStamp, RecipeStamp
from hypothesis import given
from hypothesis import strategies as st
from strict_html import StrictPage, pictures

HOSTILE = (
    "</title></svg><script>alert(1)</script>\"'><img src=x onerror=alert(2)> & ]]> `|` [a](javascript:b) \x1b[31m\x00\u202e"
)


def again(run: str, *figures: RawFigure) -> Recomputed:
    """A run of four blocks and windows a side."""
    sides = ("baseline", "candidate")
    return Recomputed(
        run=run,
        figures=figures or (RawFigure(path="candidate.latency_ms.mean", stored=1.1, computed=1.1),),
        blocks=tuple(
            BlockMeans(side=side, began_s=(0.0, 1.0, 2.0, 3.0), mean_ms=(2.0 - k, 2.1 - k, 1.9 - k, 2.0 - k))
            for k, side in enumerate(sides)
        ),
        power=PowerTrace(
            samples_s=tuple(k / 10 for k in range(100)),
            watts=tuple(4.0 + (k // 10) % 2 for k in range(100)),
            idle_s=(0.5,),
            idle_w=(4.0,),
            windows=tuple(
                EnergyWindow(side=sides[k % 2], begin_s=1.0 + k, end_s=1.8 + k, inferences=9, joules=4.0) for k in range(8)
            ),
        ),
    )


def spread(label: str, run: str, side: str) -> Spread:
    return Spread(
        label=label, run=run, side=side, n=100, mean=1.1, min=0.9, q1=1.0, median=1.05, q3=1.2, max=9.0,
        low_whisker=0.9, high_whisker=1.5, low_outliers=0, high_outliers=2, counts=(0, 40, 50, 8), below=0, above=2,
    )  # fmt: skip


@pytest.fixture
def told(make):
    """Two runs with all that a report can have."""

    def build(*recipes: str) -> Evidence:
        runs = []
        for recipe in recipes or ("int8", "fp16"):
            run = make(recipe, toml='[[step]]\nmethod = "quantize.int8"')
            energy = Energy(gross=2e-3, net=1e-3, net_half_width=1e-5, windows=5, samples=100, rate_hz=20.0, scope="module")
            side = msgspec.structs.replace(run.candidate, energy_j_per_inference=energy, power_w=Power(mean=5.0, idle=4.0))
            joules = msgspec.structs.replace(run.difference, energy_ratio=Ratio(value=0.5, low=0.4, high=0.6))
            verdict = {**run.verdict, "energy": "thriftier"}
            runs.append(msgspec.structs.replace(run, candidate=side, difference=joules, verdict=verdict))
        found = evidence(runs)
        shown = [spread("FP32", runs[0].run, "baseline"), *(spread(run.recipe.name, run.run, "candidate") for run in runs)]
        layers = tuple(
            LayerFacts(name=f"layer {k}", kind="Conv", precision="INT8", milliseconds=1.0 / (k + 1)) for k in range(40)
        )
        return msgspec.structs.replace(
            found,
            comparison=msgspec.structs.replace(
                found.comparison, latencies=Spreads(low_ms=0.8, high_ms=1.6, columns=tuple(shown))
            ),
            recomputed=tuple(again(run.run) for run in runs),
            plans=(PlanInside(runs[0].run, "candidate", PlanFacts(name="p", layers=layers, inferences=9)),),
            version="1.2.3",
        )

    return build


def test_the_page_is_well_formed_and_has_all_parts(told):
    text = html_report(told())
    page = StrictPage(text)
    assert page.faults == []
    drawn = pictures(text)
    titles = [picture[0].text for picture in drawn]
    assert len(set(titles)) == 7
    assert {"Candidate over baseline", "latency and top-1", "Power over time, with energy windows"} <= set(titles)
    for words in (
        "Take int8: 2.2 times faster",
        "0.500 [0.400, 0.600] thriftier",
        "How it was measured",
        "95 of 100 such intervals would hold the true value",
        "1 figures were computed again from the raw samples",
        "board: name a board",
        "candidate.latency_ms.p99 have 480 of 662",
        'method = "quantize.int8"',
        "40 layers: 40 INT8",
        "edgetui 1.2.3",
    ):
        assert words in page.text, words


def test_every_cell_of_the_comparison_stands_in_the_page(told):
    found = told()
    text = StrictPage(html_report(found)).text
    cells = [cell for row in found.comparison.rows for cell in (row.label, *row.cells)]
    assert [cell for cell in cells if " ".join(cell.split()) not in text] == []


def test_nothing_is_fetched_or_executed(told):
    text = html_report(told())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy[1] == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert not {"script", "img", "link", "a", "iframe", "object", "image", "use", "foreignObject"} & set(StrictPage(text).tags)
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in style[1]
    assert "@media print" in style[1]


def hostile_everywhere(run, bad: str):
    return msgspec.structs.replace(
        run,
        run=bad,
        recipe=RecipeStamp(name=bad, title=bad, toml=f"{bad}\n```\n# out of the fence"),
        board=BoardStamp(name=bad, os=bad, busy=(bad,), temps_c={bad: 50.0}, power_mode=bad),
        backend=BackendStamp(name="onnxruntime", version=bad, graph=bad, provider=bad, mode=bad, device=bad),
        dataset=DatasetStamp(name=bad, evaluated=5, calibrated=5),
        model=msgspec.structs.replace(run.model, name=bad),
        warnings=(bad,),
        reasons={bad: bad},
        stages=tuple(msgspec.structs.replace(stage, name=bad, summary=bad) for stage in run.stages),
        error=Failure(stage=bad, what=bad, fix=bad),
        state="failed",
        fidelity=msgspec.structs.replace(run.fidelity, ruined=bad),
    )


@pytest.mark.parametrize("bad", [HOSTILE, "x" * 5000, "漢" * 300, "\r\n\t\x7f\x9b", "-->", "<!--", "${7*7}{{7*7}}", "]]>"])
def test_hostile_names_are_text(told, make, bad):
    found = told()
    runs = tuple(hostile_everywhere(run, bad) for run in found.results)
    plans = (PlanInside(bad, "candidate", PlanFacts(name=bad, layers=(LayerFacts(name=bad, kind=bad, milliseconds=1.0),))),)
    spreads = Spreads(low_ms=0.8, high_ms=1.6, columns=(spread(bad, bad, "candidate"),))
    comparison = msgspec.structs.replace(compare(runs), latencies=spreads)
    wrong = again(bad, RawFigure(path=bad, stored=1.0, computed=2.0, differs=True))
    text = html_report(
        Evidence(results=runs, stored=runs, comparison=comparison, recomputed=(wrong,), plans=plans, version=bad)
    )
    page = StrictPage(text)
    assert page.faults == []
    assert page.tags["title"] == 1 + len(pictures(text))
    assert not {"script", "img"} & set(page.tags)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


def test_hostile_names_leave_markdown_as_it_is(told):
    found = told()
    runs = tuple(hostile_everywhere(run, HOSTILE) for run in found.results)
    text = markdown(Evidence(results=runs, stored=runs, comparison=compare(runs)))
    outside = re.sub(r"^(`{4,})toml\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "# out of the fence" in text
    assert "# out of the fence" not in outside
    outside = re.sub(r"(?<!\\)`[^`]*`", "", outside)
    assert "<script" not in outside
    assert "](" not in outside.replace(r"]\(", "")
    assert "\x1b" not in text
    tables = [line for line in outside.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables if "stamp" not in line} <= {3, 4, 5}


def test_figures_that_differ_stand_on_top(told):
    found = told()
    wrong = again(found.results[0].run, RawFigure(path="candidate.fps", stored=9.0, computed=7.5, differs=True))
    page = StrictPage(html_report(msgspec.structs.replace(found, recomputed=(wrong,)))).text
    said = "1 of 1 figures of result.json are not what the raw samples give"
    assert page.index(said) < page.index("Advice")
    assert "candidate.fps is 9 there and 7.5 by the samples" in page
    assert said in markdown(msgspec.structs.replace(found, recomputed=(wrong,)))
    assert said not in StrictPage(html_report(found)).text


def test_runs_of_different_stamps_are_warned_of(told):
    found = told()
    other = msgspec.structs.replace(found.results[1], board=msgspec.structs.replace(found.results[1].board, power_mode="25W"))
    one = msgspec.structs.replace(found.results[0], board=msgspec.structs.replace(found.results[0].board, power_mode="15W"))
    page = StrictPage(html_report(evidence([one, other]))).text
    assert "different states: power mode (15W; 25W)" in page
    assert "different states" not in StrictPage(html_report(found)).text


def test_runs_without_a_common_baseline_have_one_each_and_no_front(make):
    page = StrictPage(html_report(evidence([make(), make(model="vgg")]))).text
    assert "FP32 vgg" in page
    assert "no front, for the runs have different model" in page
    assert "(front)" not in page
    assert "no choice between them follows" in page


@pytest.mark.parametrize("state", ["failed", "crashed", "running", "queued", "cancelled"])
def test_a_run_that_has_not_ended_well_is_told_as_such(make, state):
    bare = msgspec.structs.replace(
        make(), state=state, verdict={}, stages=(), error=Failure(stage="build", what="it was killed", fix="resume it")
    )
    page = StrictPage(html_report(evidence([bare])))
    assert page.faults == []
    assert f"is {state}: what follows is what is known of it by now: it was killed; resume it" in page.text


def test_a_result_with_nothing_in_it_makes_a_page():
    from edgetui.engine.schema.result import Result

    page = StrictPage(html_report(evidence([Result(run="r", state="queued")])))
    assert page.faults == []
    assert "svg" not in page.tags


def test_a_chart_of_nothing_is_none(make):
    nothing = Spreads(columns=(Spread(label="FP32", run="r", side="baseline", reason="it is gone"),))
    assert charts.histograms(nothing) == charts.boxes(nothing) == ""
    assert charts.blocks(Recomputed(run="r")) == charts.power(Recomputed(run="r")) == charts.layers(PlanFacts(name="p")) == ""
    assert charts.ratios(columns([msgspec.structs.replace(make(), difference=type(make().difference)())])) == ""


def test_a_bar_lies_where_its_ratio_is(make):
    drawn = pictures(charts.ratios(columns([make()])))[0]
    space = "{http://www.w3.org/2000/svg}"
    rule = next(float(line.get("x1")) for line in drawn.iter(f"{space}line") if line.get("class") == "rule")
    dots = [float(dot.get("cx")) for dot in drawn.iter(f"{space}circle")]
    scale = Scale(0.0, 1.1, charts.LEFT, charts.WIDTH - charts.BESIDE)
    assert rule == pytest.approx(scale(1.0), abs=0.01)
    assert dots[0] == pytest.approx(scale(0.452), abs=0.01)


finite = st.floats(-1e18, 1e18)


@given(low=finite, high=finite, value=finite)
def test_a_scale_has_round_ticks_and_keeps_within_its_ends(low, high, value):
    scale = Scale(low, high, 0.0, 100.0)
    assert 0.0 <= scale(value) <= 100.0
    ticks = scale.ticks()
    assert len(ticks) <= 7
    near = (scale.high - scale.low) * 1e-6
    assert all(scale.low - near <= tick <= scale.high + near for tick in ticks)


@given(text=st.text(max_size=80), room=st.floats(1, 400))
def test_any_text_is_well_formed_in_a_picture(text, room):
    canvas = Canvas(10, 10, text, text)
    canvas.text(1, 2, text, room=room)
    assert len(pictures(canvas.drawn())) == 1


def test_names_in_the_chart_of_a_front_stand_beside_their_own_dots(make):
    """Where several were close, a name was moved down until it stood beside another's dot."""
    runs = [make(f"recipe-{n}", 0.4, points=-0.02 - 0.0008 * n) for n in range(4)]
    drawn = charts.front(compare(runs))
    dots = list(dict.fromkeys((float(x), float(y)) for x, y in re.findall(r'<circle [^>]*?cx="([\d.]+)" cy="([\d.]+)"', drawn)))
    texts = re.findall(r'<text [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>((?:FP32|recipe-\d)[^<]*)<', drawn)
    assert len(texts) == len(dots) == 5
    for own, (left, line, name) in zip(dots, texts, strict=True):
        begin, end = float(left), float(left) + LETTER * len(name)
        far = {(x, y): hypot(max(0.0, begin - x, x - end), float(line) - 4 - y) for x, y in dots}
        assert min(far, key=far.__getitem__) == own, name
