from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from edgetui.engine.errors import StorageRefused
from edgetui.engine.runs import folder as runs_folder
from edgetui.engine.runs.board_queue import draw_ticket
from edgetui.engine.runs.event_log import EventLog
from edgetui.engine.runs.folder import RunDir, create, new_name
from edgetui.engine.runs.index import current_stage
from edgetui.engine.schema import events
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe
from hypothesis import given
from hypothesis import strategies as st


def asked(run: str = "20261120-2315-net-int8", ticket: int = 1) -> RunRequest:
    recipe = Recipe(name="both", step=(PruneMagnitude(amount=0.3), QuantizeInt8(exclude=("/head/*",))))
    return RunRequest(
        run=run,
        ticket=ticket,
        wall="2026-11-20T23:15:00+00:00",
        edgetui="0",
        python=sys.executable,
        model_sha256="ab" * 32,
        spec=RunSpec(model="/models/net.onnx", recipe=recipe, shapes={"image": (1, 3, 32, 32)}),
    )


@pytest.fixture
def folder(tmp_path: Path) -> RunDir:
    return create(tmp_path, asked())


def test_run_toml_gives_back_what_was_asked(folder: RunDir) -> None:
    assert folder.asked() == asked()
    assert oct(folder.path.stat().st_mode & 0o777) == "0o700"


def test_events_are_numbered_without_gaps_across_a_resume(folder: RunDir) -> None:
    for _ in range(2):
        log = EventLog(folder)
        log.write(events.StageBegan(stage="inspect"))
        log.write(events.StageEnded(stage="inspect"))
        log.close()
    found = folder.events()
    assert [event.n for event in found] == [1, 2, 3, 4]
    assert [event.t for event in found] == sorted(event.t for event in found)


@given(cut=st.integers(min_value=1, max_value=60))
def test_a_half_line_left_by_a_kill_is_cut_off_and_nothing_before_it(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    folder = create(tmp_path_factory.mktemp("run"), asked())
    log = EventLog(folder)
    for place in range(3):
        log.write(events.Note(text=f"line {place}"))
    log.close()
    file = folder.path / "events.jsonl"
    whole = file.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    file.write_bytes(whole[: -min(cut, last)])
    assert [event.n for event in folder.events()] == [1, 2]
    again = EventLog(folder)
    again.write(events.Note(text="after"))
    again.close()
    assert [event.text for event in folder.events() if isinstance(event, events.Note)] == ["line 0", "line 1", "after"]


@pytest.mark.parametrize("about_bytes", [1, 100, 1000, 100_000])
def test_in_pieces_of_any_size_events_are_the_same(folder: RunDir, about_bytes: int) -> None:
    log = EventLog(folder)
    for number in range(30):
        log.write(events.Note(text=str(number) * number))
    log.close()
    file = folder.path / "events.jsonl"
    file.write_bytes(file.read_bytes() + b'{"type":"note","n":99,')
    found, offset = [], 0
    while True:
        piece, end = folder.events_from(offset, about_bytes)
        if end == offset:
            break
        found, offset = found + piece, end
    assert found == folder.events()
    assert len(found) == 30


@given(readings=st.lists(st.integers(0, 9), min_size=1, max_size=6), tail=st.integers(1, 700), look=st.integers(1, 90))
def test_which_stage_is_being_done_is_found_however_long_ago_it_began(
    tmp_path_factory: pytest.TempPathFactory, readings: list[int], tail: int, look: int
) -> None:
    folder = create(tmp_path_factory.mktemp("run"), asked())
    log = EventLog(folder)
    log.write(events.RunBegan(stages=("a",)))
    for number, many in enumerate(readings):
        log.write(events.StageBegan(stage=f"stage-{number}"))
        for _ in range(many):
            log.write(events.Note(text='{"kind":"stage-began","stage":"none"}'))
    log.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_folder, "_TAIL_BYTES", tail)
        patch.setattr(runs_folder, "_LOOK_BYTES", look)
        past = folder.last_events()
    assert current_stage(past) == f"stage-{len(readings) - 1}"
    assert [event.n for event in past] == sorted(event.n for event in past)


@given(
    past=st.lists(st.booleans(), max_size=30),
    newest=st.integers(1, 32),
    look=st.integers(1, 400),
    about_bytes=st.integers(1, 400),
)
def test_of_the_past_only_the_newest_readings_come_and_all_else(
    tmp_path_factory: pytest.TempPathFactory, past: list[bool], newest: int, look: int, about_bytes: int
) -> None:
    """Readings among notes whose text looks like one."""
    folder = RunDir(tmp_path_factory.mktemp("run"))
    log = EventLog(folder)
    for reading in past:
        log.write(events.Reading(side="x", latency_ms=1.0, mean_ms=1.0) if reading else events.Note(text='{"kind":"reading"'))
    log.close()
    every = folder.events()
    told = [event.n for event in every if isinstance(event, events.Reading)]
    wanted = [event for event in every if event.n not in told[: max(0, len(told) - newest)]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs_folder, "_LOOK_BYTES", look)
        begin = folder.readings_from(newest)
    found, offset = [], 0
    while True:
        some, end = folder.events_from(offset, about_bytes, begin)
        found += some
        if end == offset:
            break
        offset = end
    assert found == wanted


def test_kinds_of_a_later_version_are_passed_over(folder: RunDir) -> None:
    (folder.path / "events.jsonl").write_bytes(
        b'{"kind":"of-tomorrow","n":1}\n{"kind":"note","n":2,"text":"x","tint":"blue"}\nno json\n'
    )
    assert [event.n for event in folder.events()] == [2]


def test_a_full_disk_makes_events_wait_and_loses_none(folder: RunDir) -> None:
    log = EventLog(folder)
    log.write(events.Note(text="first"))
    size = (folder.path / "events.jsonl").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        log.write(events.Note(text="no room"))
        assert [event.n for event in folder.events()] == [1]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.write(events.Note(text="room again"))
    assert [event.text for event in folder.events() if isinstance(event, events.Note)] == ["first", "no room", "room again"]
    log.close()


def test_the_lock_is_free_at_once_after_sigkill(folder: RunDir) -> None:
    code = (
        "import sys, time; from pathlib import Path; from edgetui.engine.runs.folder import RunDir\n"
        f"with RunDir(Path({str(folder.path)!r})).hold():\n  print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        assert folder.alive()
        assert folder.pid() == holder.pid
        with pytest.raises(StorageRefused, match="is running already"), folder.hold():
            pass
        holder.kill()
        holder.wait()
        assert not folder.alive()
        assert folder.pid() is None


def test_the_result_finds_room_on_a_full_disk(folder: RunDir) -> None:
    folder.write_result(Result(run=folder.name, state="done"))
    result = folder.result()
    assert result is not None
    assert result.state == "done"
    assert (folder.path / "reserve").stat().st_size > 100_000


def test_names_do_not_collide_and_are_safe_file_names(tmp_path: Path) -> None:
    first = new_name(tmp_path, "/models/../we ird/näme;rm.onnx", "int8")
    second = new_name(tmp_path, "/models/../we ird/näme;rm.onnx", "int8")
    assert first != second
    assert all(c.isascii() and (c.isalnum() or c in "-_.") for c in first + second)


def test_the_last_run_is_the_last_submitted_whatever_the_clock_said(tmp_path: Path) -> None:
    for number, run in enumerate(("20261120-2315-a", "19700101-0000-b"), 1):
        create(tmp_path, asked(run, number))
    os.utime(tmp_path / "runs" / "19700101-0000-b" / "run.toml", (0, 0))
    assert RunDir.find(tmp_path, "last").name == "19700101-0000-b"


def test_tickets_go_on_when_their_file_was_lost(tmp_path: Path) -> None:
    create(tmp_path, asked("a", 41))
    (tmp_path / "tickets").write_bytes(b"\0\0")
    assert draw_ticket(tmp_path) == 42


def test_those_who_submit_at_the_same_moment_get_names_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: new_name(tmp_path, "/m.onnx", "int8"), range(40)))
    assert len(set(names)) == 40


def test_a_run_is_found_by_a_part_of_its_name_that_only_it_has(tmp_path: Path) -> None:
    for run in ("20261120-2315-a-int8", "20261120-2316-b-int8"):
        create(tmp_path, asked(run))
    assert RunDir.find(tmp_path, "b-int8").name == "20261120-2316-b-int8"
    assert RunDir.find(tmp_path, "last").name == "20261120-2316-b-int8"
    with pytest.raises(StorageRefused, match="means 2 runs"):
        RunDir.find(tmp_path, "int8")
    for hostile, why in (("../..", "is a path, and no run"), ("/etc", "is a path, and no run"), ("", ""), ("nothing", "")):
        with pytest.raises(StorageRefused, match=why or "there is no run"):
            RunDir.find(tmp_path, hostile)


def test_a_run_is_found_by_its_whole_id_without_opening_any(folder: RunDir, tmp_path: Path) -> None:
    opened: list[str] = []
    watching = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event in ("open", "os.scandir") and str(tmp_path) in str(arguments[0]):
            opened.append(str(arguments[0]))

    sys.addaudithook(note)
    assert RunDir.find(tmp_path, folder.name).path == folder.path
    watching = False
    assert opened == []


def test_a_run_toml_that_was_tampered_with_is_refused_in_words(folder: RunDir) -> None:
    (folder.path / "run.toml").write_text("run = 3\nwhat = 1\n")
    with pytest.raises(StorageRefused, match=r"run\.toml"):
        folder.asked()
    os.unlink(folder.path / "run.toml")
    with pytest.raises(StorageRefused, match="cannot read"):
        folder.asked()


def test_a_state_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    create(tmp_path, asked())
    assert oct(tmp_path.stat().st_mode & 0o777) == "0o700"
