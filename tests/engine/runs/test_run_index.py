"""The list of runs says something of every run folder, whatever has become of its files."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.errors import StorageRefused
from edgetui.engine.runs.assemble import assemble
from edgetui.engine.runs.event_log import EventLog
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.runs.index import Index
from edgetui.engine.schema import events
from edgetui.engine.schema.output_figures import Fidelity
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.stamps import RecipeStamp
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.schema.workloads import Paced


@pytest.fixture
def folder(tmp_path: Path) -> RunDir:
    spec = RunSpec(model="/models/net.onnx", recipe=Recipe(name="int8"))
    return create(
        tmp_path,
        RunRequest(run="one", ticket=3, wall="", edgetui="0", python=sys.executable, model_sha256="", spec=spec),
    )


@pytest.mark.parametrize("content", [None, b"", b"run = 'one'\nticket = 3\n[sp", b"\xff\xfe"])
def test_a_finished_run_with_a_damaged_question_is_listed(folder: RunDir, tmp_path: Path, content: bytes | None) -> None:
    folder.write_result(Result(run="one", state="done", recipe=RecipeStamp(name="int8")))
    (folder.path / "run.toml").unlink()
    if content is not None:
        (folder.path / "run.toml").write_bytes(content)
    index = Index(tmp_path)
    assert index.rebuild() == 1
    (run,) = index.list()
    assert (run.run, run.state, run.recipe, run.error) == ("one", "done", "int8", None)


def test_one_that_never_ended_says_what_is_wrong_with_it(folder: RunDir, tmp_path: Path) -> None:
    EventLog(folder).write(events.StageBegan(stage="build"))
    (folder.path / "run.toml").write_bytes(b"\x00")
    (run,) = Index(tmp_path).list()
    assert (run.state, run.stage) == ("crashed", "build")
    assert run.error is not None
    assert "run.toml" in run.error.what


def test_a_folder_that_is_no_runs_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "runs" / "holiday").mkdir(parents=True)
    (tmp_path / "runs" / "holiday" / "photo.jpg").write_bytes(b"x")
    (tmp_path / "runs" / "notes.txt").write_bytes(b"x")
    assert Index(tmp_path).rebuild() == 0
    assert Index(tmp_path).list() == ()


def test_a_run_that_may_not_be_read_hides_no_other(folder: RunDir, tmp_path: Path, somebody_else: None) -> None:
    os.seteuid(0)
    folder.write_result(Result(run="one", state="done", recipe=RecipeStamp(name="int8")))
    (tmp_path / "runs" / "two").mkdir(mode=0o700)
    for above in (tmp_path / "runs", tmp_path, *tmp_path.parents[:-2]):
        above.chmod(above.stat().st_mode | 0o055)
    for path in (folder.path, *folder.path.iterdir()):
        os.chown(path, 65534, -1)
    os.seteuid(65534)
    mine, other = Index(tmp_path).list()
    assert (mine.run, mine.state) == ("one", "done")
    assert other.error is not None
    assert (other.run, other.error.what) == ("two", f"cannot reach {tmp_path}/runs/two/run.toml (Permission denied)")


def test_an_ending_without_its_document_is_told_as_such(folder: RunDir, tmp_path: Path) -> None:
    EventLog(folder).write(events.RunEnded(state="done"))
    error = assemble(tmp_path, folder).error
    assert error is not None
    assert error.what == "it ended, and its result.json is gone or damaged"
    assert error.fix == "`edgetui resume one`"


@pytest.mark.parametrize("blob", [b"", b"\xff", b"{}", b"[" * 100_000, None])
def test_a_damaged_row_is_read_again_from_its_folder(folder: RunDir, tmp_path: Path, blob: bytes | None) -> None:
    folder.write_result(Result(run="one", state="done"))
    index = Index(tmp_path)
    index.list()
    with closing(sqlite3.connect(index.file)) as db, db:
        db.execute("update runs set summary = ?", (blob,))
    for _ in range(2):
        assert [(run.run, run.state) for run in index.list()] == [("one", "done")]


@pytest.mark.parametrize(
    "last",
    [events.Queued(n=9, waiting_for="two"), events.Queued(n=9, waiting_for="two", to_end=True), events.RunBegan(n=9)],
)
@pytest.mark.parametrize("lines", [10, 5_000, 30_000])
def test_hours_of_events_change_nothing_in_what_a_run_is_doing(
    folder: RunDir, tmp_path: Path, lines: int, last: events.AnyEvent
) -> None:
    """However far back it is said which stage is being done."""
    progress = events.encode(events.Progress(t=5.0, stage="build", text="kernels")) + b"\n"
    begun = [events.RunBegan(n=1), events.StageBegan(n=2, stage="build")]
    head = b"".join(events.encode(event) + b"\n" for event in begun)
    (folder.path / "events.jsonl").write_bytes(head + progress * lines)
    (run,) = Index(tmp_path).list()
    assert (run.stage, run.seconds, run.waiting_for) == ("build", 5.0, "")
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(events.encode(last) + b"\n")
    (run,) = Index(tmp_path).list()
    waits = isinstance(last, events.Queued)
    assert (run.stage, run.waiting_for) == (("build", "two") if waits else ("", ""))
    assert run.waits_for_end == (waits and last.to_end)


def test_what_a_run_took_is_work_and_not_waiting(folder: RunDir, tmp_path: Path) -> None:
    said = [
        events.RunBegan(t=0.0),
        events.Queued(t=0.5, waiting_for="two"),
        events.Queued(t=100.0, waiting_for="three"),
        events.StageBegan(t=600.5, stage="build"),
        events.StageEnded(t=630.0, stage="build"),
        events.RunBegan(t=630.0, resumed=True),
        events.Queued(t=630.0, waiting_for="four"),
        events.StageBegan(t=700.0, stage="build"),
        events.RunEnded(t=710.0, state="done"),
    ]
    (folder.path / "events.jsonl").write_bytes(b"".join(events.encode(event) + b"\n" for event in said))
    folder.write_result(Result(run="one", state="done"))
    index = Index(tmp_path)
    assert [run.seconds for run in index.list()] == [40.0]
    assert index.similar_seconds(RunSpec(model="/elsewhere/net.onnx", recipe=Recipe(name="int8"))) == (40.0,)


def test_what_a_run_of_a_group_took_is_its_own_stages(folder: RunDir, tmp_path: Path) -> None:
    """It said the time of all three: 9 minutes of a run whose stages took 256 s."""
    said = [
        events.RunBegan(t=0.0),
        events.StageBegan(t=0.5, stage="inspect"),
        events.StageEnded(t=0.5, stage="inspect", seconds=4.0, cached=True),
        events.StageBegan(t=1.0, stage="build"),
        events.StageEnded(t=31.0, stage="build", seconds=29.5),
        events.StageBegan(t=300.0, stage="measure"),
        events.StageBegan(t=350.0, stage="measure"),  # after others that lacked the same
        events.RunBegan(t=500.0, resumed=True),  # killed; what it had measured is done again
        events.StageBegan(t=600.0, stage="measure"),
        events.StageEnded(t=700.0, stage="measure", seconds=60.0),
        events.StageBegan(t=700.0, stage="evaluate"),
        events.StageFailed(t=705.0, stage="evaluate", what="it", fix="try"),
        events.RunEnded(t=720.0, state="failed"),
    ]
    said[7:7] = [events.Reading(t=360.0, side="candidate", latency_ms=1.0, mean_ms=1.0)]
    (folder.path / "events.jsonl").write_bytes(b"".join(events.encode(event) + b"\n" for event in said))
    (run,) = Index(tmp_path).list()
    assert (run.seconds, run.worked_s) == (720.0, 29.5 + 10.0 + 60.0 + 5.0)
    assert run.took_s == run.worked_s
    going = [*said[:5], events.StageBegan(t=40.0, stage="lower"), events.Progress(t=47.0, stage="lower")]
    (folder.path / "events.jsonl").write_bytes(b"".join(events.encode(event) + b"\n" for event in going))
    assert [run.worked_s for run in Index(tmp_path).list()] == [29.5 + 7.0]


def test_what_similar_runs_took_is_found_without_their_summaries(folder: RunDir, tmp_path: Path) -> None:
    (folder.path / "events.jsonl").write_bytes(
        events.encode(events.RunBegan(t=0.0)) + b"\n" + events.encode(events.RunEnded(t=7.0, state="done")) + b"\n"
    )
    folder.write_result(Result(run="one", state="done"))
    index, like = Index(tmp_path), RunSpec(model="/elsewhere/net.onnx", recipe=Recipe(name="int8"))
    assert index.similar_seconds(like) == (7.0,), "a run that no list has seen yet"
    with closing(sqlite3.connect(index.file)) as db, db:
        db.execute("update runs set summary = 'no summary'")
    assert index.similar_seconds(like) == (7.0,)
    assert index.similar_seconds(RunSpec(model="/m/other.onnx", recipe=Recipe(name="int8"))) == ()
    for otherwise in ({"workload": Paced()}, {"per_input": 5}, {"preset": "quick"}):
        assert index.similar_seconds(msgspec.structs.replace(like, **otherwise)) == (), "it is measured in another way"
    shutil.rmtree(folder.path)
    assert index.similar_seconds(like) == ()


def test_rows_of_an_older_version_are_read_again(folder: RunDir, tmp_path: Path) -> None:
    folder.write_result(Result(run="one", state="done"))
    index = Index(tmp_path)
    index.list()
    with closing(sqlite3.connect(index.file)) as db, db:
        db.execute("update runs set summary = replace(cast(summary as text), '\"one\"', '\"old\"')")
        db.execute("pragma user_version = 0")
    assert [run.run for run in index.list()] == ["one"]


def test_a_run_whose_outputs_are_ruined_is_listed_as_such(folder: RunDir, tmp_path: Path) -> None:
    ruined = Fidelity(ruined="the outputs are ruined")
    stamp = RecipeStamp(name="int8")
    folder.write_result(Result(run="one", state="done", recipe=stamp, verdict={"latency": "faster"}, fidelity=ruined))
    index = Index(tmp_path)
    index.rebuild()
    (run,) = index.list()
    assert list(run.verdict.items()) == [("outputs", "ruined"), ("latency", "faster")]


READER = """
import sys, threading
from pathlib import Path
from edgetui.engine.runs.index import Index

def read():
    for _ in range(150):
        Index(Path(sys.argv[1])).list()

threads = [threading.Thread(target=read) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_who_lists_runs_lives_while_another_makes_the_index_anew(folder: RunDir, tmp_path: Path) -> None:
    folder.write_result(Result(run="one", state="done", recipe=RecipeStamp(name="int8")))
    readers = [subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)]) for _ in range(2)]
    made = 0
    while any(reader.poll() is None for reader in readers):
        with suppress(StorageRefused):  # locked for long: said, and nobody is hurt
            made += Index(tmp_path).rebuild()
    assert made
    assert [reader.returncode for reader in readers] == [0, 0]
