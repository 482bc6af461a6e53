"""The processor: its name, its abilities, its cores and their clocks. Light: plain files, no numpy.

psutil tells neither abilities nor names, and reads /sys from fixed paths, past EDGETUI_ROOT.
"""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass

from .control_groups import cpu_quota
from .cpu_list import cpus
from .root_files import Files, leading_number

_TELLING = frozenset(
    ["avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "asimdhp", "i8mm", "bf16", "sve", "sve2"]
)
"""The instruction sets by which ONNX Runtime chooses memory layouts and integer kernels when it optimises a graph."""
_DESCRIBING = ("model name", "flags", "Features", "CPU part")
_X86 = ("x86_64", "AMD64", "i686")


@dataclass(frozen=True)
class Processor:
    """What /proc/cpuinfo says of the first core."""

    machine: str
    """As uname calls it: `x86_64`, `aarch64`."""
    name: str = ""
    """Empty: it does not say, as on most Arm boards."""
    flags: frozenset[str] = frozenset()
    """Abilities, by the kernel's names."""
    listed: int = 0
    """How many cores the file lists."""
    described: str = ""
    """Its lines of name and flags, whole: what keys of earlier runs were made of."""

    @property
    def instruction_sets(self) -> str:
        """The machine and what shapes an optimised graph, e.g. `x86_64 avx avx2 avx512f`: what a plan or a lowered file is
        tied to. Other flags come and go with the kernel (mitigations) and change no output.
        """
        return " ".join([self.machine, *sorted(self.flags & _TELLING)])

    @property
    def multiplies_bytes_exactly(self) -> bool:
        """uint8 x int8 products do not saturate: x86 with VNNI or AMX, and whatever is no x86 at all. x86 that does not tell
        its flags is taken to be without.
        """
        return self.machine not in _X86 or bool(self.flags & {"avx512_vnni", "avx_vnni", "amx_int8"})


def read_processor(files: Files | None = None) -> Processor:
    """The processor here."""
    text = (files or Files()).text("/proc/cpuinfo") or ""
    name = re.search(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    return Processor(
        machine=platform.machine(),
        name=name[1].strip() if name else "",
        flags=frozenset(flags[1].split()) if flags else frozenset(),
        listed=text.count("processor\t"),
        described="|".join(dict.fromkeys(line for line in text.splitlines() if line.startswith(_DESCRIBING))),
    )


def logical_cores(files: Files | None = None) -> int:
    """Cores that this process may use, siblings counted each: for work that is over soon and shares with nobody."""
    count, quota = len(os.sched_getaffinity(0)), cpu_quota(files or Files())
    return count if quota is None else max(1, min(count, int(quota)))


def physical_cores(files: Files | None = None) -> int:
    """Physical cores that this process may use: affinity, then siblings counted once, then the control groups' quota, more
    threads than which are only put to sleep by the kernel.
    """
    files = files or Files()
    folder = "/sys/devices/system/cpu"
    cores = {files.text(f"{folder}/cpu{cpu}/topology/thread_siblings_list") or f"cpu{cpu}" for cpu in os.sched_getaffinity(0)}
    quota = cpu_quota(files)
    return max(1, len(cores) if quota is None else min(len(cores), max(1, int(quota))))


def online_cores(files: Files) -> list[int]:
    """Numbers of the cores that are on; empty: cannot be told."""
    return cpus(files.text("/sys/devices/system/cpu/online"))


def clocks_mhz(files: Files) -> dict[int, float]:
    """Clocks from /proc/cpuinfo by core, where there is no cpufreq (virtual machines). x86 only; slow on many cores."""
    clocks: dict[int, float] = {}
    core = -1
    for line in (files.text("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        if name.startswith("processor") and value.strip().isdigit():
            core = int(value)
        elif name.startswith("cpu MHz"):
            mhz = leading_number(value.encode())
            if mhz is not None:
                clocks[core] = round(mhz, 1)
    return clocks
