"""A board's worker: one quiet process that takes one run after another, started by `keeper.py` at the other end of a link.

Standard input brings an order (a line of JSON, with the keys, which lie in memory alone), then `join`; its end ends the worker,
never a run. Standard output says hello, before Dask is imported: what does not fit is refused by name there.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from ... import __version__
from ..config import state_home
from ..schema.fleet import BoardHello
from ..schema.ready import ready
from ..system.locks import Lock, take_lock
from .link_end import link_end
from .transport import LOOPBACK

PATIENCE_S = 3.0
"""How long a worker before us may take to notice that its link is gone."""
HEARTBEAT_S = 5.0
IN_MEMORY = "/dev/shm"  # noqa: S108 - the files are in a folder of mode 0700
OF_STEPS = ("torch",)
"""As `runs/stages.OF_STEPS`, whose imports a worker does not need."""
TAKEN = "fleet-worker.lock"
NO_STATE = "state-folder"
"""What it says of a state folder that it cannot use; why stands behind it."""


class WorkerOrder(Struct, frozen=True, kw_only=True):
    """What a worker needs to join."""

    board: str
    scheduler: str
    """HOST:PORT as this machine sees it."""
    port: int
    """To listen on; 0: anywhere."""
    contact: str = ""
    """HOST:PORT at which the scheduler reaches that; empty: as it is."""
    resources: dict[str, float]
    authority: str
    """Certificates and key as PEM."""
    key: str


def hello(home: Path, taken: bool) -> BoardHello:
    """What this board says of itself; light."""
    from ..system.boards import detect
    from ..system.disk import read_disk
    from ..system.root_files import Files

    packages = {}
    for name in ("distributed", *OF_STEPS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            packages[name] = importlib.metadata.version(name)
    free = None
    with contextlib.suppress(OSError):
        free = read_disk(home).free_bytes / 1e6
    return BoardHello(
        edgetui=__version__,
        distributed=packages.pop("distributed", None),
        packages=packages,
        python=platform.python_version(),
        machine=detect(Files()).name,
        home=f"{platform.node()}:{home}",
        wall_s=time.time(),
        free_mb=free,
        taken=taken,
    )


def _hold(home: Path) -> Lock | None:
    """Keep the state folder for this worker alone: two of them would measure beside each other."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return take_lock(home / TAKEN, patience_s=PATIENCE_S)
    except OSError as error:
        sys.exit(f"{NO_STATE}: {error.strerror}: {error.filename or home}")


async def work(order: WorkerOrder) -> None:
    """Until the link ends, or the scheduler is gone."""
    from distributed import Worker

    from .quiet import security

    class QuietWorker(Worker):  # type: ignore[misc]  # what Dask is typed by is passed over
        """Says that it lives every 5 s; the scheduler has it say so twice a second where there are few."""

        async def heartbeat(self) -> None:
            await super().heartbeat()
            self.periodic_callbacks["heartbeat"].callback_time = HEARTBEAT_S * 1000

    spill = tempfile.mkdtemp(prefix="edgetui-worker-")
    if os.access(IN_MEMORY, os.W_OK):
        tempfile.tempdir = IN_MEMORY  # OpenSSL reads keys from files: they lie there for that moment, in a folder of ours
    worker = QuietWorker(
        f"tls://{order.scheduler}",
        name=order.board,
        nthreads=1,
        resources=order.resources,
        host=LOOPBACK,
        port=order.port,
        contact_address=f"tls://{order.contact}" if order.contact else None,
        security=security(order.authority, "worker", order.key),
        memory_limit=0,
        local_directory=spill,
        dashboard=False,
        dashboard_address=f"{LOOPBACK}:0",
        death_timeout=30,
    )
    gone = asyncio.create_task(link_end())
    try:
        await worker
        print("joined", flush=True)
        ended = asyncio.create_task(worker.finished())
        await asyncio.wait({gone, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    os._exit(0)  # a run is followed in a thread, which would be waited for; the run itself needs nobody


def main() -> None:
    """Say hello, wait to be asked in, work."""
    home = state_home()
    order = msgspec.json.decode(_line(), type=ready(WorkerOrder))
    lock = _hold(home)
    print(msgspec.json.encode(hello(home, taken=lock is None)).decode(), flush=True)
    if _line().strip() != b"join":
        return
    from .quiet import set_up

    set_up()
    asyncio.run(work(order))


def _line() -> bytes:
    """A line of standard input, and not a byte of what comes behind it."""
    found = bytearray()
    while (byte := os.read(0, 1)) and byte != b"\n":
        found += byte
    return bytes(found)


if __name__ == "__main__":
    try:
        main()
    except OSError as error:
        sys.exit(f"{error.strerror}: {error.filename}")
