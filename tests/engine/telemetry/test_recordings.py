"""Recordings and tegrastats logs: written, killed, read again, played, exported."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from edgetui.engine.errors import DataRefused, StorageRefused
from edgetui.engine.system import boards
from edgetui.engine.telemetry.alerts import AlertEvent
from edgetui.engine.telemetry.recording import Header, Recorder, header_of
from edgetui.engine.telemetry.recording_export import to_csv, to_file, to_json
from edgetui.engine.telemetry.replay import Player, Recording
from edgetui.engine.telemetry.sample import Sample
from processes import wait_until

BOARD = boards.detect()


def series(count: int) -> list[Sample]:
    return [
        Sample(t_s=100.0 + k / 10, rails_mw={"VDD_IN": 5000 + k}, cpu_load_pct=(1.0, None), temps_c={"gpu": None, "cpu": 40.5})
        for k in range(count)
    ]


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    path = tmp_path / "field.jsonl"
    with Recorder(path, header_of(BOARD, "jetson", 10.0)) as recorder:
        for k, sample in enumerate(series(50)):
            recorder.write(sample)
            if k == 20:
                recorder.mark("door opened", sample.t_s)
                recorder.alert(AlertEvent(t_s=sample.t_s, rule="power above 5 W", raised=True, value=5.02))
    return path


def test_what_was_written_is_read_back(recorded: Path) -> None:
    recording = Recording(recorded)
    assert list(recording) == series(50)
    assert recording.header.board == BOARD.name
    assert recording.header.total == BOARD.profile.total
    assert [mark.note for mark in recording.marks] == ["door opened"]
    assert recording.alerts[0].rule == "power above 5 W"
    assert recording.duration_s == pytest.approx(4.9)
    assert recording.broken == 0
    recording.close()


def test_a_half_line_at_the_end_costs_that_line_only(recorded: Path) -> None:
    data = recorded.read_bytes()
    recorded.write_bytes(data[:-30])
    recording = Recording(recorded)
    assert list(recording) == series(49)
    assert recording.broken == 1
    recording.close()


def test_lines_of_later_versions_are_passed_over(recorded: Path) -> None:
    with recorded.open("ab") as file:
        file.write(b'{"kind":"hologram","t_s":1}\n{"t_s":200.0,"rails_mw":{},"aura":3}\nrubbish\n')
    recording = Recording(recorded)
    assert len(recording) == 51
    assert recording.sample(50).t_s == 200.0
    assert recording.broken == 2
    recording.close()


def test_documents_in_another_order_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text('{"source": "host", "t_s": 1.5, "total_mw": 7}\n{"source": "host", "t_s": 2.5}\n')
    recording = Recording(path)
    assert [sample.t_s for sample in recording] == [1.5, 2.5]
    assert recording.sample(0).total_mw == 7
    recording.close()


def test_nothing_is_overwritten(recorded: Path) -> None:
    with pytest.raises(StorageRefused, match="is there already"):
        Recorder(recorded, Header())


@pytest.mark.parametrize(
    ("content", "what"), [(None, "there is no file"), (b"", "nothing in"), (b"# only a comment\n", "nothing in")]
)
def test_what_cannot_be_replayed(tmp_path: Path, content: bytes | None, what: str) -> None:
    path = tmp_path / "nothing"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataRefused, match=what):
        Recording(path)


def test_a_kill_loses_at_most_the_last_second(tmp_path: Path) -> None:
    path = tmp_path / "killed.jsonl"
    code = f"""
import time
from pathlib import Path
from edgetui.engine.telemetry.recording import Header, Recorder
from edgetui.engine.telemetry.sample import Sample
recorder = Recorder(Path({str(path)!r}), Header())
began = time.monotonic()
while True:
    taken_s = time.monotonic()
    recorder.write(Sample(t_s=taken_s))
    if taken_s - began > 1.6:
        print(taken_s, flush=True)
        time.sleep(60)
    time.sleep(0.01)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        last = float(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
    recording = Recording(path)
    assert last - recording.times_s[-1] <= 1.05
    recording.close()


def test_a_recorder_says_how_large_it_is_and_how_long_it_can_go_on(tmp_path: Path) -> None:
    with Recorder(tmp_path / "r.jsonl", Header()) as recorder:
        assert recorder.days_left() is None
        recorder._began_s -= 10  # as if it had run for ten seconds
        recorder.flush()
        assert recorder.size_bytes == os.path.getsize(recorder.path)
        days = recorder.days_left()
        assert days is not None
        assert days > 0


LOG = """# a log of tegrastats
11-15-2024 08:38:09 RAM 6185/7620MB (lfb 8x2MB) CPU [15%@729,off] VDD_IN 12479mW/12479mW
11-15-2024 08:38:10 RAM 6186/7620MB (lfb 8x2MB) CPU [15%@729,off] VDD_IN 12480mW/12479mW
11-15-2024 08:38:10 no field in this line
11-15-2024 08:38:05 RAM 6188/7620MB the clock was set back
"""


def test_a_log_of_tegrastats_gives_a_sample_for_each_line(tmp_path: Path) -> None:
    path = tmp_path / "tegrastats.log"
    path.write_text(LOG)
    recording = Recording(path)
    assert [round(sample.t_s, 3) for sample in recording] == [0.0, 1.0, 1.0, 2.0]
    assert [sample.ram_used_mb for sample in recording] == [6185, 6186, None, 6188]
    first = recording.sample(0)
    assert (first.total_mw, first.total_scope, first.wall) == (12479, "module", "2024-11-15T08:38:09")
    assert recording.sample(2).rails_mw == {}
    recording.close()


def test_every_capture_can_be_replayed(shared: Path) -> None:
    for path in sorted((shared / "tegrastats").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        recording = Recording(path)
        assert len(list(recording)) == len(lines)
        assert all(sample.ram_total_mb for sample in recording)
        recording.close()


def test_it_plays_at_a_speed_and_from_a_place(recorded: Path) -> None:
    player = Player(Recording(recorded), speed=0.0)
    assert player.newest_number() == 1
    player.seek(2.0)
    newest = player.newest()
    assert newest is not None
    assert newest.t_s == pytest.approx(102.0)
    assert player.newest_number() == 21
    assert [n for n, _ in player.since(18)] == [19, 20, 21]
    player.speed = 20.0
    wait_until(lambda: player.ended)
    assert player.newest_number() == 50
    player.seek(-5)
    player.speed = 0.0
    assert player.position_s < 4
    assert player.source == "jetson"
    assert player.stats().effective_rate_hz == pytest.approx(10.0)
    player.close()


def test_export_as_csv(recorded: Path) -> None:
    recording, out = Recording(recorded), io.StringIO()
    to_csv(recording, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == 50
    assert rows[3]["rails_mw.VDD_IN"] == "5003"
    assert rows[3]["cpu_load_pct.0"] == "1.0"
    assert rows[3]["cpu_load_pct.1"] == rows[3]["temps_c.gpu"] == rows[3]["total_mw"] == ""
    assert [row["mark"] for row in rows if row["mark"]] == ["door opened"]
    recording.close()


def test_export_as_json(recorded: Path) -> None:
    recording, out = Recording(recorded), io.StringIO()
    to_json(recording, out)
    document = json.loads(out.getvalue())
    assert len(document["samples"]) == 50
    assert document["samples"][0]["temps_c"] == {"gpu": None, "cpu": 40.5}
    assert document["marks"][0]["note"] == "door opened"
    assert document["alerts"][0]["raised"] is True
    assert document["header"]["board"] == BOARD.name
    recording.close()


def joined(tmp_path: Path, *parts: list[str]) -> Recording:
    path = tmp_path / "joined.jsonl"
    path.write_text("".join(f"{line}\n" for part in parts for line in part))
    recording = Recording(path)
    recording.close()
    return recording


def part(first_s: float, count: int, wall: str = "", *, header: bool = True, board: str = "") -> list[str]:
    """A recording of `count` samples a second apart; `wall` is the beginning of their wall clock up to its minute."""
    head = [json.dumps({"kind": "recording", "version": 1, "board": board})] if header else []
    walls = (f'"{wall}:{k:02}+00:00"' if wall else '""' for k in range(count))
    return [*head, *(f'{{"t_s":{first_s + k},"wall":{said},"total_mw":{k}}}' for k, said in enumerate(walls))]


def test_two_recordings_in_one_file_play_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "joined.jsonl"
    note = ['{"kind":"mark","t_s":2.5,"note":"second"}']
    path.write_text("\n".join([*part(5000, 5), *part(1, 5), *note]) + "\n")
    recording = Recording(path)
    assert [sample.t_s for sample in recording] == [5000.0 + k for k in range(10)]
    assert [mark.t_s for mark in recording.marks] == [5006.5]
    assert [sample.total_mw for sample in recording] == [*range(5), *range(5)]
    assert recording.notes == ("2 recordings are in this file: each is played behind the one before",)
    assert recording.broken == 0
    recording.close()


def test_documents_of_two_starts_without_a_header_are_two_parts(tmp_path: Path) -> None:
    assert list(joined(tmp_path, part(50, 4, header=False), part(3, 4, header=False)).times_s) == [50.0 + k for k in range(8)]


def test_the_wall_clock_tells_the_time_between_two_recordings(tmp_path: Path) -> None:
    later = joined(tmp_path, part(5000, 5, "2026-01-01T10:00"), part(1, 5, "2026-01-01T10:02"))
    assert later.times_s[5] == 5120.0
    other_machine = joined(tmp_path, part(10, 5, "2026-01-01T10:00", board="A"), part(9000, 5, "2026-01-01T10:02", board="B"))
    assert other_machine.times_s[5] == 130.0
    assert other_machine.notes[1] == "they are of different boards: A, B"
    same_start = joined(tmp_path, part(10, 5, "2026-01-01T10:00"), part(130, 5, "2026-01-01T10:02"))
    assert same_start.times_s[5] == 130.0
    assert same_start.notes == ()


def test_a_clock_set_between_two_recordings_is_one_interval(tmp_path: Path) -> None:
    assert joined(tmp_path, part(50, 4, "2026-01-01T10:00"), part(3, 4, "1970-01-01T00:00")).times_s[4] == 54.0


def test_lines_that_are_left_out_are_said(tmp_path: Path) -> None:
    assert joined(tmp_path, part(50, 4), ["x", "y", "z"]).notes == (
        "3 lines cannot be read, or go back in time: they are left out",
    )
    one = ("a line cannot be read, or goes back in time: it is left out",)
    assert joined(tmp_path, part(50, 4), part(10, 1, header=False)).notes == one
    assert joined(tmp_path, part(50, 2), ["x"], part(53, 2, header=False)).notes == one
    assert joined(tmp_path, part(50, 4), ['{"t_s":54.0,"wa']).notes == ()


def test_a_recording_of_a_newer_version(tmp_path: Path) -> None:
    readable = joined(tmp_path, ['{"kind":"recording","version":9,"aura":1}'], part(1, 3, header=False))
    assert readable.notes == ("it was recorded by a newer edgetui: what this one does not know is left out",)
    for head in ('{"kind":"recording","version":9}', '{"kind":"recording","version":9,"board":{"name":"A"}}'):
        with pytest.raises(DataRefused, match=r"is a recording of a newer edgetui, .*; update edgetui"):
            joined(tmp_path, [head, '{"t":1,"mw":[1,2]}'])


@pytest.mark.parametrize("coding", ["utf-8-sig", "utf-16"])
def test_documents_that_powershell_kept(tmp_path: Path, coding: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes("".join(f"{line}\r\n" for line in part(5, 3)).encode(coding))
    recording = Recording(path)
    assert ([sample.t_s for sample in recording], recording.broken) == ([5.0, 6.0, 7.0], 0)
    recording.close()


def test_a_full_disk_ends_a_recording_in_words_about_recordings(tiny_disk: Path) -> None:
    file = tiny_disk / "field.jsonl"
    recorder = Recorder(file, Header())
    for k in range(2000):
        recorder.write(Sample(t_s=float(k), source="x" * 1000))
    with pytest.raises(StorageRefused) as told:
        recorder.flush()
    assert told.value.what == f"no space left at {file}"
    assert told.value.fix == "free some space, then record to a new file; what this one holds can be replayed"
    recorder.flush()
    recorder.close()
    assert len(Recording(file)) > 100


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))


@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_an_export_that_finds_no_room_leaves_no_file(tmp_path: Path, tiny_disk: Path, name: str) -> None:
    (tmp_path / "r.jsonl").write_text("".join(f"{line}\n" for line in part(5, 3)))
    fill(tiny_disk)
    with pytest.raises(StorageRefused, match=f"no space left at {tiny_disk}/{name}"):
        to_file(tmp_path / "r.jsonl", tiny_disk / name)
    assert not (tiny_disk / name).exists()


def test_a_recording_that_cannot_begin_leaves_no_file(tiny_disk: Path) -> None:
    fill(tiny_disk)
    with pytest.raises(StorageRefused, match="no space left"):
        Recorder(tiny_disk / "field.jsonl", Header())
    assert not (tiny_disk / "field.jsonl").exists()
