"""Memory within a container, a control group, and where /proc/meminfo contradicts itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.system import boards
from edgetui.engine.system.control_groups import cpu_quota
from edgetui.engine.system.memory import read_memory
from edgetui.engine.system.root_files import Files
from edgetui.engine.telemetry.sources.machine import memory_mb
from laid_boards import write_files

GIB, MIB = 1 << 30, 1 << 20
HOST = "MemTotal: 67108864 kB\nMemFree: 60000000 kB\nMemAvailable: 62000000 kB\nSwapTotal: 8388608 kB\nSwapFree: 8388608 kB\n"
CGROUP = "/sys/fs/cgroup"
V1_NO_LIMIT = "9223372036854771712\n"


def lay(root: Path, files: dict[str, str | int], meminfo: str = HOST) -> Files:
    write_files(root, {"/proc/meminfo": meminfo} | {path: f"{content}\n" for path, content in files.items()})
    return Files(str(root))


def memory(files: Files) -> tuple[float | None, ...]:
    """RAM used, RAM total, swap used, swap total in MiB."""
    return memory_mb(read_memory(files))


@pytest.mark.parametrize(
    ("files", "used", "total"),
    [
        ({}, 4989.1, 65536.0),
        ({f"{CGROUP}/memory.max": 2 * GIB, f"{CGROUP}/memory.current": 1932735283}, 1843.2, 2048.0),
        ({f"{CGROUP}/memory.max": "max", f"{CGROUP}/memory.current": GIB}, 4989.1, 65536.0),
        ({f"{CGROUP}/memory.max": 128 * GIB, f"{CGROUP}/memory.current": GIB}, 4989.1, 65536.0),
        (
            {
                f"{CGROUP}/memory.max": 2 * GIB,
                f"{CGROUP}/memory.current": 1900 * MIB,
                f"{CGROUP}/memory.stat": f"anon 5\ninactive_file {900 * MIB}\nactive_file 7",
            },
            1000.0,
            2048.0,
        ),
        ({f"{CGROUP}/memory.max": GIB, f"{CGROUP}/memory.current": 2 * GIB}, 1024.0, 1024.0),
        (
            {
                "/proc/self/cgroup": "0::/a.slice/b.service",
                f"{CGROUP}/a.slice/memory.max": 4 * GIB,
                f"{CGROUP}/a.slice/memory.current": 3 * GIB,
                f"{CGROUP}/a.slice/b.service/memory.max": 2 * GIB,
                f"{CGROUP}/a.slice/b.service/memory.current": 512 * MIB,
            },
            1024.0,
            2048.0,
        ),
        (
            {
                "/proc/self/cgroup": "0::/docker/only-outside",
                f"{CGROUP}/memory.max": 2 * GIB,
                f"{CGROUP}/memory.current": GIB,
            },
            1024.0,
            2048.0,
        ),
        (
            {
                "/proc/self/cgroup": "9:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/",
                f"{CGROUP}/memory/memory.limit_in_bytes": 2 * GIB,
                f"{CGROUP}/memory/memory.usage_in_bytes": 1900 * MIB,
                f"{CGROUP}/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {900 * MIB}",
            },
            1000.0,
            2048.0,
        ),
        (
            {
                "/proc/self/cgroup": "9:memory:/user.slice",
                f"{CGROUP}/memory/memory.limit_in_bytes": V1_NO_LIMIT,
                f"{CGROUP}/memory/user.slice/memory.limit_in_bytes": V1_NO_LIMIT,
                f"{CGROUP}/memory/user.slice/memory.usage_in_bytes": GIB,
            },
            4989.1,
            65536.0,
        ),
        ({f"{CGROUP}/memory.max": "rubbish", f"{CGROUP}/memory.current": "-7"}, 4989.1, 65536.0),
    ],
    ids=[
        "no limit", "v2", "max", "more than there is", "cache", "over", "nested", "outside", "v1", "v1 no limit", "rubbish",
    ],
)  # fmt: skip
def test_memory_within_control_groups(tmp_path: Path, files: dict[str, str | int], used: float, total: float) -> None:
    laid = lay(tmp_path, files)
    assert memory(laid)[:2] == (pytest.approx(used, abs=0.1), total)
    assert boards.detect(laid).memory_mb == pytest.approx(total * MIB / 1e6, abs=0.1)
    assert read_memory(laid).limited == (total < 65536)


def test_what_is_free_for_a_run_is_what_the_container_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {f"{CGROUP}/memory.max": 2 * GIB, f"{CGROUP}/memory.current": 1536 * MIB})
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    assert read_memory().available_mb == pytest.approx(512 * MIB / 1e6)


@pytest.mark.parametrize(
    ("meminfo", "used"),
    [
        ("MemTotal: 2097152 kB\nMemFree: 1048576 kB\nBuffers: 1024 kB\nCached: 523264 kB\nMemAvailable: 60000000 kB\n", 512.0),
        ("MemTotal: 2097152 kB\nMemFree: 60000000 kB\nMemAvailable: 60000000 kB\n", None),
        ("MemTotal: 2097152 kB\nMemAvailable: 60000000 kB\n", None),
        ("MemTotal: 2097152 kB\nMemFree: 1048576 kB\n", 1024.0),
    ],
)
def test_more_available_than_there_is_makes_no_negative_use(tmp_path: Path, meminfo: str, used: float | None) -> None:
    assert memory(lay(tmp_path, {}, meminfo))[:2] == (used, 2048.0)


def test_swap_within_limits(tmp_path: Path) -> None:
    assert memory(lay(tmp_path, {}))[2:] == (0.0, 8192.0)
    assert memory(lay(tmp_path, {f"{CGROUP}/memory.swap.max": 0, f"{CGROUP}/memory.swap.current": 0}))[2:] == (0.0, 0.0)
    swap = {f"{CGROUP}/memory.swap.max": GIB, f"{CGROUP}/memory.swap.current": 256 * MIB}
    assert memory(lay(tmp_path, swap))[2:] == (256.0, 1024.0)
    over = lay(tmp_path, {f"{CGROUP}/memory.swap.max": "max"}, "SwapTotal: 1024 kB\nSwapFree: 4096 kB\n")
    assert memory(over)[2:] == (None, 1.0)


@pytest.mark.parametrize(("both", "swap"), [(128, 8192.0), (66, 2048.0), (64, 0.0)])
def test_swap_where_version_1_allows_more_memory_than_there_is(tmp_path: Path, both: int, swap: float) -> None:
    folder = f"{CGROUP}/memory/memory"
    limits = {f"{folder}.limit_in_bytes": both * GIB, f"{folder}.memsw.limit_in_bytes": both * GIB}
    usage = {f"{folder}.usage_in_bytes": GIB, f"{folder}.memsw.usage_in_bytes": GIB}
    assert memory(lay(tmp_path, limits | usage))[1:] == (65536.0, 0.0, swap)


def test_swap_that_an_outer_group_has_used_up_is_not_free(tmp_path: Path) -> None:
    outer = {f"{CGROUP}/a/memory.swap.max": GIB, f"{CGROUP}/a/memory.swap.current": 1000 * MIB}
    inner = {f"{CGROUP}/a/b/memory.swap.max": 512 * MIB, f"{CGROUP}/a/b/memory.swap.current": 0}
    assert memory(lay(tmp_path, {"/proc/self/cgroup": "0::/a/b"} | outer | inner))[2:] == (488.0, 512.0)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({f"{CGROUP}/cpu.max": "200000 100000"}, 2.0),
        ({f"{CGROUP}/cpu.max": "max 100000"}, None),
        ({f"{CGROUP}/cpu/cpu.cfs_quota_us": "-1", f"{CGROUP}/cpu/cpu.cfs_period_us": "100000"}, None),
        ({f"{CGROUP}/cpu/cpu.cfs_quota_us": "150000", f"{CGROUP}/cpu/cpu.cfs_period_us": "100000"}, 1.5),
    ],
)
def test_how_many_cores_a_container_may_use(tmp_path: Path, files: dict[str, str | int], cores: float | None) -> None:
    assert cpu_quota(lay(tmp_path, files)) == cores
