"""What is advised: only what was shown counts, accuracy within the goal, and a reason for every run that was not taken."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.metrics import COSTS, QUALITIES
from edgetui.engine.advice.pareto import pareto, placed
from edgetui.engine.advice.sentences import verdict_sentence
from edgetui.engine.errors import UsageError
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.text import run_report
from edgetui.engine.schema import result as documents
from edgetui.engine.schema.figures import Difference, Metrics, Ratio
from edgetui.engine.schema.output_figures import Accuracy, Fidelity
from edgetui.engine.schema.stamps import BackendStamp, BoardStamp
from hypothesis import given
from hypothesis import strategies as st

PRUNED = '[[step]]\nmethod = "prune.magnitude"\namount = 0.5\n'

OLDER = Path(__file__).resolve().parents[2] / "support" / "older_result.json"


def test_the_fastest_within_the_goal_is_taken_with_its_reasons(make):
    found = compare([make("prune-50", 0.99, "no difference shown", size=1.0, toml=PRUNED), make()])
    assert found.choice == "int8"
    text = " ".join(found.advice)
    assert "at most 1 point of top-1 lost" in text
    assert "Take int8: 2.2 times faster, 68 % smaller; top-1 0.10 points lower (not shown to differ, p 0.61)." in text
    assert "prune-50 is not shown to be faster: its zeros are scattered and the plan is dense." in text


def test_a_recipe_of_another_version_has_no_reasons(make):
    found = compare([make("later", 0.99, "no difference shown", size=1.0, toml='[[step]]\nmethod = "prune.later"\n'), make()])
    assert "later is not shown to be faster." in " ".join(found.advice)


def test_a_lower_mean_that_is_not_shown_does_not_win(make):
    found = compare([make("prune-50", 0.97, "no difference shown", size=1.0)])
    assert found.choice == "FP32"
    assert "Keep FP32" in found.advice[1]


def test_a_faster_run_that_loses_too_much_is_out(make):
    runs = [make("student", 0.33, points=-0.042, p=0.0001), make()]
    assert compare(runs).choice == "int8"
    assert "student is out: it loses 4.2 points of top-1." in compare(runs).advice
    assert compare(runs, "fastest drop=0.05").choice == "student"
    assert compare(runs, "fastest top1=0.9").choice == ""


def test_the_goal_may_be_size(make):
    runs = [make("int8", size=0.32), make("weights-4", 1.0, "no difference shown", size=0.2)]
    assert compare(runs, "smallest").choice == "weights-4"
    assert compare(runs, "fastest").choice == "int8"


def test_without_labels_the_outputs_decide_and_it_is_said(make):
    found = compare([make(points=None, cosine=0.99), make("broken", 0.2, points=None, cosine=0.4)])
    assert found.choice == "int8"
    assert "without labels accuracy is not known" in found.advice[0]
    assert any("broken is out" in line and "0.400" in line for line in found.advice)
    assert found.axes == ("latency_ms", "cosine")


def test_ruined_outputs_are_never_taken_however_near_the_whole_looks(make):
    ruined = make("hard", 0.2, points=None, cosine=0.998)
    ruined = msgspec.structs.replace(ruined, fidelity=msgspec.structs.replace(ruined.fidelity, ruined="node /a is drowned"))
    found = compare([make(points=None), ruined])
    assert found.choice == "int8"
    assert "hard is out: its outputs are ruined." in found.advice
    assert "its outputs are ruined" in verdict_sentence(ruined)
    assert "**RUINED (hard): node /a is drowned**" in markdown(evidence([ruined]))
    shown = run_report(ruined, 100)
    assert shown.index("!! node /a is drowned") < shown.index("hard against FP32")


def test_what_was_not_measured_cannot_be_the_goal(make):
    found = compare([make()], "least-energy")
    assert found.choice == ""
    assert "energy, was not measured" in found.advice[1]


def test_runs_that_did_not_end_well_leave_nothing_to_choose(make):
    crashed = msgspec.structs.replace(make(), state="crashed", verdict={})
    found = compare([crashed])
    assert found.choice == ""
    assert "None of these runs has ended well" in found.advice[1]
    assert not any("not shown to differ" in line for line in found.advice)


def test_two_that_overlap_are_not_ranked_by_their_means(make):
    found = compare([make("a", 0.452), make("b", 0.456)])
    assert any("b is not shown to differ from a in latency" in line for line in found.advice)


def test_several_models_have_a_baseline_each_and_no_one_choice(make):
    found = compare([make(), make(model="vgg"), make("fp16", 1.2, "slower", model="vgg")])
    assert found.columns == ("FP32 resnet20", "int8", "FP32 vgg", "int8 #2", "fp16")
    assert found.runs[0] == found.runs[2] == ""
    assert found.choice == ""


def test_a_run_that_failed_is_a_column_of_dashes(make):
    failed = msgspec.structs.replace(make("fp16"), state="failed", candidate=Metrics(), difference=Difference(), verdict={})
    found = compare([make(), failed])
    assert "fp16 is out: the run failed." in found.advice
    column = [row.cells[2] for row in found.rows if row.label == "latency, mean"]
    assert column == ["–"]


def test_dashes_give_the_reason_and_the_payback_its_price(make):
    cells = {row.label: row.cells for row in compare([make(), make("fp16", 1.3, "slower", size=0.5)]).rows}
    assert cells["p50 p90 p99, ms"][1].endswith("– (have 480 of 662)")
    assert cells["ratio to FP32"] == ("1", "0.452 [0.446, 0.458] faster", "1.30 [1.29, 1.31] slower")
    assert cells["pays back after"] == ("–", "1 500 inferences", "never")  # (1.3 + 0.3 + 0.4) s at 1.337 ms each
    assert cells["time to compress"][1] == "2.0 s"
    assert cells["top-1"][1] == "0.809  McNemar p 0.61"


def test_tones_say_what_the_verdict_says(make):
    rows = {row.label: row.tones for row in compare([make(), make("fp16", 1.3, "slower", size=0.5)]).rows}
    assert rows["latency, mean"] == ("", "better", "worse")
    assert rows["offset rate"] == ("", "", "")


def test_a_run_in_words(make):
    assert verdict_sentence(make()).startswith("int8 against FP32: 2.2 times faster, 68 % smaller; top-1 0.10 points lower")
    assert "15 % faster" in verdict_sentence(make(ratio=0.85))


def test_a_result_of_an_older_version_is_read_and_compared(make):
    older = documents.decode(OLDER.read_bytes())
    assert b'"schema"' not in OLDER.read_bytes()
    assert (older.schema, older.recipe.name) == (1, "older")
    found = compare([make(), older])
    assert found.columns == ("FP32", "int8", "older")
    assert found.choice == "int8"
    assert any(line.startswith("Runner-up: older: 2.0 times faster, 67 % smaller") for line in found.advice)
    assert "older against FP32" in run_report(older, 200)


def test_results_say_their_schema(make):
    written = msgspec.structs.replace(make(), schema=documents.SCHEMA)
    assert msgspec.json.decode(documents.encode(written))["schema"] == 2


def test_nothing_to_compare():
    with pytest.raises(UsageError, match="edgetui runs"):
        compare([])


VALUES = st.lists(st.tuples(st.floats(0.1, 10), st.floats(0, 1)), min_size=1, max_size=12)


@given(values=VALUES)
def test_the_front_is_what_nobody_beats(values):
    points = [placed(str(n), "", {"latency_ms": x, "top1": y}) for n, (x, y) in enumerate(values)]
    front = pareto(points, (COSTS[0], QUALITIES[0]))
    assert front
    for n, (x, y) in enumerate(values):
        beaten = any(a <= x and b >= y and (a, b) != (x, y) for a, b in values)
        assert (n in front) != beaten


def test_a_point_without_a_value_is_not_on_the_front():
    points = [placed("a", "", {"latency_ms": 1.0}), placed("b", "", {"latency_ms": 2.0, "top1": 0.5})]
    assert pareto(points, (COSTS[0], QUALITIES[0])) == {1}


def test_baselines_that_differ_are_told(make):
    one, two = make("a"), make("b")
    assert not any("machine changed" in line for line in compare([one, two]).advice)
    slow = msgspec.structs.replace(two.baseline.latency_ms, mean=4.9)
    two = msgspec.structs.replace(two, baseline=msgspec.structs.replace(two.baseline, latency_ms=slow))
    assert any("from 2.44 ms to 4.90 ms" in line for line in compare([one, two]).advice)


def test_less_than_a_percent_is_not_told_as_none(make):
    found = compare([make("a", 0.996)])
    assert any("0.4 % faster" in line for line in found.advice)


def test_what_never_was_judged_is_not_said_to_pay_back_never(make):
    unjudged = msgspec.structs.replace(make(), state="failed", verdict={})
    cells = {row.label: row.cells for row in compare([make("fp16", 1.3, "slower"), unjudged]).rows}
    assert cells["pays back after"] == ("–", "never", "–")


ASKED = {
    "workload": "flat-out",
    "data": "cifar10",
    "data_hash": "sha-a",
    "preprocessing": "color RGB",
    "task": "classification",
    "samples": "all",
}


def under(result, top1=0.81, **changed):
    """The same run as it would be under other conditions, where the baseline has another top-1."""
    accuracy = msgspec.structs.replace(result.baseline.accuracy, top1=top1)
    name = f"{result.run}-{len(changed)}-{top1}"
    return msgspec.structs.replace(
        result, run=name, conditions={**ASKED, **changed}, baseline=msgspec.structs.replace(result.baseline, accuracy=accuracy)
    )


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("color RGB mean 0.5", "color RGB scale 255 mean 0.5"),
        ("as the model's input says", "as the model's input says, scale 255"),
        ("mean 0.5", "scale 255 mean 0.5"),
        ("color RGB", "color RGB, whole pixels"),
    ],
)
def test_a_run_of_before_that_left_out_a_default_has_the_same_baseline(make, before, now):
    one, two = under(make(), preprocessing=before), under(make("fp16", 0.9), preprocessing=now)
    assert compare([one, two]).differs == {}
    for other in ("color BGR", "scale 2550", "scale 255.5 mean 0.5"):
        assert compare([one, under(make("fp16", 0.9), preprocessing=other)]).differs != {}


@pytest.mark.parametrize(
    ("word", "changed", "shown"),
    [
        ("preprocessing", {"preprocessing": "color BGR"}, "color BGR"),
        ("data", {"data": "other", "data_hash": "sha-b"}, "other"),
        ("workload", {"workload": "paced rate_hz 10"}, "paced rate_hz 10"),
    ],
)
def test_what_was_run_under_other_conditions_has_a_baseline_of_its_own_and_no_choice(make, word, changed, shown):
    one, two = under(make()), under(make("fp16", 0.9), 0.27, **changed)
    found = compare([one, two])
    assert found.columns[1::2] == ("int8", "fp16")
    assert [name.startswith("FP32 ") for name in found.columns[::2]] == [True, True]
    assert found.columns[2] == f"FP32 {shown}"
    top1 = next(row.cells for row in found.rows if row.label == "top-1")
    assert [cell.partition(" ")[0] for cell in top1[::2]] == ["0.810", "0.270"]
    assert f"different {word}" in found.title
    assert shown in found.title
    assert found.differs[word][1] == shown
    assert (found.choice, any(point.front for point in found.points)) == ("", False)
    assert f"These runs differ in {word}" in found.advice[1]


@pytest.mark.parametrize(
    ("changed", "shared"),
    [
        ({"data_hash": "sha-b", "samples_hash": "files"}, True),
        ({"samples_hash": ""}, True),
        ({"data_hash": "sha-b", "samples_hash": ""}, False),
        ({"data_hash": "sha-b", "samples_hash": "others"}, False),
    ],
    ids=["described otherwise", "from an older version", "both", "other samples"],
)
def test_data_are_the_same_where_samples_or_all_that_was_asked_are(make, changed, shared):
    found = compare([under(make(), samples_hash="files"), under(make("fp16", 0.9), **changed)])
    assert len(found.columns) == (3 if shared else 4)
    assert found.differs == ({} if shared else {"data": ("cifar10 (sha-a)", "cifar10 (sha-b)")})


def test_what_a_run_never_said_is_not_what_it_is_called_by(make):
    cut = msgspec.structs.replace(under(make("fp16", 0.9), data_hash="sha-b"), board=BoardStamp(), state="cancelled")
    assert compare([cut, under(make())]).columns[::2] == ("FP32 cifar10 (sha-b)", "FP32 cifar10 (sha-a)")


def test_another_board_or_number_of_threads_is_no_part_of_the_comparison(make):
    other = msgspec.structs.replace(make("fp16"), backend=msgspec.structs.replace(make().backend, threads=4))
    assert "backend" in compare([make(), other]).differs
    slow = msgspec.structs.replace(make("fp16"), board=msgspec.structs.replace(make().board, power_mode="15W"))
    fast = msgspec.structs.replace(make(), board=msgspec.structs.replace(make().board, power_mode="MAXN"))
    assert compare([fast, slow]).differs == {"board": ("a board, MAXN", "a board, 15W")}


def test_what_a_run_never_came_to_say_divides_nothing(make):
    failed = msgspec.structs.replace(
        under(make("fp16")), state="failed", dataset=None, backend=BackendStamp(), board=BoardStamp()
    )
    assert compare([under(make()), failed]).differs == {}
    assert compare([failed, under(make())]).choice == "int8"


def test_the_same_data_under_another_name_are_the_same(make):
    assert compare([under(make()), under(make("fp16"), data="batches")]).differs == {}


def test_outputs_that_are_labels_are_judged_by_the_share_that_is_equal(make):
    def run(recipe, ratio, share):
        told = make(recipe, ratio, points=None)
        return msgspec.structs.replace(told, fidelity=Fidelity(agreement=share, samples=20))

    found = compare([run("int8", 0.5, 0.993), run("broken", 0.2, 0.61)])
    assert (found.choice, found.axes) == ("int8", ("latency_ms", "agreement"))
    assert "95.0 % of its outputs' labels equal" in found.advice[0]
    assert any("broken is out: its outputs are far from FP32's (61.0 % of labels equal)" in line for line in found.advice)
    assert next(row.cells for row in found.rows if row.label == "elements equal") == ("–", "99.30 %", "61.0 %")


def detector(make, recipe="int8", ratio=0.45, after=0.392, low=-0.02, high=-0.005):
    """A run whose labels are boxes."""
    run = make(recipe, ratio, points=None)
    sides = [
        msgspec.structs.replace(
            side,
            accuracy=Accuracy(
                map50=value + 0.2,
                map50_low=value + 0.1,
                map50_high=value + 0.3,
                map50_95=value,
                map50_95_low=value - 0.02,
                map50_95_high=value + 0.02,
                boxes=900,
                n=100,
            ),
        )
        for side, value in ((run.baseline, 0.4), (run.candidate, after))
    ]
    points = Ratio(value=after - 0.4, low=low, high=high, interleaved=True)
    return msgspec.structs.replace(
        run,
        baseline=sides[0],
        candidate=sides[1],
        difference=msgspec.structs.replace(run.difference, map50_95_points=points),
        conditions={"task": "detection"},
    )


def test_detectors_are_chosen_by_map_as_classifiers_by_top1(make):
    found = compare([detector(make), detector(make, "hard", 0.2, 0.3, -0.12, -0.08)])
    assert found.choice == "int8"
    assert found.axes == ("latency_ms", "map50_95")
    assert found.advice[0] == "Goal: fastest with at most 1 point of mAP50-95 lost."
    assert any("mAP50-95 0.80 points lower" in line for line in found.advice)
    assert "hard is out: it loses 10 points of mAP50-95." in found.advice
    cells = {row.label: row.cells for row in found.rows}
    assert cells["mAP50-95"] == ("0.400", "0.392", "0.300")
    assert cells["mAP50"][1] == "0.592 [0.492, 0.692]"
    assert "top-1" not in cells


def test_the_least_map_that_a_goal_asks_for_is_held(make):
    assert compare([detector(make)], "fastest map50_95=0.395").choice == "FP32"
    assert "int8 is out: mAP50-95 is 0.392." in compare([detector(make)], "fastest map50_95=0.395").advice
    assert "its mAP50-95 is not known" in " ".join(compare([make()], "fastest map50_95=0.3").advice)


def test_boxes_that_left_the_baselines_are_far_without_labels(make):
    near = make(points=None, cosine=1.0)
    far = msgspec.structs.replace(
        near, fidelity=msgspec.structs.replace(near.fidelity, detections=50, detections_map50=0.8, detections_map50_95=0.5)
    )
    found = compare([far])
    assert found.choice == "FP32"
    assert any("mAP50-95 0.500 with FP32's as the truth" in line for line in found.advice)
