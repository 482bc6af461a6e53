"""Processes that are forked instead of started: asking the fork server for one, hearing of its end, ending it.

Its other side is `work/fork_server.py`. An order goes there as five open files: one that holds the `Order`, which may be longer
than a packet, standard input, output and error of the process, and a pipe on which the server says `Started`, and `Ended` when
the process is gone and reaped.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from ..schema.ready import ready

LONGEST_LINE = 1 << 12
FILES = 5

Program = Literal["stage_process", "query_process", "supervisor"]


class Order(Struct, frozen=True, kw_only=True):
    """A process that is wanted."""

    program: Program
    """A file of `work/`; or the supervisor, which leaves for a session of its own with a fork server of its own."""
    words: tuple[bytes, ...]
    """Its command line. Bytes, as these and the environment need not be UTF-8."""
    environment: dict[bytes, bytes]
    fresh: bool = False
    """In an interpreter of its own: a forked process does not count all the pages that it shares with the server."""
    folder: bytes | None = None
    """Where it works; None: where the server does."""


class Started(Struct, frozen=True, tag="started"):
    """The process is there."""

    pid: int
    at_s: float
    """Monotonic, of the whole machine."""


class Ended(Struct, frozen=True, tag="ended"):
    """The process is gone."""

    status: int
    """As `os.wait` gives it."""
    peak_kib: int
    """The most memory that it, or a process of its own that it waited for, had resident."""


class ForkServer:
    """A fork server of this process, which dies with it; started when it is first needed, and anew when it has died."""

    def __init__(self, *, quiet: bool = False) -> None:
        """`quiet`: the standard error of it and of all its processes is thrown away, as it must not reach a screen."""
        self._quiet = quiet
        self._process: subprocess.Popen[bytes] | Inherited | None = None
        self._socket: socket.socket | None = None
        self._found_in: str | None = None
        self._one_at_a_time = threading.RLock()
        self.last: ForkedProcess | None = None
        """What was asked for last."""

    @classmethod
    def inherited(cls, ours: socket.socket, pid: int) -> ForkServer:
        """The one that this process came with: its child `pid`, at the other end of the socket."""
        found = cls()
        found._process, found._socket = Inherited(pid), ours
        found._found_in = os.environ.get("PYTHONPATH")
        atexit.register(found.close)
        return found

    @property
    def ready(self) -> bool:
        """Whether it is there, so that nobody has to wait for its imports."""
        there = self._process is not None and self._process.poll() is None
        return there and self._found_in == os.environ.get("PYTHONPATH")

    def start(self) -> None:
        """Let it import what stages and questions need; returns at once."""
        if self.ready:
            return
        self.close()
        atexit.register(self.close)
        self._found_in = os.environ.get("PYTHONPATH")  # modules are searched where it said when an interpreter started
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        nowhere = subprocess.DEVNULL
        with theirs:
            words = [sys.executable, "-m", "edgetui.engine.work.fork_server"]
            err = nowhere if self._quiet else None
            self._process = subprocess.Popen(words, stdin=theirs.fileno(), stdout=nowhere, stderr=err)

    def begin(self, program: Program, words: Sequence[str], *, given: bytes | None = b"", fresh: bool = False) -> ForkedProcess:
        """Have a process started, with `given` on its standard input; None: it waits for what it is to be `give`n."""
        order = Order(program=program, words=tuple(map(os.fsencode, words)), environment=dict(os.environb), fresh=fresh)
        out, their_out = os.pipe()
        err, their_err = (None, os.open(os.devnull, os.O_WRONLY)) if self._quiet else os.pipe()
        their_in, into = os.pipe() if given is None else (_file_of(given), None)
        self.last = self._order(order, their_in, their_out, their_err, out, err)
        self.last.into = into
        return self.last

    def begin_apart(self, words: Sequence[str], log: int, folder: Path) -> int:
        """Have a supervisor started that writes to the file `log` and stays when we go; returns, when it has left for its own
        session, 0, or what kept it.
        """
        order = Order(
            program="supervisor",
            words=tuple(map(os.fsencode, words)),
            environment=dict(os.environb),
            folder=os.fsencode(folder),
        )
        begun = self._order(order, _file_of(b""), os.dup(log), os.dup(log))
        try:
            return begun.wait()
        finally:
            begun.close()

    def _order(
        self, order: Order, given: int, their_out: int, their_err: int, out: int | None = None, err: int | None = None
    ) -> ForkedProcess:
        """Send it, with files of which the server gets its own; theirs are closed here."""
        told, their_told = os.pipe()
        theirs = [_file_of(msgspec.msgpack.encode(order)), given, their_out, their_err, their_told]
        try:
            with self._one_at_a_time:
                self.start()
                assert self._process
                assert self._socket
                with contextlib.suppress(ConnectionError):  # it has just died: the end of the pipe says so
                    socket.send_fds(self._socket, [b"order"], theirs)
                return ForkedProcess(self._process, out, err, told)
        finally:
            for fd in theirs:
                os.close(fd)

    def close(self) -> None:
        """End it, and with it what it has forked and still works."""
        atexit.unregister(self.close)
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._socket is not None:
            self._socket.close()


class Inherited:
    """A child that was forked; as `subprocess.Popen` has those that it started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its exit status, where it has ended."""
        return self._wait(os.WNOHANG)

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        code = self._wait(0)
        assert code is not None
        return code

    def kill(self) -> None:
        """End it, where it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def _wait(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                pid, status = self.pid, 0
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


class ForkedProcess:
    """A process that was asked for, as who asked sees it."""

    def __init__(self, server: subprocess.Popen[bytes] | Inherited, out: int | None, err: int | None, told: int) -> None:
        self.out = None if out is None else os.fdopen(out, "rb", 0)
        self.err = None if err is None else os.fdopen(err, "rb", 0)
        self.code: int | None = None
        """Its exit status, or the negative number of the signal that ended it; None while it works."""
        self.peak_mb = 0.0
        """10^6 bytes; known once it has ended."""
        self._server, self._told, self._half = server, os.fdopen(told, "rb", 0), b""
        self.pid: int | None = None
        self.began_s: float | None = None
        """Monotonic, when it was there; before that the server may have had to import."""
        self.into: int | None = None
        """Its standard input, where it waits for that."""

    def give(self, data: bytes) -> bool:
        """Have it read `data`, and then the end; False: it has ended."""
        assert self.into is not None
        if select.select([self], [], [], 0)[0]:
            self.hear()
        try:
            os.write(self.into, data)
        except BrokenPipeError:
            return False
        finally:
            os.close(self.into)
            self.into = None
        return self.code is None

    def fileno(self) -> int:
        """Readable when there is something to `hear`."""
        return self._told.fileno()

    def hear(self) -> None:
        """Take what the fork server says of it, waiting for that."""
        data = self._told.read(LONGEST_LINE)
        *lines, self._half = (self._half + (data or b"")).split(b"\n")
        for line in lines:
            said = msgspec.json.decode(line, type=ready(Started | Ended))
            if isinstance(said, Started):
                self.pid, self.began_s = said.pid, said.at_s
            else:
                self.code, self.peak_mb = os.waitstatus_to_exitcode(said.status), said.peak_kib * 1024 / 1e6
        if not data and self.code is None:  # the server is gone, and the process with it
            self.code = self._server.wait()

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        while self.code is None:
            self.hear()
        return self.code

    def stop(self, number: signal.Signals) -> bool:
        """Send it a signal, where it has not ended; False: it has not begun. Then it never does, once its output is closed."""
        if self.code is None and select.select([self], [], [], 0)[0]:
            self.hear()
        if self.code is None and self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        return self.code is not None or self.pid is not None

    def close(self) -> None:
        """Let its files go."""
        if self.into is not None:
            os.close(self.into)
        for file in (self.out, self.err, self._told):
            if file is not None:
                file.close()


def _file_of(data: bytes) -> int:
    """An open file that holds `data`: unlike a pipe, it takes any length at once."""
    fd = os.memfd_create("given")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
