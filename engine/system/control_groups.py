"""The control groups (containers, systemd's slices) that we are in, versions 1 and 2: what they allow us of the machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .root_files import Files

_CGROUP = "/sys/fs/cgroup"


@dataclass(frozen=True)
class Allowed:
    """What one group allows, in units of 2^10 bytes; None: not limited, or not told."""

    limit: int | None
    used: int | None
    swap_limit: int | None
    swap_used: int | None


def memory_limits(files: Files, machine: int | None) -> Iterator[Allowed]:
    """What each group that we are in allows of memory, outermost first.

    Version 1 limits memory and swap together: of that, swap has what the memory of the `machine` or of the limit leaves.
    """
    ours = _our_groups(files)
    for folder in _folders(ours, ""):
        limit = _kib(files, f"{folder}/memory.max")
        used = None if limit is None else _without_cache(files, folder, "memory.current", "inactive_file")
        swap_limit = _kib(files, f"{folder}/memory.swap.max")
        yield Allowed(limit, used, swap_limit, None if swap_limit is None else _kib(files, f"{folder}/memory.swap.current"))
    for folder in _folders(ours, "memory"):
        limit = _kib(files, f"{folder}/memory.limit_in_bytes")
        if limit is not None:
            both = _kib(files, f"{folder}/memory.memsw.limit_in_bytes")
            taken = _kib(files, f"{folder}/memory.memsw.usage_in_bytes")
            used = _kib(files, f"{folder}/memory.usage_in_bytes")
            swap_used = None if taken is None or used is None else max(taken - used, 0)
            used = _without_cache(files, folder, "memory.usage_in_bytes", "total_inactive_file")
            memory = limit if machine is None else min(limit, machine)
            yield Allowed(limit, used, None if both is None else max(both - memory, 0), swap_used)


def cpu_quota(files: Files) -> float | None:
    """Cores' worth of time that our groups allow; None: no limit."""
    found = []
    ours = _our_groups(files)
    for folder in _folders(ours, ""):
        words = (files.text(f"{folder}/cpu.max") or "").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]) > 0:
            found.append(int(words[0]) / int(words[1]))
    for folder in _folders(ours, "cpu"):
        quota, period = files.number(f"{folder}/cpu.cfs_quota_us"), files.number(f"{folder}/cpu.cfs_period_us")
        if quota is not None and period is not None and quota > 0 and period > 0:
            found.append(quota / period)
    return min(found, default=None)


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


def _our_groups(files: Files) -> list[str]:
    """`<number>:<controllers>:<path>` of each group that we are in; version 2 has no controllers."""
    return (files.text("/proc/self/cgroup") or "").splitlines()


def _folders(ours: list[str], controller: str) -> list[str]:
    """Our control group and those around it, outermost first; `controller` is empty for version 2.

    In a container our path is `/`, or one that is only there outside; the container's own folder is then the root.
    """
    root = f"{_CGROUP}/{controller}".rstrip("/")
    path = ""
    for line in ours:
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
