"""Memory and swap that a program here can have: the machine's, or less where a control group (a container) allows less.

/proc/meminfo is that of the whole machine, in a container too; what a container may use stands in its control groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..files import Files

_CGROUP = "/sys/fs/cgroup"


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


def read_memory(files: Files) -> Memory:
    """Memory of the machine, within the limits of our control groups."""
    fields = _meminfo(files)
    total, swap_total, swap_free = fields.get("MemTotal"), fields.get("SwapTotal"), fields.get("SwapFree")
    available = _available(fields)
    if swap_total is not None and swap_free is not None and swap_free > swap_total:
        swap_free = None
    limited = False
    for limit, used, swap_limit, swap_used in _groups(files, total):
        if limit is not None and (total is None or limit < total):
            total, limited = limit, True
        if limit is not None and used is not None:
            left = max(limit - used, 0)
            available = left if available is None else min(available, left)
        if swap_limit is not None and swap_total is not None and swap_limit < swap_total:
            swap_total = swap_limit
            swap_free = None if swap_used is None or swap_free is None else min(max(swap_limit - swap_used, 0), swap_free)
    if total is not None and available is not None:
        available = min(available, total)
    return Memory(total, available, swap_total, swap_free, limited)


def cpu_quota(files: Files) -> float | None:
    """Cores' worth of time that our control groups allow; None: no limit."""
    found = []
    for folder in _folders(files, ""):
        words = (files.text(f"{folder}/cpu.max") or "").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
            found.append(int(words[0]) / int(words[1]))
    for folder in _folders(files, "cpu"):
        quota, period = files.number(f"{folder}/cpu.cfs_quota_us"), files.number(f"{folder}/cpu.cfs_period_us")
        if quota is not None and period is not None and quota > 0 and period > 0:
            found.append(quota / period)
    return min(found, default=None)


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


def _groups(files: Files, machine: int | None) -> Iterator[tuple[int | None, int | None, int | None, int | None]]:
    """(limit, used, swap limit, swap used) of each control group that we are in; None: not limited, or not told.

    Version 1 limits memory and swap together: of that, swap has what the memory of the `machine` or of the limit leaves.
    """
    for folder in _folders(files, ""):
        limit = _kib(files, f"{folder}/memory.max")
        used = None if limit is None else _without_cache(files, folder, "memory.current", "inactive_file")
        swap_limit = _kib(files, f"{folder}/memory.swap.max")
        yield limit, used, swap_limit, None if swap_limit is None else _kib(files, f"{folder}/memory.swap.current")
    for folder in _folders(files, "memory"):
        limit = _kib(files, f"{folder}/memory.limit_in_bytes")
        if limit is not None:
            both, taken = (
                _kib(files, f"{folder}/memory.memsw.limit_in_bytes"),
                _kib(files, f"{folder}/memory.memsw.usage_in_bytes"),
            )
            used = _kib(files, f"{folder}/memory.usage_in_bytes")
            swap_used = None if taken is None or used is None else max(taken - used, 0)
            used = _without_cache(files, folder, "memory.usage_in_bytes", "total_inactive_file")
            memory = limit if machine is None else min(limit, machine)
            yield limit, used, None if both is None else max(both - memory, 0), swap_used


def _without_cache(files: Files, folder: str, name: str, field: str) -> int | None:
    """What is used, less the pages of files that the kernel would give up, as `docker stats` counts."""
    used = _kib(files, f"{folder}/{name}")
    if used is None:
        return None
    for line in (files.text(f"{folder}/memory.stat") or "").splitlines():
        key, _, value = line.partition(" ")
        if key == field and value.isascii() and value.isdigit() and len(value) < 19:
            return max(used - int(value) // 1024, 0)
    return used


def _folders(files: Files, controller: str) -> list[str]:
    """Our control group and those around it, outermost first; `controller` is empty for version 2.

    In a container our path is `/`, or one that is only there outside; the container's own folder is then the root.
    """
    root = f"{_CGROUP}/{controller}".rstrip("/")
    path = ""
    for line in (files.text("/proc/self/cgroup") or "").splitlines():
        _, names, where = (*line.split(":", 2), "", "")[:3]
        if controller in names.split(",") if controller else not names:
            path = where
    folders = [root]
    for part in path.split("/"):
        if part and part != "..":
            folders.append(f"{folders[-1]}/{part}")
    return folders


def _kib(files: Files, path: str) -> int | None:
    """A number of bytes in 2^10 bytes; None: it is `max`, or not there."""
    value = files.number(path)
    return None if value is None or value < 0 else int(value) // 1024
