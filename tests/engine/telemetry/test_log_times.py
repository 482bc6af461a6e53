"""When the lines of a log were made: every kind of stamp, none at all, too coarse ones, clocks that are set, other programs."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.telemetry.energy import energy_of
from edgetui.engine.telemetry.log_clock import Clock
from edgetui.engine.telemetry.replay import Recording
from edgetui.engine.telemetry.sample import decode, encode
from edgetui.engine.telemetry.timestamps import stamps_in
from hypothesis import assume, given
from hypothesis import strategies as st
from log_lines import PREFIXES, R36

BARE = "RAM 6982/7620MB (lfb 5x1MB) CPU [97%@1984] VDD_IN {mw}mW/15710mW"


def line(mw: int = 5000) -> str:
    return BARE.format(mw=mw)


def read(tmp_path: Path, lines: Iterable[str], end: str = "\n") -> Recording:
    path = tmp_path / "tegrastats.log"
    path.write_bytes(end.join([*lines, ""]).encode())
    recording = Recording(path)
    recording.close()
    return recording


def times(stamps: Sequence[str], usual_s: float = 1.0) -> list[float]:
    clock = Clock()
    for stamp in stamps:
        clock.add(stamps_in(stamp))
    return [round(t_s, 6) for t_s in clock.times(usual_s).times_s]


@pytest.mark.parametrize("name", PREFIXES)
def test_every_kind_of_stamp_tells_the_time(tmp_path: Path, name: str) -> None:
    stamp = PREFIXES[name]
    assert times([stamp(k) for k in (1, 4, 5, 25)]) == ([0, 1, 2, 3] if name == "ts -i" else [0, 3, 4, 24])
    recording = read(tmp_path, [stamp(k) + line() for k in range(5, 60, 5)])
    step = 1 if name == "ts -i" else 5
    assert list(recording.times_s) == pytest.approx([step * k for k in range(11)], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "wall"),
    [
        ("ts", ""),
        ("journald short-iso", "2025-05-15T18:30:07+02:00"),
        ("docker -t", "2025-05-15T18:30:07.123456+00:00"),
        ("logging", "2025-05-15T18:30:07.123"),
        ("milliseconds", "2025-05-15T18:30:07.123+00:00"),
        ("PowerShell", "2025-05-15T18:30:07"),
        ("day first", "2025-05-15T18:30:07"),
        ("journald short-monotonic", ""),
    ],
)
def test_the_wall_clock_is_what_the_line_tells(tmp_path: Path, name: str, wall: str) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"{PREFIXES[name](k)}{line()}\n" for k in (6, 7)))
    recording = Recording(path)
    assert recording.sample(1).wall == wall
    recording.close()


def test_its_own_stamp_is_the_wall_clock_and_a_finer_one_before_it_the_time(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(
        "".join(f"[2025-05-15 20:30:2{k // 4}.{k % 4 * 25:02}] 05-15-2025 18:30:2{k // 4} {line()}\n" for k in range(8))
    )
    recording = Recording(path)
    assert list(recording.times_s) == pytest.approx([k / 4 for k in range(8)])
    assert recording.sample(5).wall == "2025-05-15T18:30:21"
    recording.close()


def test_a_finer_stamp_of_when_a_full_buffer_came_is_of_no_use() -> None:
    stamps = [f"[2025-05-15 18:30:{k // 10 * 10 + 9:02}.12{k % 10}] 05-15-2025 18:30:{k:02}" for k in range(40)]
    assert times(stamps) == list(range(40))


def test_ten_lines_a_second_are_a_tenth_of_a_second_apart_and_their_energy_is_right(tmp_path: Path) -> None:
    path = tmp_path / "burst.log"
    stamps = [f"05-15-2025 18:30:{k // 10:02} {line(15000 if k % 10 == 9 else 5000)}\n" for k in range(300)]
    path.write_text("".join(stamps))
    recording = Recording(path)
    assert list(recording.times_s) == pytest.approx([k / 10 for k in range(300)])
    assert energy_of(list(recording), 0.0, 29.9).mean_w == pytest.approx(6.0, rel=0.01)
    assert recording.notes == ("270 lines have the time of the line before: they are spread evenly",)
    recording.close()


def test_a_second_that_the_log_enters_or_leaves_on_the_way_is_not_full() -> None:
    assert times([f"05-15-2025 18:30:{(k + 6) // 10:02}" for k in range(21)]) == pytest.approx([k / 10 for k in range(21)])


@given(st.floats(0.1, 5.0), st.floats(0.0, 1.0), st.integers(2, 120))
def test_whole_seconds_are_undone_to_within_a_line(interval_s: float, start_s: float, count: int) -> None:
    true_s = [start_s + interval_s * k for k in range(count)]
    assume(len({int(t) for t in true_s}) != 2)  # of two seconds that are not full nobody knows how empty they are
    found = times([f"05-15-2025 18:{int(t) // 60:02}:{int(t) % 60:02}" for t in true_s])
    assert all(b >= a for a, b in itertools.pairwise(found))
    assert all(abs(f - (t - start_s)) <= 1.0 + 1e-6 for f, t in zip(found, true_s, strict=True))


def test_a_second_with_two_lines_at_an_interval_near_one_second_makes_no_halves_of_its_neighbours() -> None:
    assert times([f"05-15-2025 18:30:{second:02}" for second in (0, 1, 1, 2)]) == [0, 1, 1.5, 2]


@pytest.mark.parametrize(("size", "step_s", "every_s"), [(9, 0.1, 10), (4, 0.2, 10), (2, 0.5, 60)])
def test_bursts_with_pauses_are_bursts_where_tegrastats_says_so_itself(size: int, step_s: float, every_s: int) -> None:
    true_s = [every_s * burst + step_s * k for burst in range(12) for k in range(size)]
    found = times([f"05-15-2025 18:{int(t) // 60:02}:{int(t) % 60:02}" for t in true_s])
    assert all(abs(f - t) < 1 for f, t in zip(found, true_s, strict=True))


@pytest.mark.parametrize(
    "stamp",
    ["20250514_100000.log:May 15 18:30:{:02} j:", "run-1747333800: 18:30:{:02}", "/2025-05-14T10:00:00/a.log 18:30:{:02}: "],
)
def test_a_time_that_stands_still_is_a_name_where_another_runs(stamp: str) -> None:
    assert times([stamp.format(k) for k in range(0, 50, 5)]) == list(range(0, 50, 5))


def test_lines_that_come_faster_than_tegrastats_prints_have_no_time(tmp_path: Path) -> None:
    for stamps in (["20250514_100000.log:"] * 40, [f"2025-05-15T18:30:00.{k:06}Z " for k in range(40)]):
        recording = read(tmp_path, [stamp + line() for stamp in stamps])
        assert list(recording.times_s) == list(range(40))
        assert recording.assumed.startswith("the times in its lines run with no clock: they are taken to be 1 s apart")


def test_a_name_with_a_date_is_no_wall_clock(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text("".join(f"20250514_100000.log:{line()}\n" for _ in range(20)))
    recording = Recording(path)
    assert {sample.wall for sample in recording} == {""}
    recording.close()


def test_a_line_a_day_is_no_clock_that_was_set_every_day() -> None:
    assert times([f"05-{day:02}-2025 18:30:00" for day in range(13, 25)]) == [86400 * k for k in range(12)]


def test_samples_say_that_their_time_is_assumed(tmp_path: Path) -> None:
    for text, said in ((f"{line()}\n{line()}\n", True), (f"10:00:00 {line()}\n10:00:05 {line()}\n", False)):
        path = tmp_path / "x.log"
        path.write_text(text)
        recording = Recording(path)
        assert all((b'"time":"assumed"' in encode(sample)) == said and decode(encode(sample)) == sample for sample in recording)
        recording.close()


def test_lines_that_came_in_full_buffers_were_made_one_after_the_other() -> None:
    assert times([f"10:00:{k // 10 * 10:02}" for k in range(40)]) == list(range(40))
    assert times([f"1747333800.{100 + k % 10}" if k < 10 else f"1747333810.{100 + k % 10}" for k in range(20)])[-1] > 15


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["01-01-1970 00:00:10", "01-01-1970 00:00:11", "11-20-2026 10:00:00", "11-20-2026 10:00:01"], [0, 1, 2, 3]),
        (["11-15-2024 08:38:08", "11-15-2024 08:38:10", "11-15-2024 08:38:05", "11-15-2024 08:38:07"], [0, 2, 4, 6]),
        (["12-31-2025 23:59:59", "01-01-2026 00:00:00"], [0, 1]),
        (["Dec 31 23:59:58 j:", "Dec 31 23:59:59 j:", "Jan  1 00:00:00 j:"], [0, 1, 2]),
        (["Feb 28 23:59:59 j:", "Mar  1 00:00:00 j:"], [0, 1]),
        (["Feb 28 23:59:59 j:", "Feb 29 00:00:00 j:", "Feb 29 23:59:58 j:", "Mar  1 00:00:00 j:"], [0, 1, 86399, 86401]),
        (["23:59:59", "00:00:00", "00:00:02"], [0, 1, 3]),
        (["11:59:59 PM", "12:00:00 AM", "12:00:01 AM"], [0, 1, 2]),
        (["03-30-2025 01:59:58", "03-30-2025 01:59:59", "03-30-2025 03:00:00", "03-30-2025 03:00:01"], [0, 1, 2, 3]),
        (["10-26-2025 02:59:58", "10-26-2025 02:59:59", "10-26-2025 02:00:00", "10-26-2025 02:00:01"], [0, 1, 2, 3]),
        (["2025-10-26T02:59:59+02:00", "2025-10-26T02:00:00+01:00"], [0, 1]),
        (["03-30-2025 12:00:00", "03-30-2025 13:00:01"], [0, 3601]),
        (["05-15-2025 18:30:10", "", "05-15-2025 18:30:14", ""], [0, 2, 4, 6]),
        (["31-12-2025 23:59:59", "01-01-2026 00:00:01"], [0, 2]),
        (["05-06-2025 23:59:59", "06-06-2025 00:00:00", "06-06-2025 00:00:01"], [0, 1, 2]),
        (["5/6/2025 11:59:59 PM", "6/6/2025 12:00:00 AM", "6/6/2025 12:00:01 AM"], [0, 1, 2]),
        (["0.98 ", "1.01 ", "1.00 ", "0.99 "], [0, 1.01, 2.01, 3.0]),
        (["Feb 30 00:00:00 j:", "25:61:61"], [0, 1]),
    ],
    ids=["NTP", "set back", "New Year", "no year", "March", "leap day", "midnight", "noon and night", "summer", "winter",
         "zone", "an hour's pause", "one without", "day first", "either", "either by slashes", "since before", "no time"],
)  # fmt: skip
def test_clocks_that_are_set(stamps: list[str], expected: list[float]) -> None:
    assert times(stamps) == pytest.approx(expected)


def test_a_clock_that_was_set_is_said(tmp_path: Path) -> None:
    recording = read(tmp_path, [f"05-15-2025 {h}:00:00 {line()}" for h in ("08", "07", "06")])
    assert recording.notes == ("its time steps back, or by a day and more, twice: one usual interval is taken there",)


def test_lines_of_several_boards_are_said(tmp_path: Path) -> None:
    other = line().replace("/7620MB", "/62841MB")
    notes = read(tmp_path, [f"10:00:{k:02} {text}" for k in range(3) for text in (line(), other)]).notes
    assert notes[0] == "its lines are of several boards (7620 to 62841 MB of memory): give each a file of its own"
    release = line().replace("/7620MB", "/7337MB")
    assert read(tmp_path, [f"10:00:{k:02} {(line(), release)[k // 5]}" for k in range(10)]).notes == ()


def test_numbers_that_run_with_no_clock_are_no_time(tmp_path: Path) -> None:
    dice = random.Random(3)
    recording = read(tmp_path, [f"{dice.random():.4f} {line()}" for _ in range(30)])
    assert list(recording.times_s) == list(range(30))


def test_lines_of_other_programs_do_not_advance_the_clock(tmp_path: Path) -> None:
    lines = []
    for k in range(10):
        lines += [f"05-15-2025 18:30:{k:02} {line()}", f"epoch {k}/10 loss 0.5", "05-15-2025 19:00:00 saved", f"RAM: GPU {k}/9"]
    recording = read(tmp_path, lines)
    assert recording.duration_s == 9.0
    assert list(recording.times_s[::4]) == list(range(10))
    unstamped = read(tmp_path, [text for _ in range(5) for text in ("warming up", line(), "done 1/2")])
    assert unstamped.duration_s == 4.0


def test_a_line_that_was_broken_in_two_is_one_beat(tmp_path: Path) -> None:
    pieces = ["RAM 1/2MB (lfb 6x1MB) CPU [3%@1904]", "EMC_FREQ 0%@1600 GR3D_FREQ 0%@[510]", "VDD_IN 5079mW/5079mW"]
    recording = read(tmp_path, pieces * 3)
    assert list(recording.times_s) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    rails = read(tmp_path, ["POM_5V_IN 2830/1483 POM_5V_GPU 41/31"] * 3)
    assert list(rails.times_s) == [0, 1, 2]


@pytest.mark.parametrize(
    ("before", "step_s"),
    [
        ("", 1.0), ("log_interval=50 eval interval: 10 s", 1.0), ("# interval: 500 ms", 0.5),
        ("user@jetson:~$ tegrastats --interval 250", 0.25), ("# interval 2 s", 2.0),
        ('Script started on 2025-05-15 [COMMAND="tegrastats --interval=100"]', 0.1),
    ],
)  # fmt: skip
def test_without_stamps_the_interval_is_taken_from_the_log_or_said(tmp_path: Path, before: str, step_s: float) -> None:
    recording = read(tmp_path, [before, line(), line(), line()])
    assert recording.times_s[-1] == pytest.approx(2 * step_s)
    assert f"{step_s:g} s apart" in recording.assumed
    assert not read(tmp_path, [f"05-15-2025 18:30:2{k} {line()}" for k in range(3)]).assumed


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n", "\n\r\n"])
def test_every_end_of_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(end.join(f"05-15-2025 18:30:2{k} {line(k)}" for k in range(3)).encode())
    recording = Recording(path)
    assert [sample.rails_mw["VDD_IN"] for sample in recording] == [0, 1, 2]
    recording.close()


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32"])
def test_logs_of_powershell(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "x.log"
    path.write_bytes("".join(f"# π\r\n05-15-2025 18:30:2{k} {line(k)}\r\n" for k in range(3)).encode(coding))
    recording = Recording(path)
    assert [(sample.rails_mw["VDD_IN"], sample.t_s) for sample in recording] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    recording.close()


def test_lines_as_docker_and_the_journal_keep_them(tmp_path: Path) -> None:
    docker = [f'{{"log":"{line()}\\n","stream":"stdout","time":"2025-05-15T18:30:{k:02}.5Z"}}' for k in (0, 3, 5)]
    assert list(read(tmp_path, docker).times_s) == [0, 3, 5]
    journal = [f'{{"MESSAGE":"{line()}","__REALTIME_TIMESTAMP":"{1747333800 + k}000000"}}' for k in (0, 3, 5)]
    assert list(read(tmp_path, journal).times_s) == [0, 3, 5]


def test_what_is_compressed_is_to_be_unpacked_first(tmp_path: Path) -> None:
    path = tmp_path / "x.log.gz"
    path.write_bytes(gzip.compress(line().encode()))
    with pytest.raises(DataRefused, match=r"is compressed; unpack it with `gunzip`"):
        Recording(path)


def test_a_log_that_begins_with_other_words_has_power_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_text(f"user@jetson:~$ sudo tegrastats\n[sudo] password for user:\n{R36}\n")
    recording = Recording(path)
    assert recording.sample(0).empty
    assert recording.first().total_mw == 17946
    assert recording.tells_power()
    recording.close()
