"""What this processor is, as far as a plan is tied to it. Light: plain files, no numpy.

Apart from `onnxruntime.py`, because other backends that run on the CPU ask the same two questions.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

# The instruction sets by which ONNX Runtime chooses memory layouts and integer kernels when it optimises a graph.
_TELLING = frozenset(
    ["avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"]
)


def _system(path: str) -> Path:
    return Path(os.environ.get("EDGETUI_ROOT") or "/") / path


def physical_cores() -> int:
    """Physical cores that this process may use: affinity, then siblings counted once, then the control group's quota."""
    allowed = os.sched_getaffinity(0)
    cores = set()
    for cpu in allowed:
        topology = _system(f"sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            cores.add((topology / "thread_siblings_list").read_text(encoding="ascii").strip())
        except OSError:
            cores.add(f"cpu{cpu}")
    return max(1, min(len(cores), _quota() or len(cores)))


def _quota() -> int | None:
    """Whole cores of a container's quota; more threads than that are only put to sleep by the kernel."""
    try:
        quota, period = _system("sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None


def instruction_sets() -> str:
    """The machine and those of its instruction sets that shape an optimised graph, e.g. `x86_64 avx avx2 avx512f`."""
    words: set[str] = set()
    try:
        with _system("proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip().lower() in ("flags", "features"):
                    words = set(value.split())
                    break
    except OSError:
        words = set()
    return " ".join([platform.machine(), *sorted(words & _TELLING)])
