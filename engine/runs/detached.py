"""What a process without a terminal ends with, and where it says why: its standard error is a log."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from ..errors import EdgetuiError
from ..system.log import start_log


def status_of(home: Path, work: Callable[[], None]) -> int:
    """Do the work, and give the exit status; its files are the user's alone."""
    os.umask(0o077)
    start_log(home)
    try:
        work()
    except EdgetuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    return 0
