"""What a run has kept of the board is read into a history of fixed size, where its seconds lie on the clock of samples."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.telemetry_past import read_past
from edgetui.engine.telemetry.history import History
from edgetui.engine.telemetry.run_clock import RunClock
from edgetui.engine.telemetry.sample import Sample


def write(folder: Path, seconds: range, **figures: list[float]) -> None:
    lines = [msgspec.json.encode({"t": float(t), "stage": "build", **figures}) for t in seconds]
    with (folder / "telemetry.jsonl").open("ab") as file:
        file.write(b"\n".join(lines) + b"\n")


def means(history: History, begin_s: float, end_s: float, count: int) -> list[float | None]:
    return [None if found is None else found[1] for found in history.buckets("total_mw", begin_s, end_s, count)]


def test_lines_lie_on_the_clock_of_samples_and_end_where_these_begin(tmp_path: Path):
    write(tmp_path, range(1, 101), total_mw=[4.0, 5.0, 9.0])
    write(tmp_path, range(101, 121), total_mw=[70.0, 70.0, 70.0])
    past = History()
    read_past(tmp_path, RunClock(1000.0, exact=True), 1100.5, past)
    found = past.buckets("total_mw", 1000.0, 1200.0, 20)
    assert found[:10] == [(4.0, 5.0, 9.0)] * 10
    assert found[10:] == [None] * 10


def test_a_minute_of_a_run_has_no_holes_between_its_lines(tmp_path: Path):
    write(tmp_path, range(1, 101), total_mw=[5.0, 5.0, 5.0])
    past = History()
    read_past(tmp_path, RunClock(1000.0, exact=True), 2000.0, past)
    assert means(past, 1040.0, 1100.0, 240) == [5.0] * 240


def test_samples_stay_as_they_were_and_the_past_comes_before_them(tmp_path: Path):
    write(tmp_path, range(1, 1001), total_mw=[5.0, 5.0, 5.0], fan_rpm=[1.0, 1.0, 1.0])
    live, past = History(), History()
    for n in range(240):
        live.add(Sample(t_s=2000.0 + n / 4, total_mw=8.0))
    read_past(tmp_path, RunClock(1000.0, exact=True), 2000.0, past)
    live.add_past(past)
    assert means(live, 1000.0, 2060.0, 53) == [5.0] * 50 + [8.0] * 3
    assert live.names == ("total_mw", "fan_rpm")
    live.add(Sample(t_s=2060.0, total_mw=9.0))
    assert means(live, 2050.0, 2070.0, 2) == [8.0, 9.0]


def test_of_two_days_the_last_is_kept(tmp_path: Path):
    write(tmp_path, range(1, 90_001, 30), total_mw=[1.0, 1.0, 1.0])
    write(tmp_path, range(90_001, 176_400, 30), total_mw=[2.0, 2.0, 2.0])
    past = History()
    read_past(tmp_path, RunClock(1000.0, exact=True), 178_000.0, past)
    assert set(means(past, 1000.0, 87_000.0, 100)) == {None}
    assert means(past, 92_000.0, 176_000.0, 100) == [2.0] * 100


def test_members_of_a_group_add_to_each_other_in_any_order(tmp_path: Path):
    past = History()
    for name, seconds in (("late", range(5001, 5401)), ("early", range(1, 401))):
        (tmp_path / name).mkdir()
        write(tmp_path / name, seconds, total_mw=[5.0, 5.0, 5.0])
        read_past(tmp_path / name, RunClock(0.0, exact=True), 6000.0, past)
    assert means(past, 0.0, 360.0, 6) == [5.0] * 6
    assert means(past, 5040.0, 5400.0, 6) == [5.0] * 6
    assert set(means(past, 600.0, 4800.0, 6)) == {None}


def test_what_is_older_than_a_resume_has_no_place(tmp_path: Path):
    write(tmp_path, range(1, 101), total_mw=[5.0, 5.0, 5.0])
    write(tmp_path, range(101, 201), total_mw=[6.0, 6.0, 6.0])
    past = History()
    read_past(tmp_path, RunClock(1000.0, exact=True, from_t=100.0), 1300.0, past)
    assert means(past, 1000.0, 1200.0, 4) == [None, None, 6.0, 6.0]


@pytest.mark.parametrize("exact", [True, False])
def test_the_last_line_says_when_it_was_written(tmp_path: Path, exact: bool):
    write(tmp_path, range(1, 101), total_mw=[5.0, 5.0, 5.0])
    now_s = time.monotonic()
    os.utime(tmp_path / "telemetry.jsonl", (time.time() - 20, time.time() - 20))
    told = RunClock(now_s - 50.0, exact)
    clock = read_past(tmp_path, told, now_s, History())
    assert clock.zero_s == pytest.approx(told.zero_s if exact else now_s - 120.0, abs=1.0)


def test_damage_is_passed_over_and_no_file_is_no_past(tmp_path: Path):
    past = History()
    read_past(tmp_path, RunClock(1000.0, exact=True), 2000.0, past)
    assert past.names == ()
    (tmp_path / "telemetry.jsonl").write_bytes(
        b'nonsense\n{"t": "soon"}\n{"t": 3, "total_mw": ["a", 1, 2], "fan_rpm": 7}\n\xff\n'
    )
    write(tmp_path, range(4, 5), total_mw=[5.0, 5.0, 5.0])
    with (tmp_path / "telemetry.jsonl").open("ab") as file:
        file.write(b'{"t": 5.0, "total_mw": [1.0, 2')
    read_past(tmp_path, RunClock(1000.0, exact=True), 2000.0, past)
    assert past.names == ("total_mw",)
    assert means(past, 1000.0, 1010.0, 1) == [5.0]
