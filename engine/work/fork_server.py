"""The parent of processes that need what it has imported: it forks one for each order of a supervisor or of the screen.

`python -m edgetui.engine.work.fork_server`, its standard input a socket; `runs/fork_client.py` has what is said on that. Only a
process with one thread is safely forked, so nothing is imported here that starts another or that touches a GPU: ONNX Runtime,
PyTorch and TensorRT are left to the forked process. Should there be a thread all the same, it gets a fresh interpreter.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import NoReturn

import msgspec

from ..runs import supervisor
from ..runs.fork_client import FILES, Ended, ForkServer, Order, Started
from ..schema.ready import ready
from ..system.parent_death import die_with_parent
from . import query_process, stage_process, stages

PROGRAMS = {"stage_process": stage_process, "query_process": query_process}
QUESTIONS = ("numpy", "numpy.random", f"{__package__}.splits", "edgetui.engine.inspection.inspect")
_BLAS_THREADS = "OPENBLAS_NUM_THREADS"
# Who cancels a run tells its whole group, and Ctrl+C reaches the whole terminal, but the server ends with whoever started it.
# Blocked rather than ignored, so that they wait for a process that is just being forked until that has taken the block off.
_BLOCKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def main() -> int:
    """Serve until the other end is closed."""
    die_with_parent()
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    with _one_blas_thread():
        import_module(QUESTIONS[0])
    with socket.socket(fileno=os.dup(0)) as orders:
        Server(orders, shared()).serve()
    return 0


class Server:
    """Takes orders, and tells of each process that it was started and that it has ended."""

    def __init__(self, orders: socket.socket, rest: Iterable[str] = ()) -> None:
        """`rest`: modules that stages share, which are imported while nobody orders anything; a question needs few of them."""
        self._orders, self._rest = orders, deque(rest)
        self._ended, self._wakeup = os.pipe()
        self._told: dict[int, int] = {}
        """By the id of a process, the pipe to say so on."""

    def serve(self) -> None:
        """Until the other end is closed."""
        os.set_blocking(self._wakeup, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup)
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select(0 if self._rest else None):
                    if key.fileobj is not self._orders:
                        os.read(self._ended, 4096)
                        self._reap()
                    elif not self._take():
                        return
                self._import_next()

    def _import_next(self) -> None:
        """One more of the shared modules."""
        if not self._rest:
            return
        import_module(self._rest.popleft())
        if not self._rest:
            gc.collect()
            gc.freeze()  # a collection in a forked process would else write to every object, and so copy the memory it shares

    def _take(self) -> bool:
        """Start what is ordered; False: nobody will order again."""
        packet, fds, _, _ = socket.recv_fds(self._orders, 64, FILES, socket.MSG_CMSG_CLOEXEC)
        if not packet:
            return False
        ordered, *files, told = fds
        with os.fdopen(ordered, "rb") as file:
            order = msgspec.msgpack.decode(file.read(), type=ready(Order))
        while self._rest and order.program != "query_process":
            self._import_next()
        ours = [self._orders.fileno(), self._ended, self._wakeup, told, *self._told.values()]
        pid = start(order, files, ours)
        for fd in files:
            os.close(fd)
        self._told[pid] = told
        _tell(told, Started(pid, time.monotonic()))
        return True

    def _reap(self) -> None:
        while self._told:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            told = self._told.pop(pid)
            _tell(told, Ended(status, usage.ru_maxrss))
            os.close(told)


def start(order: Order, files: Sequence[int], ours: Sequence[int]) -> int:
    """Start a process with `files` as its standard input, output and error, and without `ours`; returns its id."""
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        print(f"the fork server has {threads} threads: {order.program} gets a fresh interpreter", file=sys.stderr, flush=True)
    if order.fresh or threads > 1:
        return _spawn(order, files)
    if order.program == "supervisor":
        return _leave(order, files, ours)
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        _be(order, server, files, ours)
    return pid


def _spawn(order: Order, files: Sequence[int]) -> int:
    module = supervisor.__name__ if order.program == "supervisor" else f"{__package__}.{order.program}"
    words: list[str | bytes] = [sys.executable, "-m", module, *order.words]
    actions = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(files)]
    return os.posix_spawn(sys.executable, words, order.environment, file_actions=actions, setsigmask=[])


def _be(order: Order, server: int, files: Sequence[int], ours: Sequence[int]) -> NoReturn:
    """Be the process."""

    def work() -> int:
        _settle(order, files, ours)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
        die_with_parent()  # before the look whether it is there: a server that goes in between takes us along
        return PROGRAMS[order.program].main([os.fsdecode(word) for word in order.words]) if os.getppid() == server else 1

    _end_with(work)


def _end_with(work: Callable[[], int]) -> NoReturn:
    """End a forked process with what `work` returns, not taking Python down: a tenth of a second to free what goes anyway."""
    code = 1
    try:
        code = work()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _settle(order: Order, files: Sequence[int], ours: Sequence[int]) -> None:
    """In a forked process, take what was ordered for it, and let go of what is the server's."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for place, fd in enumerate(files):
        os.dup2(fd, place)
    for fd in (*files, *ours):
        os.close(fd)
    os.environb.clear()
    os.environb.update(order.environment)
    if order.folder is not None:
        os.chdir(order.folder)


def _leave(order: Order, files: Sequence[int], ours: Sequence[int]) -> int:
    """Start a supervisor in a session of its own, and for it a fork server that has imported all by now. Returns the id of a
    process that ends when that is done.
    """
    pid = os.fork()
    if pid == 0:
        _end_with(lambda: 0 if os.fork() else _supervise(order, files, ours))
    return pid


def _supervise(order: Order, files: Sequence[int], ours: Sequence[int]) -> int:
    os.setsid()
    _settle(order, files, ours)
    theirs, their_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = os.fork()
    if server == 0:
        theirs.close()
        _end_with(lambda: _serve_apart(their_end))
    their_end.close()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
    return supervisor.supervise([os.fsdecode(word) for word in order.words], ForkServer.inherited(theirs, server))


def _serve_apart(orders: socket.socket) -> int:
    """Be the fork server of the supervisor that the parent is."""
    with orders:
        die_with_parent()
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        Server(orders).serve()
    return 0


def _tell(told: int, said: Started | Ended) -> None:
    with contextlib.suppress(BrokenPipeError):  # who asked has lost interest
        os.write(told, msgspec.json.encode(said) + b"\n")


def shared() -> Iterator[str]:
    """What stages and questions import, those that most questions need first."""
    yield from QUESTIONS
    yield from (f"{__package__}.{module}" for module in ("job", "pipeline"))
    yield from (found.name for found in iter_modules(stages.__path__, f"{stages.__name__}."))


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Let the BLAS below numpy, which starts threads when it is imported, start none. The environment is then as it was."""
    before = os.environ.get(_BLAS_THREADS)
    os.environ[_BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[_BLAS_THREADS]
        if before is not None:
            os.environ[_BLAS_THREADS] = before


if __name__ == "__main__":
    sys.exit(main())
