"""Processes of stages, as the supervisor has them started: real ones, of a stage that cannot read its run."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from edgetui.engine.runs.fork_client import ForkedProcess, ForkServer
from processes import wait_until, working

NO_RUN = ["/nowhere", "inspect", "run"]
THREAD = """
import os, sys, threading
from edgetui.engine.runs.fork_client import Order
from edgetui.engine.work import fork_server

threading.Thread(target=threading.Event().wait, daemon=True).start()
words = (b"/nowhere", b"inspect", b"run")
pid = fork_server.start(Order(program="stage_process", words=words, environment=dict(os.environb)), [0, 1, 2], [])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
ENVIRONMENT = """
import os
from importlib import import_module
from types import SimpleNamespace
from edgetui.engine.runs.fork_client import Order
from edgetui.engine.work import fork_server

def show(words):
    print(dict(os.environ), [str(len(os.listdir("/proc/self/task")))])
    return 0

with fork_server._one_blas_thread():
    for module in fork_server.shared():
        import_module(module)
fork_server.PROGRAMS["query_process"] = SimpleNamespace(main=show)
order = Order(program="query_process", words=(), environment={b"OPENBLAS_NUM_THREADS": b"7"})
os.waitpid(fork_server.start(order, [os.dup(0), os.dup(1), os.dup(2)], []), 0)
"""


@pytest.fixture
def forks() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.close()


def stuck(forks: ForkServer) -> tuple[ForkedProcess, psutil.Process]:
    """A stage that has begun and gets no further: it has to say that it cannot read its run, and the pipe is full."""
    process = forks.begin("stage_process", NO_RUN)
    full = os.open(f"/proc/self/fd/{process.out.fileno()}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while os.write(full, bytes(1 << 12)):
            pass
    os.close(full)
    heard(process)
    assert process.code is None
    return process, psutil.Process(process.pid)


def heard(process: ForkedProcess, limit_s: float = 30) -> None:
    assert select.select([process], [], [], limit_s)[0], "nothing was said"
    process.hear()


def close(process: ForkedProcess) -> tuple[bytes, bytes]:
    """What it wrote."""
    written = process.out.read(), process.err.read()
    process.close()
    return written


def test_stages_are_forked_and_say_how_they_end(forks: ForkServer) -> None:
    for _ in range(2):
        process = forks.begin("stage_process", NO_RUN)
        assert process.wait() == 1
        assert 10 < process.peak_mb < 200
        out, err = close(process)
        assert b'"stage-failed"' in out
        assert err == b""


def test_it_is_told_when_a_process_was_there_and_not_when_it_was_ordered(tmp_path, monkeypatch) -> None:
    """The first stage of a run waited for its server's imports, and that was taken for the time of the stage."""
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(0.5)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    forks = ForkServer()
    try:
        ordered = time.monotonic()
        process = forks.begin("stage_process", NO_RUN)
        process.wait()
        assert process.began_s is not None
        assert ordered + 0.5 < process.began_s < time.monotonic()
        close(process)
    finally:
        forks.close()


def test_a_stage_begins_with_one_thread_and_with_what_stages_share(forks: ForkServer) -> None:
    process, stage = stuck(forks)
    assert stage.num_threads() == 1
    assert "numpy" in Path(f"/proc/{stage.pid}/maps").read_text()
    process.stop(signal.SIGKILL)
    heard(process)
    assert process.code == -signal.SIGKILL
    close(process)


def test_sigterm_ends_a_stage_and_not_its_server(forks: ForkServer) -> None:
    process, stage = stuck(forks)
    server = stage.ppid()
    for pid in (server, stage.pid):  # as who cancels a run sends it to the group
        os.kill(pid, signal.SIGTERM)
    heard(process)
    assert process.code == -signal.SIGTERM
    close(process)
    assert working(server)


def test_a_server_that_is_killed_takes_its_stage_along_and_the_next_stage_has_another(forks: ForkServer) -> None:
    process, stage = stuck(forks)
    os.kill(stage.ppid(), signal.SIGKILL)
    heard(process)
    assert process.code == -signal.SIGKILL
    wait_until(lambda: not working(stage.pid), "the stage outlived the server")
    close(process)
    again = forks.begin("stage_process", NO_RUN)
    assert again.wait() == 1
    close(again)


def test_a_stage_that_nobody_hears_when_it_begins_ends_at_once(forks: ForkServer) -> None:
    process = forks.begin("stage_process", NO_RUN)
    assert not process.stop(signal.SIGTERM)
    process.out.close()
    assert process.wait() == 1
    assert process.err.read() == b""
    process.close()


def test_several_work_at_once_and_none_keeps_the_end_of_another_from_being_heard(forks: ForkServer) -> None:
    first, stage = stuck(forks)
    second, other = stuck(forks)
    assert stage.ppid() == other.ppid()
    first.stop(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert other.is_running()
    os.kill(stage_server := other.ppid(), signal.SIGKILL)
    assert second.wait() == -signal.SIGKILL
    wait_until(lambda: not working(stage_server))
    close(first)
    close(second)


def test_a_process_has_the_environment_of_who_asked_and_one_thread() -> None:
    ended = subprocess.run([sys.executable, "-W", "error", "-c", ENVIRONMENT], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("{'OPENBLAS_NUM_THREADS': '7'} ['1']\n", "")


def test_what_is_ordered_may_be_long_and_need_not_be_utf8(forks: ForkServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONG", "x" * 120_000)
    monkeypatch.setenv("LONGER", "x" * 120_000)
    monkeypatch.setenv("LATIN_1", os.fsdecode(b"\xff\xe9"))
    process = forks.begin("stage_process", NO_RUN)
    assert process.wait() == 1
    out, err = close(process)
    assert b'"stage-failed"' in out
    assert err == b""


def test_with_a_second_thread_a_stage_gets_a_fresh_interpreter() -> None:
    ended = subprocess.run([sys.executable, "-c", THREAD], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "has 2 threads" in ended.stderr
    assert '"stage-failed"' in ended.stdout


def test_with_a_second_thread_a_supervisor_gets_one_as_well(tmp_path: Path) -> None:
    code = THREAD.replace('"stage_process"', '"supervisor"').replace(
        '(b"/nowhere", b"run", b"inspect")', f"({bytes(tmp_path)!r}, b'run')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr  # it has left for a session of its own
    assert "supervisor gets a fresh interpreter" in ended.stderr
    assert "run.toml" in ended.stderr or "run run" in ended.stderr, ended.stderr
