"""The largest resident memory of this very process.

Of /proc/self, and the real one whatever EDGETUI_ROOT says: what we take of the memory is no property of a laid-out board.
psutil tells what is resident now, not the most that was, and cannot begin anew.
"""

from __future__ import annotations

from pathlib import Path


def peak_rss_mb() -> float | None:
    """In MB (10^6 bytes) since `forget_peak`; None where the kernel does not say."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except (OSError, ValueError):
        return None
    return None


def forget_peak() -> None:
    """Start VmHWM anew at what is resident now (Linux, proc(5): clear_refs); a kernel without it keeps the older peak."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return
