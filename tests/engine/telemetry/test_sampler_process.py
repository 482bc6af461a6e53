"""The sampler process and its readers: real processes, real files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from edgetui.engine.errors import UsageError
from edgetui.engine.system.boards import detect
from edgetui.engine.telemetry.client import Telemetry, open_telemetry
from edgetui.engine.telemetry.rendezvous import rendezvous_dir
from processes import wait_until, working


@pytest.fixture
def telemetry(own_state: Path):
    with open_telemetry(own_state, "host", 50) as opened:
        yield opened


def test_samples_arrive_and_are_numbered_without_gaps(telemetry: Telemetry) -> None:
    wait_until(lambda: telemetry.newest_number() >= 5)
    samples = list(telemetry.since(0))
    assert [n for n, _ in samples] == list(range(1, len(samples) + 1))
    stamps = [sample.t_s for _, sample in samples]
    assert stamps == sorted(set(stamps))
    newest = telemetry.newest()
    assert newest is not None
    assert newest.source == "host"
    assert newest.ram_total_mb is not None
    assert newest.ram_total_mb > 100
    assert 0 <= time.monotonic() - newest.t_s < 10
    assert list(telemetry.since(telemetry.newest_number() + 100)) == []


def test_it_says_about_itself_what_it_does(telemetry: Telemetry) -> None:
    wait_until(lambda: telemetry.stats().effective_rate_hz)
    stats = telemetry.stats()
    assert stats.rate_hz == 50
    assert stats.source == telemetry.source == "host"
    assert stats.board == detect().name
    assert stats.effective_rate_hz is not None
    assert stats.samples >= 2
    assert 1 <= stats.distinct <= stats.samples
    assert stats.cpu_s > 0
    assert stats.pid != os.getpid()
    real_time = os.sched_getscheduler(stats.pid) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_RR, os.SCHED_FIFO)
    assert real_time == (stats.scheduling == "real time")


def test_two_readers_share_one_sampler_at_the_faster_rate(own_state: Path) -> None:
    with open_telemetry(own_state, "host", 5) as slow:
        wait_until(lambda: slow.stats().pid)
        with open_telemetry(own_state, "host", 40) as fast:
            wait_until(lambda: fast.stats().rate_hz == 40)
            assert fast.stats().pid == slow.stats().pid
        wait_until(lambda: slow.stats().rate_hz == 5)


def test_a_killed_sampler_is_replaced_and_numbers_go_on(telemetry: Telemetry) -> None:
    wait_until(lambda: telemetry.stats().pid and telemetry.newest_number() > 3)
    pid, before = telemetry.stats().pid, telemetry.newest_number()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: telemetry.newest_number() > before + 3)
    wait_until(lambda: telemetry.stats().pid != pid)
    assert all(n > before for n, _ in telemetry.since(before))


def test_it_outlives_a_reader_that_is_killed_and_ends_when_the_last_has_gone(own_state: Path) -> None:
    code = f"""
import time
from pathlib import Path
from edgetui.engine.telemetry.client import open_telemetry
reader = open_telemetry(Path({str(own_state)!r}), "host", 10)
while reader.newest() is None:
    time.sleep(0.01)
print("reading", flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"reading\n"
        telemetry = open_telemetry(own_state, "host", 10)
        wait_until(lambda: telemetry.stats().pid)
        pid = telemetry.stats().pid
        other.kill()
    before = telemetry.newest_number()
    wait_until(lambda: telemetry.newest_number() > before + 5)
    assert telemetry.stats().pid == pid
    folder = rendezvous_dir(own_state, "host")
    telemetry.close()
    wait_until(lambda: not working(pid))
    assert not folder.exists() or not any(folder.iterdir())


def test_opening_does_not_wait_for_the_sampler(own_state: Path) -> None:
    with open_telemetry(own_state, "host") as telemetry:
        assert telemetry.newest() is None
        assert list(telemetry.since(0)) == []
        assert telemetry.source == "host"
        assert telemetry.stats().samples == 0


def test_a_source_that_cannot_be_used_says_why(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    with open_telemetry(own_state, "jetson") as telemetry:
        wait_until(telemetry.problem)
        assert "not a Jetson" in (telemetry.problem() or "")
        assert telemetry.newest() is None
        folder = telemetry._folder
    assert not folder.exists()


def test_a_defect_is_said_with_the_place_of_its_traceback(
    own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pynvml.py").write_text("class NVMLError(Exception): ...\ndef nvmlInit(): raise KeyError('surprise')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with open_telemetry(own_state, "nvml") as telemetry:
        wait_until(telemetry.problem)
        said = telemetry.problem() or ""
    assert "KeyError" in said
    assert "surprise" in Path(said.rpartition("details: ")[2]).read_text()


@pytest.mark.parametrize(("source", "rate"), [("jetsn", 2.0), ("host", 0.0), ("host", 1e6)])
def test_what_cannot_be_asked_for(own_state: Path, source: str, rate: float) -> None:
    with pytest.raises(UsageError):
        open_telemetry(own_state, source, rate)


def test_a_reader_imports_nothing_heavy() -> None:
    code = "import sys, edgetui.engine.telemetry.client; print([m for m in ('numpy', 'psutil', 'asyncio') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_one_that_takes_long_to_start_is_waited_for(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a starving machine each second brought another: 503 of them on 30 boards of one machine."""
    starts = tmp_path / "starts"
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\necho $$ >> {starts}\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    with open_telemetry(own_state, "host", 5) as opened:
        wait_until(starts.exists)
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            opened.newest()
            time.sleep(0.05)
        pids = starts.read_text().split()
        for pid in pids:
            os.kill(int(pid), signal.SIGKILL)
        assert len(pids) == 1
