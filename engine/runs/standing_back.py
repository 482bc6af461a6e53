"""What needs no exact timing stands back behind whatever else the machine does: a screen's keys, a camera's service.

With both cores busy a key waited for its turn behind threads that compute for minutes. While a run measures it stands like any
other program: its figures are those of a program that is deployed.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

NICE = 10
"""A ninth of the weight of other programs; with cores to spare it changes nothing."""
_TRIES, _AGAIN_S = 4, 0.11
"""The kernel takes ten changes a second of the whole machine from those who are not root."""
_GROUP = Path("/proc/self/autogroup")


def group_stands_back(*, back: bool) -> None:
    """For all processes of our session: where kernels group by session, a nice value counts only within the group."""
    for _ in range(_TRIES):
        try:
            _GROUP.write_text(str(NICE if back else 0))
        except BlockingIOError:
            time.sleep(_AGAIN_S)
        except OSError:
            return
        else:
            return


def process_stands_back() -> None:
    """For this process, which cannot take it back; where kernels do not group by session."""
    with contextlib.suppress(OSError):
        os.nice(NICE)
