"""Which reader tells the machine's memory, psutil or our own, and that both tell the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from edgetui.engine.system.disk import free_bytes, read_disk
from edgetui.engine.system.memory import Memory, MemoryReader, read_memory
from edgetui.engine.system.patience import patiently, unanswered
from edgetui.engine.system.root_files import Files
from hypothesis import given
from hypothesis import strategies as st
from laid_boards import write_files
from processes import wait_until

KIB = {"MemTotal": 8000000, "MemFree": 1000000, "MemAvailable": 4000000, "Buffers": 1000, "Cached": 2000000, "Shmem": 300}
KIB |= {"Active": 400, "Inactive": 500, "SwapTotal": 600000, "SwapFree": 200000, "SReclaimable": 7000}
PAGING = "nr_free_pages 1\npgpgin 3\npswpin 4\npswpout 5\n"
BESIDE = {"/proc/vmstat": PAGING, "/proc/zoneinfo": "Node 0, zone Normal\n  pages free 9\n        low      2\n"}


def whole(root: Path, **kib: int | str) -> Files:
    """A machine whose files psutil can read."""
    lines = "".join(f"{name}:{value:>12} kB\n" for name, value in (KIB | kib).items())
    write_files(root, {"/proc/meminfo": lines} | BESIDE)
    return Files(str(root))


ASKED = """
import sys
from edgetui.engine.system.memory import read_memory
print(read_memory(light=len(sys.argv) > 1).available, "psutil" in sys.modules)
"""


@pytest.mark.parametrize(
    ("without", "light", "told"),
    [
        (None, [], "4000000 True"),
        (None, ["light"], "4000000 False"),
        ("Shmem", [], "4000000 False"),
        ("SwapFree", [], "4000000 False"),
        ("vmstat", [], "4000000 False"),
        ("zoneinfo", [], "4000000 False"),
    ],
)
def test_psutil_is_asked_where_the_files_are_whole(tmp_path: Path, without: str | None, light: list[str], told: str) -> None:
    whole(tmp_path)
    meminfo = tmp_path / "proc/meminfo"
    meminfo.write_text("".join(line for line in meminfo.read_text().splitlines(True) if not line.startswith(f"{without}:")))
    (tmp_path / f"proc/{without}").unlink(missing_ok=True)
    environment = os.environ | {"EDGETUI_ROOT": str(tmp_path)}
    run = [sys.executable, "-W", "error", "-c", ASKED, *light]
    assert subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout.strip() == told


@given(st.fixed_dictionaries({name: st.integers(0, 1 << 45) for name in KIB}))
def test_both_readers_tell_the_same(tmp_path_factory: pytest.TempPathFactory, kib: dict[str, int]) -> None:
    if kib["MemAvailable"] == 0:  # psutil makes an estimate, as `free` does
        kib["MemAvailable"] = 1
    files = whole(tmp_path_factory.mktemp("board"), **kib)
    assert MemoryReader(files).machine() == MemoryReader(files, light=True).machine()


@pytest.mark.parametrize("name", ["orin_nano_super_r36", "nano_r32", "agx_thor_r38"])
def test_both_readers_tell_the_same_of_a_board(tmp_path: Path, shared: Path, name: str) -> None:
    text = json.loads((shared / "sysfs" / f"{name}.json").read_text())["files"]["/proc/meminfo"]
    more = "Active: 1 kB\nInactive: 2 kB\nShmem: 3 kB\n"  # which a tree leaves out, and every kernel tells
    write_files(tmp_path, {"/proc/meminfo": text + more} | BESIDE)
    files = Files(str(tmp_path))
    assert MemoryReader(files).machine() == MemoryReader(files, light=True).machine()
    assert f"{tmp_path}/proc" == psutil.PROCFS_PATH


def test_both_readers_tell_the_same_of_this_machine() -> None:
    through, own = MemoryReader(Files("")).machine(), MemoryReader(Files(""), light=True).machine()
    assert (through.total, through.swap_total) == (own.total, own.swap_total)
    assert through.available == pytest.approx(own.available, rel=0.2)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"MemAvailable": 60000000}, Memory(8000000, 3001000, 600000, 200000)),
        ({"SwapFree": 700000}, Memory(8000000, 4000000, 600000, None)),
        ({"MemFree": "soon"}, Memory(8000000, 4000000, 600000, 200000)),
        ({"SReclaimable": ""}, Memory(8000000, 4000000, 600000, 200000)),
        ({"SwapTotal": "-5"}, Memory(8000000, 4000000, None, 200000)),
    ],
)
def test_what_psutil_misreads_our_own_reader_tells(tmp_path: Path, told: dict[str, int | str], expected: Memory) -> None:
    reader = MemoryReader(whole(tmp_path))
    assert reader.read() == Memory(8000000, 4000000, 600000, 200000)
    files = whole(tmp_path, **told)
    assert reader.read() == read_memory(files) == expected


@pytest.mark.long
def test_a_file_that_psutil_waits_for_has_its_deadline(tmp_path: Path) -> None:
    reader = MemoryReader(whole(tmp_path))
    reader.read()
    silent = tmp_path / "proc/vmstat"
    silent.unlink()
    os.mkfifo(silent)
    assert patiently(reader.read) == Memory(8000000, 4000000, 600000, 200000)
    assert str(silent) in unanswered()
    silent.write_text(PAGING)  # lets the thread that was left behind go
    wait_until(lambda: not unanswered())


def test_room_is_the_same_by_psutil(tmp_path: Path) -> None:
    assert free_bytes(tmp_path) == pytest.approx(read_disk(tmp_path).free_bytes, rel=0.1)
    with pytest.raises(OSError, match="not-there"):
        free_bytes(tmp_path / "not-there")
