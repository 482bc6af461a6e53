"""Dask, set up so that a board measures undisturbed and nothing listens beyond loopback. It is imported in this room alone.

An idle worker of its defaults takes 1.3 % of a core; without its profiler and with slow ticks 0.2 %.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BackendRefused

if TYPE_CHECKING:
    from distributed import Security

TOPIC = "edgetui"
"""What boards tell while they work."""
TAKE = "edgetui_take"
"""What the scheduler is asked before what a resource was asked for begins (`takers.py`)."""
_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.profile.interval": "10s",
    "distributed.worker.profile.cycle": "100s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.admin.tick.interval": "5s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.tick.cycle": "10s",
    "distributed.admin.large-graph-warning-threshold": "1GB",
    "distributed.scheduler.allowed-failures": 1_000_000,  # `runs/ensure.py` says when a run is given up
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": "60s",
    "distributed.comm.timeouts.connect": "10s",
    "distributed.comm.timeouts.tcp": "30s",
    "distributed.comm.compression": None,
    "distributed.diagnostics.nvml": False,
    "distributed.p2p.storage.disk": False,
}


def set_up() -> None:
    """Before the first of its objects is made.

    Raises:
        BackendRefused: it is not installed.
    """
    try:
        with _without_numpy():
            import dask
            import distributed  # its own defaults come with its import, and ours go over them
    except ImportError:
        raise not_installed() from None
    dask.config.set(_SETTINGS)
    warnings.filterwarnings("ignore", category=distributed.versions.VersionMismatchWarning)  # of Python: `match.py` judges
    for name in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it says of lost links is said by us, by board


@contextmanager
def _without_numpy() -> Iterator[None]:
    """It takes numpy for one thing, to allocate buffers, and does without: 12 MB less on a board that waits."""
    if "numpy" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["numpy"]


def missing_packages() -> list[str]:
    """Of what a fleet needs, what is not here; imports none of it."""
    return [name for name in ("distributed", "cryptography") if importlib.util.find_spec(name) is None]


def not_installed() -> BackendRefused:
    """What a fleet needs is missing here."""
    return BackendRefused("a fleet needs the packages distributed and cryptography", fix="pip install 'edgetui[fleet]'")


def security(authority: str, role: str, pem: str) -> Security:
    """Mutual TLS for one of `client`, `scheduler`, `worker`; texts, or paths of files, of certificate and key in one."""
    from distributed import Security

    keys = {f"tls_{role}_cert": pem, f"tls_{role}_key": pem}
    return Security(tls_ca_file=authority, require_encryption=True, **keys)


def of_files(folder: Path, role: str, file: str, authority: str) -> Security:
    """The same from files of `folder`."""
    return security(str(folder / authority), role, str(folder / file))
