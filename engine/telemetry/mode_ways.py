"""The two ways in which a user may set power modes: NVIDIA's own program, as root or through sudo; and jtop's service, which
runs as root and lets its group set modes.

Apart from `system/power_modes.py`, which knows what a mode is: jtop is a source of telemetry.
"""

from __future__ import annotations

import sys

from ..schema.power_mode import PowerMode
from ..system import power_modes
from ..system.root_files import Files
from .sources import jtop


def _by_service(mode: PowerMode) -> list[str]:
    """Our client of jtop's service, in a process of its own; `nvpmodel` tells others that a mode is being set."""
    return [sys.executable, "-m", jtop.__name__, "nvpmodel", str(mode.id), mode.name]


def why_not_set(files: Files, mode: PowerMode) -> str:
    """Why this user may not set modes in either way, without setting one; empty: may."""
    own = power_modes.why_not_set(mode)
    return own and (own if jtop.why_not(files) else "")


def way_words(files: Files, mode: PowerMode) -> str:
    """`nvpmodel` or `jtop's service`: how modes are set."""
    return "jtop's service" if power_modes.why_not_set(mode) and not jtop.why_not(files) else "nvpmodel"


def set_mode(files: Files, mode: PowerMode) -> str:
    """Set a mode in the way that there is; why it has not come, empty: it has. No way reboots: nobody is asked, or answers."""
    if power_modes.why_not_set(mode) and not jtop.why_not(files):
        return power_modes.set_mode(files, mode, _by_service(mode), "jtop's service")
    return power_modes.set_mode(files, mode)
