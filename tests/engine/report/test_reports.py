"""Reports as text, Markdown, CSV and folders: nothing is lost on the way, and they fit the terminal."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.advice import words
from edgetui.engine.advice.compare import compare
from edgetui.engine.advice.forecast import Forecast
from edgetui.engine.errors import Refusal, StorageRefused
from edgetui.engine.report.evidence import evidence
from edgetui.engine.report.flat import csv_text
from edgetui.engine.report.html_report import html_report
from edgetui.engine.report.markdown import markdown
from edgetui.engine.report.run_export import copy_artifacts, export
from edgetui.engine.report.table import Plain, table
from edgetui.engine.report.text import comparison_report, facts_report, forecast_report, run_report, runs_report
from edgetui.engine.report.width import width_of
from edgetui.engine.schema import result as documents
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.figures import Difference, Ratio
from edgetui.engine.schema.model_facts import ModelFacts, TensorFacts
from edgetui.engine.schema.run_summary import RunSummary
from hypothesis import given
from hypothesis import strategies as st


@given(value=st.floats(1e-6, 1e9))
def test_three_digits_are_within_half_a_percent(value):
    text = words.digits(value)
    assert "e" not in text
    assert float(text) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (words.digits(9.996), "10.0"),
        (words.digits(0.9996), "1.00"),
        (words.ms(1.1, 0.0213), "1.10 ms ± 0.02"),
        (words.ms(12.3, 0.001), "12.3 ms ± 0.001"),
        (words.ms(None, reason="never run"), "– (never run)"),
        (words.ratio(Ratio(value=0.452, low=0.447, high=0.458)), "0.452 [0.447, 0.458]"),
        (words.ratio(Ratio(value=0.452, low=3e-15, high=6e13)), "0.452 [not known]"),
        (words.ratio(Ratio(value=0.526, interleaved=True)), "0.526 [not known]"),
        (words.ratio(Ratio(value=0.285)), "0.285"),
        (words.percent(-0.0), "0 %"),
        (words.grouped(25242), "25 242"),
        (words.size(999_600), "1.00 MB"),
        (words.size(None), "–"),
        (words.seconds(0.42), "0.4 s"),
        (words.signed(-0.04, 1), "0.0"),
        (words.signed(0.04, 1), "0.0"),
        (words.signed(-0.06, 1), "-0.1"),
        (words.signed(0.25, 2), "+0.25"),
        (words.signed_digits(-0.0), "0"),
        (words.signed_digits(-0.0004), "-0.000400"),
        (words.fixed(-0.0004, 3), "0.000"),
        (words.fixed(-0.0006, 3), "-0.001"),
        (words.seconds(14 * 60), "14 min"),
        (words.seconds(7505), "2 h 05 min"),
        (words.took(14.0, cached=True), "cached"),
        (words.took(14.0, cached=False), "14 s"),
        (words.took_together([(1.0, False), (300.0, True), (2.0, False)]), "3.0 s, 1 cached"),
        (words.took_together([(1.0, True), (300.0, True)]), "cached"),
        (words.thousands(18_999), "19 000"),
        (words.p_value(0.00001), "p <0.001"),
        (words.percent(0.0001), "<0.1 %"),
        (words.percent(-0.002), "-0.2 %"),
        (words.joules(0.0171), "17.1 mJ"),
        (words.joules(0.00522, 0.000275), "5.22 mJ ± 0.28"),
        (words.joules(0.0206, 0.00201), "20.6 mJ ± 2.0"),
        (words.joules(370.0, 36.2), "370 J ± 36"),
        (words.joules(256e-6, 0.1e-6), "256 µJ ± 0.1"),
    ],
)
def test_figures_as_people_read_them(shown, text):
    assert shown == text


LETTERS = ("a", "b", " ", "é", "漢", "-", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "e\u0301")
WORDS = st.lists(st.sampled_from(LETTERS), max_size=30).map("".join)
CELLS = st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=5)


@given(rows=CELLS, width=st.integers(40, 120))
def test_a_table_fits_and_keeps_every_letter(rows, width):
    text = table(rows, width=width)
    assert all(width_of(line) <= width for line in text.splitlines())
    for letter in ("a", "b", "é", "漢", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER}", "e\u0301"):
        assert text.count(letter) == sum(cell.count(letter) for row in rows for cell in row)


@pytest.mark.parametrize("width", [80, 120])
def test_a_run_tells_its_verdict_and_table(make, width):
    text = run_report(make(), width)
    assert "2.2 times faster" in text
    assert "Latency ratio 0.452 [0.446, 0.458]" in " ".join(text.split())
    assert "quantize.int8" in text
    assert all(width_of(line) <= width for line in text.splitlines())


def test_a_stage_from_the_cache_has_no_time_of_this_run(make):
    done = make()
    stages = tuple(msgspec.structs.replace(stage, cached=True, seconds=777.0) for stage in done.stages[:1]) + done.stages[1:]
    cached = msgspec.structs.replace(done, stages=stages)
    for text in (run_report(cached, 100), html_report(evidence([cached])), markdown(evidence([cached]))):
        assert "cached" in text
        assert words.seconds(777.0) not in text


def test_a_failed_run_says_what_to_do(make):
    failed = msgspec.structs.replace(
        make(), state="failed", error=Failure(stage="build", what="no space left", fix="free some space")
    )
    assert "in stage build: no space left; free some space" in run_report(failed, 100)


def test_a_comparison_has_the_advice_and_the_front(make):
    text = comparison_report(compare([make(), make("fp16", 1.3, "slower", size=0.5)]), 120)
    assert "On the front of latency and top-1: FP32, int8." in text
    assert "Take int8" in text
    assert "2 runs · resnet20 · cifar10 (5000) · a board" in text


def test_more_columns_than_fit_follow_below_with_the_baseline_again(make):
    found = compare([make(name) for name in ("one", "two", "three", "four")])
    text = comparison_report(found, 80)
    heads = [line.split() for line in text.splitlines() if line.strip().startswith("FP32")]
    assert heads == [["FP32", "one", "two"], ["FP32", "three", "four"]]
    assert all(width_of(line) <= 80 for line in text.splitlines())


def test_a_run_named_twice_is_one_column(make):
    assert compare([make(), make()]).columns == ("FP32", "int8")


def test_a_model_says_what_it_needs():
    facts = ModelFacts(
        name="net",
        size_bytes=1_000_000,
        opset=17,
        domains={"com.acme": 1},
        inputs=(TensorFacts(name="image", dtype="float", shape=("batch", 3, None, None)),),
        parameters=1000,
        nonzero=750,
        operators={"Conv": 3, "Relu": 2},
        histogram=(1, 5, 1),
        open_axes=("image=1x3x?x?",),
        refused={"onnxruntime": (), "tensorrt": ("node /a (Foo) is not known",)},
    )
    text = facts_report(facts, 100)
    for words_of_it in (
        "--shape image=1x3x?x?",
        "com.acme 1",
        "25.0 %",
        "[batch, 3, ?, ?]",
        "reads it",
        "refuses: node /a",
        "Conv 3  Relu 2",
    ):
        assert words_of_it in text


def test_what_will_happen_is_said():
    text = forecast_report(
        Forecast(size_bytes=1_100_000, size_after_bytes=360_000, seconds=40.0, history=3, refusals=(Refusal("no data"),)), 100
    )
    assert "1.10 MB → about 360 kB" in text
    assert "about 40 s (3 runs like it on this board)" in text
    assert "! no data" in text


class Marked(Plain):
    """Every text with its tone."""

    def __call__(self, text: str, tone: str) -> str:
        return f"{tone}|{text}"


def test_what_blocks_is_said_first_and_harmless_remarks_last():
    found = Forecast(size_bytes=1, refusals=(Refusal("stop"),), warnings=("look", "hm"), remarks=("hm",))
    lines = forecast_report(found, 100, Marked()).splitlines()
    assert lines[:3] == ["bad|✗ this would be refused:", "bad|! stop", "worse|! look"]
    assert lines[-1] == "dim|· hm"


def test_the_list_of_runs():
    runs = (
        RunSummary(run="b", state="crashed", stage="build"),
        RunSummary(run="c", state="done", verdict={"outputs": "ruined", "latency": "faster"}),
        RunSummary(
            run="a",
            state="done",
            difference=Difference(latency_ratio=Ratio(value=0.5), top1_points=Ratio(value=-0.012)),
            seconds=61.0,
        ),
    )
    waits = RunSummary(run="d", state="queued", waiting_for="b")
    comes = RunSummary(run="e", state="queued", waiting_for="b", waits_for_end=True)
    text = runs_report((*runs, waits, comes), 100)
    assert "queued behind b" in text
    assert "queued after b" in text
    assert text.count("done, outputs ruined") == 1
    assert "crashed in build" in text
    assert "0.500" in text
    assert "-1.2" in text
    assert "edgetui demo" in runs_report((), 100)


def test_ids_in_the_list_of_runs_have_room_before_figures_have():
    """At 80 columns an id stood in five lines."""
    difference = Difference(latency_ratio=Ratio(value=0.5), size_ratio=0.28, top1_points=Ratio(value=-0.012))
    run = RunSummary(
        run="20261201-0435-resnet20_cifar10-prune-30-int8",
        state="running",
        stage="measure",
        difference=difference,
        seconds=61.0,
    )
    run = msgspec.structs.replace(run, tags=("field", "rain"))
    for width in (80, 100, 160):
        heads, *rows = runs_report([run], width).splitlines()
        assert len(rows) <= 2, width
        assert "0.500" in rows[0]
        assert ("tags" in heads) == (width == 160)
        assert max(map(len, rows)) <= width


def test_markdown_is_a_table_of_the_same_rows(make):
    found = compare([make()])
    text = markdown(evidence([make(toml='[[step]]\nmethod = "quantize.int8"')]))
    assert text.count("\n| ") >= len(found.rows)
    assert "```toml" in text
    assert "SHA-256 `sha-resnet20`" in text


def test_csv_has_every_figure_and_why_one_is_missing(make):
    lines = list(csv.DictReader(io.StringIO(csv_text([make()]))))
    by_field = {line["field"]: line for line in lines}
    assert float(by_field["candidate.latency_ms.mean"]["value"]) == pytest.approx(2.44 * 0.452)
    assert by_field["candidate.latency_ms.p99"] == {
        "run": make().run,
        "field": "candidate.latency_ms.p99",
        "value": "",
        "reason": "have 480 of 662",
    }


@pytest.mark.parametrize("word", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1"])
def test_csv_gives_a_spreadsheet_nothing_to_compute(word: str, make):
    result = make()
    named = msgspec.structs.replace(result, recipe=msgspec.structs.replace(result.recipe, name=word))
    by_field = {line["field"]: line["value"] for line in csv.DictReader(io.StringIO(csv_text([named])))}
    assert by_field["recipe.name"] == f"'{word}"
    assert float(by_field["difference.top1_points.value"]) < 0


@pytest.fixture
def source(tmp_path):
    """A run's folder."""
    run = tmp_path / "20261130-0127-net"
    (run / "artifacts" / "model").mkdir(parents=True)
    (run / "artifacts" / "model" / "plan.onnx").write_bytes(b"plan")
    (run / "artifacts" / "passwd").symlink_to("/etc/passwd")
    (run / "run.toml").write_text("x = 1")
    return run


def test_export_writes_a_folder_that_reads_back(make, source, tmp_path):
    found = export(evidence([make(toml="x")]), [source], tmp_path / "out")
    names = {str(Path(path).relative_to(tmp_path / "out")) for path in found.files}
    report = {"report.html", "report.md", "report.json", "figures.csv"}
    assert names == {*report, "result.json", "recipe.toml", "run.toml", "artifacts/model/plan.onnx"}
    assert documents.decode((tmp_path / "out" / "result.json").read_bytes()) == make(toml="x")
    assert all(Path(path).is_file() for path in found.files)
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name, "out"]


def test_several_runs_have_a_folder_each_below_one_report(make, source, tmp_path):
    runs = [msgspec.structs.replace(make(name), run=f"../../{name}") for name in ("one", "two")]
    other = source.with_name("20261130-0128-net")
    other.mkdir()
    found = export(evidence(runs), [source, other], tmp_path / "a" / "out")
    names = {str(Path(path).relative_to(tmp_path / "a" / "out")) for path in found.files}
    assert {"report.html", f"runs/{source.name}/result.json", f"runs/{other.name}/result.json"} <= names
    text = (tmp_path / "a" / "out" / "report.html").read_text()
    assert "one" in text
    assert "two" in text


def test_what_links_of_a_run_folder_name_is_not_given_away(make, source, tmp_path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("k")
    (source / "artifacts").rename(source / "was")
    (source / "artifacts").symlink_to(secret)
    (source / "run.toml").unlink()
    (source / "run.toml").symlink_to(secret / "key")
    found = export(evidence([make()]), [source], tmp_path / "out")
    assert not {Path(name).name for name in found.files} & {"key", "run.toml"}


def test_export_overwrites_nothing(make, source, tmp_path):
    (tmp_path / "kept").write_text("mine")
    for to in (tmp_path, tmp_path / "kept"):
        with pytest.raises(StorageRefused, match="is there already"):
            export(evidence([make()]), [source], to)
    assert (tmp_path / "kept").read_text() == "mine"


def test_an_empty_folder_is_written_into_and_stays_the_same_folder(make, source, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    found = export(evidence([make()]), [source], Path("."))
    assert "report.html" in found.files
    assert Path("report.html").is_file()


def test_a_folder_that_nobody_may_write_to_is_named(make, source, tmp_path, somebody_else):
    with pytest.raises(StorageRefused, match=f"cannot write {tmp_path}|cannot reach {tmp_path}"):
        export(evidence([make()]), [source], tmp_path / "out")


def test_artifacts_are_copied_with_their_data_files(make, tmp_path):
    (tmp_path / "plan.onnx").write_bytes(b"plan")
    (tmp_path / "plan.onnx.data").write_bytes(b"weights")
    done = msgspec.structs.replace(make(), artifacts={"plan": str(tmp_path / "plan.onnx")})
    copies = copy_artifacts(done, tmp_path / "out")
    assert [path.name for path in copies] == ["plan.onnx", "plan.onnx.data"]
    assert (tmp_path / "out" / "plan.onnx.data").read_bytes() == b"weights"


def test_a_full_disk_names_where_it_is_full_and_leaves_nothing(make, tmp_path, tiny_disk):
    run = tmp_path / "run"
    (run / "artifacts" / "model").mkdir(parents=True)
    (run / "artifacts" / "model" / "plan.onnx").write_bytes(bytes(2 << 20))
    (tiny_disk / "empty").mkdir()
    done = msgspec.structs.replace(make(), artifacts={"plan": str(run / "artifacts" / "model" / "plan.onnx")})
    for work in (lambda to: export(evidence([make()]), [run], to), lambda to: copy_artifacts(done, to)):
        for name in ("new", "empty"):
            with pytest.raises(StorageRefused, match=f"no space left at {tiny_disk}/{name}") as told:
                work(tiny_disk / name)
            assert told.value.fix == "free some space, then try again"
    assert [path.name for path in tiny_disk.rglob("*")] == ["empty"]


def test_a_ratio_has_the_decimals_that_its_verdict_rests_on():
    assert words.ratio(Ratio(value=1.0042, low=1.0021, high=1.0063)) == "1.004 [1.002, 1.006]"
    assert words.ratio(Ratio(value=0.9996, low=0.9993, high=0.9999)) == "0.9996 [0.9993, 0.9999]"
    assert words.ratio(Ratio(value=0.452, low=0.447, high=0.458)) == "0.452 [0.447, 0.458]"
