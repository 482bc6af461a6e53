"""One light process a run: holds the run's lock, waits for the board, starts one child a stage, writes the result.

`python -m edgetui.engine.supervisor HOME RUN`, detached from any terminal. It imports nothing heavy, so that an out-of-memory
kill hits the child. SIGTERM cancels.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

import msgspec

from . import events, outcome
from .cache import Cache, place
from .config import load_config
from .errors import EdgetuiError, RunFailed, from_os_error
from .events import Note, Queued, RunBegan, RunEnded, StageBegan, StageEnded, StageFailed
from .index import Index
from .outcome import Outcome
from .queue import Device
from .result import Failure, State
from .rundir import RESERVE_BYTES, Asked, EventLog, RunDir, write_atomic
from .runtelemetry import RunTelemetry
from .stages import Stage, plan_stages
from .unchanged import refuse_changed
from .verdict import verdicts

LOG_LIMIT_BYTES = 4_000_000
TERM_GRACE_S = 5.0


class _Stopped(Exception):
    """The run ends here: cancelled, or a stage failed."""

    def __init__(self, state: State, failure: Failure | None = None) -> None:
        super().__init__(state)
        self.state = state
        self.failure = failure


class Supervisor:
    """Carries one run through its stages."""

    def __init__(self, home: Path, run: str) -> None:
        self.home = home
        self.folder = RunDir(home / "runs" / run)
        self.asked: Asked = self.folder.asked()
        self.cache = Cache(home)
        self.index = Index(home)
        self.done: list[tuple[str, bool, Outcome]] = []
        self.artifacts: dict[str, str] = {}
        self.telemetry: RunTelemetry | None = None
        self.cancelled = False
        self.waited = False
        """Others had the board; meanwhile files may have changed."""

    def carry(self) -> None:
        """Do the whole run; returns when result.json is written."""
        with self.folder.hold():
            signal.signal(signal.SIGTERM, lambda *_: self._cancel())
            before = self.folder.result()
            if before is not None and before.state == "done":
                return
            (self.folder.path / "result.json").unlink(missing_ok=True)
            stages = plan_stages(self.asked)
            log = EventLog(self.folder)
            self.say = log.write
            self.say(RunBegan(stages=tuple(s.name for s in stages), pid=os.getpid(), resumed=before is not None or log.resumed))
            self._restore_reserve()
            device = Device(self.home, self.asked.ticket, self.asked.run)
            state: State = "failed"
            failure: Failure | None = None
            try:
                if not device.acquire(self._wait, lambda: self.cancelled):
                    raise _Stopped("cancelled")
                if self.waited:
                    refuse_changed(self.asked)
                self.cache.tidy(load_config().cache.limit_mb, {s.key for s in stages})
                self.telemetry = RunTelemetry(self.home, self.folder.path, log.shift_s)
                for stage in stages:
                    self._stage(stage)
                state = "done"
            except _Stopped as stopped:
                state, failure = stopped.state, stopped.failure
            except EdgetuiError as error:
                failure = Failure(stage="", what=error.what, fix=error.fix)
            except OSError as error:
                told = from_os_error(error, path=self.home, then="`edgetui resume` the run")
                failure = Failure(stage="", what=told.what, fix=told.fix)
            except Exception as error:
                traceback.print_exc()
                log_file = self.folder.path / "log.txt"
                failure = Failure(stage="", what=f"a defect of edgetui ({type(error).__name__})", fix=f"report {log_file}")
            if self.telemetry is not None:
                self.telemetry.close()
            self._end(state, failure, log)
            device.release()

    def _wait(self, run: str) -> None:
        self.waited = True
        self.say(Queued(waiting_for=run))

    def _cancel(self) -> None:
        self.cancelled = True

    def _restore_reserve(self) -> None:
        """A run that ended on a full disk gave its reserve up; take it again if there is room."""
        reserve = self.folder.path / "reserve"
        if not reserve.exists():
            with contextlib.suppress(OSError):
                write_atomic(reserve, os.urandom(RESERVE_BYTES))

    def _end(self, state: State, failure: Failure | None, log: EventLog) -> None:
        document = outcome.compose(self.asked, state, self.done, {}, self.artifacts, failure)
        if state == "done":
            words = verdicts(document.difference, document.baseline, document.candidate)
            document = msgspec.structs.replace(document, verdict=words)
        if not log.flush():
            (self.folder.path / "reserve").unlink(missing_ok=True)
        self.say(RunEnded(state=state))
        log.close()
        self.folder.write_result(document)
        self.index.put(self.folder)

    def _stage(self, stage: Stage) -> None:
        """Take a stage from the cache, or make it in a child."""
        if self.cancelled:
            raise _Stopped("cancelled")
        facts = self.cache.whole(stage.key)
        cached = facts is not None
        self.say(StageBegan(stage=stage.name, eta_s=None if cached else self.index.typical_seconds(self.asked, stage)))
        if facts is None:
            if self.cache.path(stage.key).is_dir():
                self.say(Note(stage=stage.name, text="what the cache had of it was changed or is damaged; it is made again"))
            facts = self._make(stage)
        for text in facts.warnings if cached else ():
            self.say(Note(stage=stage.name, level="warning", text=text))
        self.done.append((stage.name, cached, facts))
        self._keep(stage, facts)
        self.say(
            StageEnded(
                stage=stage.name,
                seconds=facts.seconds or 0.0,
                peak_mb=facts.peak_mb,
                cached=cached,
                summary=facts.summary,
            )
        )

    def _keep(self, stage: Stage, facts: Outcome) -> None:
        """Give the stage's artifacts a place in the run folder."""
        for word, name in facts.files.items():
            target = self.folder.artifacts / name
            place(self.cache.path(stage.key) / name, target)
            self.artifacts[word] = str(target)

    def _make(self, stage: Stage) -> Outcome:
        try:
            making = self.cache.begin(stage.key)
            began = time.monotonic()
            code, failed, peak_mb = self._child(stage, making)
            seconds = round(time.monotonic() - began, 3)
            if self.cancelled:
                raise _Stopped("cancelled")
            if code != 0 or failed is not None:
                raise _Stopped("failed", self._failure(stage, code, failed))
            made = outcome.decode((making / "outcome.json").read_bytes())
            made = msgspec.structs.replace(made, seconds=seconds, peak_mb=round(peak_mb, 1))
            made = self.cache.commit(stage.key, made)
        except OSError as error:
            told = from_os_error(error, path=self.home, then="`edgetui resume` the run")
            raise _Stopped(
                "failed", self._failure(stage, 0, StageFailed(stage=stage.name, what=told.what, fix=told.fix))
            ) from None
        finally:
            self.cache.drop(stage.key)
        return made

    def _failure(self, stage: Stage, code: int, failed: StageFailed | None) -> Failure:
        """Say why a stage ended without output, in an event and for the result."""
        if failed is None:
            killed = code == -signal.SIGKILL
            error = RunFailed(
                f"{stage.name} was killed (out of memory?)" if killed else f"{stage.name} ended with {_exit_words(code)}",
                fix=f"close other programs, then `edgetui resume {self.asked.run}`"
                if killed
                else f"see {self.folder.path / 'log.txt'}, then `edgetui resume {self.asked.run}`",
            )
            failed = StageFailed(stage=stage.name, what=error.what, fix=error.fix)
        self.say(failed)
        return Failure(stage=stage.name, what=failed.what, fix=failed.fix)

    def _child(self, stage: Stage, making: Path) -> tuple[int, StageFailed | None, float]:
        """Run the stage's process; returns its exit code, what it said of a failure, and its peak memory in MB."""
        argv = [sys.executable, "-m", "edgetui.engine.child", str(self.home), self.asked.run, stage.name, str(making)]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        failed = self._listen(process, stage)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode, failed, usage.ru_maxrss * 1024 / 1e6

    def _listen(self, process: subprocess.Popen[bytes], stage: Stage) -> StageFailed | None:
        """Pass the child's events on and its output to the log, until it ends; after SIGTERM it has a few seconds."""
        assert process.stdout
        assert process.stderr
        failed: StageFailed | None = None
        killed_at: float | None = None
        half = b""
        log = _CappedLog(self.folder.path / "log.txt")
        with selectors.DefaultSelector() as selector, process.stdout as out, process.stderr as err:
            for pipe in (out, err):
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                for key, _ in selector.select(timeout=0.25):
                    data = _read(key.fileobj)
                    if data is None:
                        continue
                    if not data:
                        selector.unregister(key.fileobj)
                    elif key.fileobj is err:
                        log.write(data)
                    else:
                        *lines, half = (half + data).split(b"\n")
                        failed = self._pass_on(lines) or failed
                if self.telemetry is not None:
                    self.telemetry.tick(stage.name, traced=stage.kind == "measure")
                if self.cancelled and killed_at is None:
                    os.kill(process.pid, signal.SIGTERM)  # Popen's own would reap it and with it its peak memory
                    killed_at = time.monotonic() + TERM_GRACE_S
                if killed_at is not None and time.monotonic() > killed_at:
                    os.kill(process.pid, signal.SIGKILL)
        log.close()
        return failed

    def _pass_on(self, lines: list[bytes]) -> StageFailed | None:
        failed = None
        for line in lines:
            event = events.decode(line)
            if isinstance(event, StageFailed):
                failed = event
            elif event is not None:
                self.say(event)
        return failed


class _CappedLog:
    """log.txt, which no chatty tool can fill the disk with."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, data: bytes) -> None:
        """Append until the limit, then once say that it was reached."""
        room = LOG_LIMIT_BYTES - os.fstat(self._fd).st_size
        if room <= 0:
            return
        try:
            os.write(self._fd, data[:room] if len(data) <= room else data[:room] + b"\n-- log capped here --\n")
        except OSError:
            return

    def close(self) -> None:
        os.close(self._fd)


def _read(pipe: object) -> bytes | None:
    """What the pipe holds; empty at its end; None when there is nothing yet."""
    try:
        return os.read(pipe.fileno(), 65536)  # type: ignore[attr-defined]
    except BlockingIOError:
        return None


def _exit_words(code: int) -> str:
    try:
        return signal.Signals(-code).name if code < 0 else f"status {code}"
    except ValueError:
        return f"status {code}"


def main() -> int:
    """Carry the run named on the command line, in a session of its own that the end of a link does not reach."""
    if os.fork():
        return 0
    os.setsid()
    os.umask(0o077)
    try:
        Supervisor(Path(sys.argv[1]), sys.argv[2]).carry()
    except EdgetuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
