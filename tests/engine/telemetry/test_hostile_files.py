"""Files that are damaged, or made to harm: recordings, logs and what lies below /proc and /sys."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from edgetui.engine.errors import DataRefused
from edgetui.engine.system import boards
from edgetui.engine.system.cpu import clocks_mhz
from edgetui.engine.system.cpu_list import cpus
from edgetui.engine.system.memory import read_memory
from edgetui.engine.system.root_files import Files, leading_number
from edgetui.engine.telemetry.channel import Channel, Notes
from edgetui.engine.telemetry.rendezvous import rendezvous_dir, take_lease, tidy
from edgetui.engine.telemetry.replay import Recording
from edgetui.engine.telemetry.sources.chips import Rail
from edgetui.engine.telemetry.sources.lines import ChildLines
from edgetui.engine.telemetry.sources.machine import Machine, memory_mb
from processes import wait_until

HEADER = b'{"kind":"recording"}\n'


def lay(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    "line",
    [
        b'{"t_s":1.5,garbage}',
        b'{"t_s":nan,"wall":""}',
        b'{"t_s":1e400,"wall":""}',
        b'{"t_s":1.5,"wall":"\xff\xfe"}',
        b'{"t_s":1.5,"x":' + b"[" * 100_000 + b"}",
        b'{"kind":"mark","t_s":1.5,"note":"\xff"}',
        b'{"kind":"mark","t_s":1.5,"x":' + b"[" * 100_000 + b"}",
        b"\x00" * 3_000_000,
    ],
    ids=["no json", "nan", "too large", "no utf-8", "deep", "mark no utf-8", "mark deep", "long"],
)
def test_a_line_that_is_no_sample_is_left_out(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(HEADER + b'{"t_s":1.0}\n' + line + b'\n{"t_s":2.0,"wall":""}\n')
    recording = Recording(file)
    assert [sample.t_s for sample in recording] == [1.0, 2.0]
    assert recording.broken
    recording.close()


def test_a_sample_that_goes_back_in_time_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "r.jsonl"
    file.write_bytes(HEADER + b'{"t_s":100.0}\n{"t_s":2.0}\n{"t_s":101.0}\n')
    recording = Recording(file)
    assert list(recording.times_s) == [100.0, 101.0]
    assert recording.broken == 1
    recording.close()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(DataRefused, match="is not a file"):
            Recording(path)


def test_a_program_is_no_log() -> None:
    with pytest.raises(DataRefused, match="nothing in"):
        Recording(Path(sys.executable))


def test_a_clock_that_jumps_by_years_is_a_second(tmp_path: Path) -> None:
    file = tmp_path / "t.log"
    stamps = ("01-01-1970 00:00:10", "01-01-1970 00:00:11", "11-20-2026 10:00:00", "11-20-2026 10:00:01")
    file.write_text("".join(f"{stamp} RAM 1/2MB (lfb 1x4MB)\n" for stamp in stamps))
    recording = Recording(file)
    assert list(recording.times_s) == [0.0, 1.0, 2.0, 3.0]
    recording.close()


def test_ten_lines_a_second_do_not_stretch_a_log(tmp_path: Path) -> None:
    file = tmp_path / "t.log"
    file.write_text("".join(f"01-01-2026 00:00:{k // 10:02} RAM 1/2MB (lfb 1x4MB)\n" for k in range(300)))
    recording = Recording(file)
    assert recording.times_s[290] == 29.0
    recording.close()


def test_a_number_of_a_thousand_digits_is_no_reading(tmp_path: Path) -> None:
    assert leading_number(b"9" * 4000) is None
    assert leading_number(b"9" * 10_000) is None
    lay(tmp_path, "x", "9" * 4000)
    assert Channel(Files(str(tmp_path)), Notes(), "x", "/x", 0.001).read(0.0) is None


def test_a_rail_of_a_megawatt_is_no_reading(tmp_path: Path) -> None:
    lay(tmp_path, "volts", "999999999999999\n")
    lay(tmp_path, "amps", "999999999999999\n")
    files, notes = Files(str(tmp_path)), Notes()
    rail = Rail("VDD_IN", None, Channel(files, notes, "v", "/volts"), Channel(files, notes, "a", "/amps"))
    assert rail.read(0.0) is None


def test_a_proc_that_is_nonsense_is_unknown(tmp_path: Path) -> None:
    lay(tmp_path, "proc/cpuinfo", "processor : 0\ncpu MHz : unknown\n")
    lay(tmp_path, "proc/meminfo", f"MemTotal: {'9' * 5000} kB\nMemAvailable: {'9' * 5000} kB\n")
    lay(tmp_path, "proc/stat", f"cpu0 {'9' * 5000} 1 1 1\n")
    lay(tmp_path, "sys/devices/system/cpu/present", "²")
    files = Files(str(tmp_path))
    assert clocks_mhz(files) == {}
    assert memory_mb(read_memory(files)) == (None, None, None, None)
    assert cpus("²,1-2") == [1, 2]
    assert Machine(files).read(0.0).ram_total_mb is None
    assert boards.detect(files).memory_mb is None


def test_free_memory_that_cannot_be_told_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    lay(tmp_path, "proc/meminfo", "MemAvailable:\n")
    assert read_memory().available_mb is None
    lay(tmp_path, "proc/meminfo", "MemAvailable:    1000 kB\n")
    assert read_memory().available_mb == 1.024


def test_a_command_that_never_pauses_does_not_keep_us() -> None:
    child = ChildLines(["yes"], terminal=False)
    try:
        assert child.wait_for_line(5.0) == "y"
        wait_until(child.lines)
    finally:
        child.close()


def test_readers_that_come_and_go_at_once_each_get_a_lease(tmp_path: Path) -> None:
    failed: list[BaseException] = []
    places: set[Path] = set()

    def come_and_go() -> None:
        try:
            for _ in range(200):
                folder, lease = take_lease(tmp_path, "host", 1.0)
                places.add(folder)
                lease.close()
                tidy(folder)
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert len(places) == 1
    tidy(rendezvous_dir(tmp_path, "host"))
