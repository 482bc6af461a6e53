"""Memory and swap that a program here can have: the machine's, or less where a control group (a container) allows less.

psutil tells the machine's. Our own reader of /proc/meminfo stays for what psutil cannot:
- a file that lacks fields (laid out, or of an old kernel): psutil asks the kernel for missing swap, past EDGETUI_ROOT, and
  warns, onto the screen, of what else is missing;
- a container's file that tells more available than there is: psutil then counts what is free alone (1024 of 2048 MiB used
  where 512 are);
- one look where nothing of psutil is imported yet: 0.04 ms against 17 ms and 2 MB. So a screen begins; and a probe, whose
  peak of memory is a result, looks 50 times a second beside what it times (0.04 ms against 0.1).
Control groups psutil does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

from .control_groups import memory_limits
from .psutil_below import psutil_below, unreadable
from .root_files import Files

_PSUTIL_READS = frozenset(
    ["MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "Shmem", "Active", "Inactive", "SwapTotal", "SwapFree"]
)
_MOST_BYTES = 1 << 60


@dataclass(frozen=True)
class Memory:
    """In units of 2^10 bytes; None: cannot be told."""

    total: int | None = None
    available: int | None = None
    """What a new program could have without swapping; never more than `total`."""
    swap_total: int | None = None
    swap_free: int | None = None
    limited: bool = False
    """A control group allows less than the machine has."""

    @property
    def used(self) -> int | None:
        """What a new program could not have."""
        return None if self.total is None or self.available is None else self.total - self.available

    @property
    def swap_used(self) -> int | None:
        """What a new program could not have of the swap."""
        return None if self.swap_total is None or self.swap_free is None else self.swap_total - self.swap_free

    @property
    def available_mb(self) -> float | None:
        """`available` in units of 10^6 bytes."""
        return None if self.available is None else self.available * 1024 / 1e6

    @property
    def available_mib(self) -> float | None:
        """`available` in units of 2^20 bytes."""
        return None if self.available is None else self.available / 1024


class MemoryReader:
    """Looks at memory again and again. Whether psutil can read it is found once: a kernel does not change its fields."""

    def __init__(self, files: Files | None = None, *, light: bool = False) -> None:
        """`light`: by our own reader alone, psutil is not imported."""
        self._files = files or Files()
        self._psutil: bool | None = False if light else None

    def read(self) -> Memory:
        """Memory of the machine, within the limits of our control groups."""
        return _within_limits(self.machine(), self._files)

    def machine(self) -> Memory:
        """Memory of the whole machine, whatever a control group allows of it."""
        if self._psutil is None:
            self._psutil = _psutil_can(self._files)
        found = _through_psutil(self._files) if self._psutil else None
        return found or _of_meminfo(self._files)


def read_memory(files: Files | None = None, *, light: bool = False) -> Memory:
    """One look of a `MemoryReader`."""
    return MemoryReader(files, light=light).read()


def _within_limits(machine: Memory, files: Files) -> Memory:
    total, available, swap_total, swap_free = machine.total, machine.available, machine.swap_total, machine.swap_free
    limited = False
    for group in memory_limits(files, total):
        if group.limit is not None and (total is None or group.limit < total):
            total, limited = group.limit, True
        if group.limit is not None and group.used is not None:
            left = max(group.limit - group.used, 0)
            available = left if available is None else min(available, left)
        if group.swap_limit is not None and swap_total is not None and group.swap_limit < swap_total:
            swap_total = group.swap_limit
            used = group.swap_used
            swap_free = None if used is None or swap_free is None else min(max(swap_total - used, 0), swap_free)
    if total is not None and available is not None:
        available = min(available, total)
    return Memory(total, available, swap_total, swap_free, limited)


def _psutil_can(files: Files) -> bool:
    """Nothing that psutil reads is missing, nor in a form that only a laid-out file has.

    /proc/zoneinfo it takes where `MemAvailable` is 0, to estimate it as `free` does.
    """
    if not files.exists("/proc/zoneinfo") or not _meminfo(files).keys() >= _PSUTIL_READS:
        return False
    paging = files.text("/proc/vmstat") or ""
    return "\npswpin " in paging and "\npswpout " in paging


def _through_psutil(files: Files) -> Memory | None:
    """None: it cannot be read so, now."""
    psutil = psutil_below(files)
    try:
        memory = files.ask("/proc/meminfo", psutil.virtual_memory)
        swap = files.ask("/proc/vmstat", psutil.swap_memory)
    except unreadable():
        return None
    doubtful = memory.available == memory.free  # its answer where the file tells more than the total
    if doubtful or not (0 <= memory.available <= memory.total < _MOST_BYTES and 0 <= swap.free <= swap.total < _MOST_BYTES):
        return None
    return Memory(memory.total // 1024, memory.available // 1024, swap.total // 1024, swap.free // 1024)


def _of_meminfo(files: Files) -> Memory:
    fields = _meminfo(files)
    swap_total, swap_free = fields.get("SwapTotal"), fields.get("SwapFree")
    if swap_total is not None and swap_free is not None and swap_free > swap_total:
        swap_free = None
    return Memory(fields.get("MemTotal"), _available(fields), swap_total, swap_free)


def _meminfo(files: Files) -> dict[str, int]:
    fields: dict[str, int] = {}
    for line in (files.text("/proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isascii() and words[0].isdigit() and len(words[0]) < 19:
            fields[name] = int(words[0])
    return fields


def _available(fields: dict[str, int]) -> int | None:
    """`MemAvailable`; where the kernel has none (before 3.14), or a container more than its total, from the older fields."""
    total, told = fields.get("MemTotal"), fields.get("MemAvailable")
    if total is None or (told is not None and told <= total):
        return told
    free = fields.get("MemFree")
    left = None if free is None else free + fields.get("Buffers", 0) + fields.get("Cached", 0)
    return left if left is not None and left <= total else None
