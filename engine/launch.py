"""Starting a supervisor from a light process, without importing one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .rundir import RunDir


def start(folder: RunDir, home: Path) -> None:
    """Start a supervisor of its own session, with no terminal and no parent to wait for it; returns when it has left."""
    with (folder.path / "log.txt").open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "edgetui.engine.supervisor", str(home), folder.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            check=False,
        )
