from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from edgetui.engine.runs.board_queue import Device, Waiting, arrange, draw_ticket, enter, leave, waiting
from edgetui.engine.runs.cache import StageCache, place
from edgetui.engine.runs.outcome import Outcome, over
from edgetui.engine.schema.events import Queued
from edgetui.engine.schema.figures import Latency, Metrics
from edgetui.engine.schema.stamps import BoardStamp
from hypothesis import given
from hypothesis import strategies as st

HOLD = """
import sys, time
from pathlib import Path
from edgetui.engine.runs.board_queue import Device
from edgetui.engine.runs.folder import RunDir
home, ticket, run = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
(home / "runs" / run).mkdir(parents=True, exist_ok=True)
with RunDir(home / "runs" / run).hold():
    device = Device(home, ticket, run)
    device.acquire(lambda told: print("waits", told.waiting_for, flush=True), lambda: False, pause_s=0.02)
    print("works", flush=True)
    sys.stdin.readline()
    device.release()
"""


def start(home: Path, ticket: int, run: str) -> subprocess.Popen[str]:
    enter(home, ticket, run)
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home), str(ticket), run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def end(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=20)


def test_tickets_grow(tmp_path: Path) -> None:
    assert [draw_ticket(tmp_path) for _ in range(3)] == [1, 2, 3]


def test_one_works_the_others_wait_in_the_order_submitted_and_say_for_whom(tmp_path: Path) -> None:
    first = start(tmp_path, 1, "a")
    assert line(first) == "works"
    enter(tmp_path, 2, "b")
    third = start(tmp_path, 3, "c")
    assert line(third) == "waits b"
    second = start(tmp_path, 2, "b")
    assert line(second) == "waits a"
    end(first)
    assert line(second) == "works"
    end(second)
    said = line(third)
    while said == "waits b":  # that b has the board now is told as well, where it had it for long enough
        said = line(third)
    assert said == "works"
    end(third)


def test_a_killed_run_frees_the_board_and_a_dead_entry_blocks_nobody(tmp_path: Path) -> None:
    first = start(tmp_path, 1, "a")
    assert line(first) == "works"
    second = start(tmp_path, 2, "b")
    assert line(second) == "waits a"
    first.kill()
    first.communicate()
    old = time.time() - 100
    os.utime(tmp_path / "queue" / "000000001 a", (old, old))
    assert line(second) == "works"
    end(second)


def test_who_waits_is_moved_and_comes_when_it_is_his_turn(tmp_path: Path) -> None:
    processes = {"a": start(tmp_path, 1, "a")}
    assert line(processes["a"]) == "works"
    processes["b"] = start(tmp_path, 2, "b")
    assert line(processes["b"]) == "waits a"
    processes["c"] = start(tmp_path, 3, "c")
    assert line(processes["c"]) == "waits b"
    assert waiting(tmp_path) == Waiting(holder="a", waiting=("b", "c"))
    arrange(tmp_path, ["c", "gone", "b"])
    assert waiting(tmp_path) == Waiting(holder="a", waiting=("c", "b"))
    assert line(processes["b"]) == "waits c"
    assert line(processes["c"]) == "waits a"
    end(processes["a"])
    assert line(processes["c"]) == "works"
    assert line(processes["b"]) == "waits c"
    end(processes["c"])
    assert line(processes["b"]) == "works"
    end(processes["b"])
    assert waiting(tmp_path) == Waiting()


def test_who_waits_hears_who_has_the_board_and_how_many_come_before(tmp_path: Path) -> None:
    first = start(tmp_path, 1, "a")
    assert line(first) == "works"
    for ticket, run in enumerate("bcd", 2):
        enter(tmp_path, ticket, run)
    heard: list[Queued] = []
    looks = iter(range(9))

    def stop() -> bool:
        look = next(looks)
        if look == 2:
            leave(tmp_path, "b")
        if look == 4:
            end(first)
        return look == 6

    assert not Device(tmp_path, 4, "d").acquire(heard.append, stop, pause_s=0.01)
    assert heard == [
        Queued(waiting_for="c", holder="a", before=2),
        Queued(waiting_for="c", holder="a", before=1),
    ], "nobody is said to have the board between two"


@given(st.permutations("abcdef"), st.integers(0, 6))
def test_however_it_is_arranged_each_stays_once(order: list[str], stop: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for n, run in enumerate("abcdef", 1):
            enter(home, n * 3, run)
        arrange(home, order[:stop])
        found = list(waiting(home).waiting)
        assert sorted(found) == sorted("abcdef")
        assert [run for run in found if run in order[:stop]] == order[:stop]
        assert [run for run in found if run not in order[:stop]] == [run for run in "abcdef" if run not in order[:stop]]


def test_one_that_is_taken_up_again_has_one_entry(tmp_path: Path) -> None:
    for n, run in enumerate("ab", 1):
        enter(tmp_path, n, run)
    arrange(tmp_path, ["b", "a"])
    enter(tmp_path, 1, "a")
    assert waiting(tmp_path).waiting == ("a", "b")
    leave(tmp_path, "a")
    assert waiting(tmp_path).waiting == ("b",)


def test_an_entry_from_the_future_blocks_nobody(tmp_path: Path) -> None:
    """A board without a clock battery comes up years before the run that its power cut ended."""
    enter(tmp_path, 1, "a")
    later = time.time() + 1e6
    os.utime(tmp_path / "queue" / "000000001 a", (later, later))
    only = start(tmp_path, 2, "b")
    assert line(only) == "works"
    end(only)


def test_what_waits_long_and_has_no_run_folder_keeps_its_place(tmp_path: Path) -> None:
    first = start(tmp_path, 1, "a")
    assert line(first) == "works"
    enter(tmp_path, 2, "bench-7")
    entry = tmp_path / "queue" / "000000002 bench-7"
    old = time.time() - 100
    os.utime(entry, (old, old))
    turns = iter((False, True))
    assert not Device(tmp_path, 2, "bench-7").acquire(lambda _: None, lambda: next(turns), pause_s=0.01)
    third = start(tmp_path, 3, "c")
    assert line(third) == "waits bench-7"
    end(first)
    entry.unlink()
    assert line(third) == "works"
    end(third)


def test_a_run_that_is_cancelled_while_it_waits_stops_waiting(tmp_path: Path) -> None:
    first = start(tmp_path, 1, "a")
    assert line(first) == "works"
    waits: list[Queued] = []
    device = Device(tmp_path, 2, "b")
    assert not device.acquire(waits.append, lambda: bool(waits), pause_s=0.01)
    assert waits == [Queued(waiting_for="a", holder="a")]
    end(first)


def test_an_output_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)
    (cache.begin("k") / "model.onnx").write_bytes(b"half")
    assert cache.get("k") is None
    folder = cache.begin("k")
    assert list(folder.iterdir()) == []
    (folder / "model.onnx").write_bytes(b"whole")
    cache.commit("k", Outcome(summary="done", seconds=1.5))
    found = cache.get("k")
    assert found is not None
    assert (found.summary, found.seconds) == ("done", 1.5)
    assert (cache.path("k") / "model.onnx").read_bytes() == b"whole"


@pytest.mark.parametrize(("limit_mb", "left"), [(0, {"a", "b", "c"}), (2, {"a", "c"}), (1, {"a"})])
def test_the_longest_unused_outputs_go_first_and_needed_ones_stay(tmp_path: Path, limit_mb: int, left: set[str]) -> None:
    cache = StageCache(tmp_path)
    for age, key in ((300, "a"), (200, "b"), (100, "c")):
        (cache.begin(key) / "model.onnx").write_bytes(bytes(900_000))
        cache.commit(key, Outcome())
        then = time.time() - age
        os.utime(cache.path(key), (then, then))
    cache.begin("unfinished")
    cache.tidy(limit_mb, keep={"a"})
    assert {path.name for path in cache.root.iterdir()} == left


def test_weights_with_a_name_in_two_outputs_count_once_and_go_with_the_last(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)
    for age, key in enumerate(("oldest", "older", "newest")):
        folder = cache.root / key
        folder.mkdir(parents=True)
        (folder / "own").write_bytes(bytes(200_000))
        if key == "oldest":
            (folder / "model.data").write_bytes(bytes(1_000_000))
        elif key == "older":
            place(cache.root / "oldest" / "model.data", folder / "model.data")
        os.utime(folder, (age, age))
    cache.tidy(2, keep=set())  # 1.6 MB, of which a megabyte has two names
    assert len(list(cache.root.iterdir())) == 3
    cache.tidy(1, keep=set())  # the oldest frees 0.2 MB, the older one 1.2
    assert {path.name for path in cache.root.iterdir()} == {"newest"}


def test_a_placed_file_replaces_what_was_there(tmp_path: Path) -> None:
    source, target = tmp_path / "new", tmp_path / "old"
    source.write_text("new")
    target.write_text("old")
    place(source, target)
    place(source, target)
    assert target.read_text() == "new"


def test_parts_of_a_result_join_without_losing_what_was_known() -> None:
    sizes = Metrics(size_bytes=10, parameters=3)
    timed = Metrics(load_ms=2.0, latency_ms=Latency(mean=1.0, n=64))
    whole = over(over(Metrics(), sizes), timed)
    assert (whole.size_bytes, whole.parameters, whole.load_ms, whole.latency_ms.mean) == (10, 3, 2.0, 1.0)


def test_temperatures_outlive_the_stages_behind() -> None:
    measured = Outcome(board=BoardStamp(name="b", temps_c={"cpu-thermal": 50.0}))
    assert over(measured, Outcome(summary="evaluated")).board == measured.board


def kept(home: Path) -> Path:
    """An output of two files in the cache; returns its folder."""
    cache = StageCache(home)
    making = cache.begin("k")
    (making / "model.onnx").write_bytes(b"m" * 5000)
    (making / "tensorrt.onnx").write_bytes(b"t" * 10)
    cache.commit("k", Outcome(summary="done"))
    return cache.path("k")


def test_an_output_as_it_was_left_is_whole(tmp_path: Path) -> None:
    kept(tmp_path)
    found = StageCache(tmp_path).whole("k")
    assert found is not None
    assert found.summary == "done"


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone", "added", "facts"])
def test_an_output_that_was_changed_is_not_taken(tmp_path: Path, damage: str) -> None:
    """A disk that lies, or a user who writes into the artifacts of a run, which are the same files."""
    model = kept(tmp_path) / "model.onnx"
    if damage == "cut":
        os.truncate(model, 4000)
    elif damage == "flipped":
        model.write_bytes(b"m" * 4999 + b"n")
    elif damage == "gone":
        model.unlink()
    elif damage == "added":
        model.with_name("model.onnx.data").write_bytes(b"")
    else:
        os.truncate(model.with_name("outcome.json"), 40)
    assert StageCache(tmp_path).whole("k") is None
