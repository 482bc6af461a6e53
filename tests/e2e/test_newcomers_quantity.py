"""A telemetry quantity takes four files, a board one: those of CONTRIBUTING.md, in copies of the package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from laid_boards import write_device_tree, write_files, write_ina3221
from newcomer import Scratch

EXPORT = """
import sys
from pathlib import Path
from edgetui.engine.telemetry.recording_export import to_file

to_file(Path(sys.argv[1]), Path(sys.argv[2]))
"""
CHARTS = """
import sys
from edgetui.engine.telemetry.sample import Sample
from edgetui.tui.panes.sensors import first_choice
from edgetui.tui.panes.telemetry import choose_slots

sample = Sample(t_s=1.0, load_average=0.5)
print(*first_choice(sample), *choose_slots(sample))
"""
RULE = '[[alerts]]\nwatch = "load"\nabove = 1.5\n'


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    return Scratch(tmp_path_factory.mktemp("newcomer"), "Add a telemetry quantity")


@pytest.fixture(scope="module")
def recording(scratch: Scratch) -> Path:
    """Two samples; the second has more load."""
    document = json.loads(scratch.edgetui("monitor", "--once", "--json", "--source", "host"))
    assert document["load_average"] >= 0
    path = scratch.folder / "flight.jsonl"
    later = {**document, "t_s": document["t_s"] + 1, "load_average": 2.25}
    path.write_text("".join(json.dumps(sample) + "\n" for sample in ({**document, "load_average": 0.5}, later)))
    return path


def test_three_files_and_readme_are_all(scratch: Scratch) -> None:
    assert set(scratch.files) == {
        "engine/telemetry/sample.py",
        "engine/telemetry/sources/host.py",
        "engine/telemetry/quantities.py",
    }


@pytest.mark.long
def test_one_sample_says_it(scratch: Scratch) -> None:
    said = scratch.edgetui("monitor", "--once", "--source", "host")
    row = next(line for line in said.splitlines() if "load average" in line)
    assert row.rstrip().endswith("tasks")


@pytest.mark.long
def test_plain_lines_have_its_column_and_alerts_watch_it(
    scratch: Scratch, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = scratch.folder / "own.toml"
    config.write_text(RULE)
    monkeypatch.setenv("EDGETUI_CONFIG", str(config))
    said = scratch.edgetui("monitor", "--replay", str(recording)).splitlines()
    heads, first, *rest = (line for line in said if not line.startswith("#"))  # not every machine has a power sensor
    assert "load" in heads.split()
    assert "0.50" in first.split()
    assert "2.25" in rest[0].split()
    assert rest[1:] == ["! alert: load above 1.5 tasks (load average 2.2)"]


@pytest.mark.long
def test_the_exported_table_has_its_column(scratch: Scratch, recording: Path) -> None:
    table = scratch.folder / "flight.csv"
    scratch.python("-c", EXPORT, str(recording), str(table))
    heads, *rows = (line.split(",") for line in table.read_text().splitlines())
    assert [row[heads.index("load_average")] for row in rows] == ["0.5", "2.25"]


@pytest.mark.long
def test_it_is_drawn(scratch: Scratch) -> None:
    assert scratch.python("-c", CHARTS).split() == ["load_average", "load_average", "fps", "latency"]


@pytest.mark.long
def test_a_profile_makes_a_board_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "copy").mkdir()
    root = tmp_path / "root"
    write_device_tree(root, "acme,box+p9999-0001", "nvidia,p9999-0001", "nvidia,tegra234")
    write_files(root, {"/proc/stat": "cpu  1 0 0 1 0 0 0 0\n"})
    write_ina3221(
        root, "/sys/class/hwmon/hwmon0", {"VDD_IN": (5000, 3000), "VDD_CPU_GPU_CV": (5000, 1400), "VDD_SOC": (5000, 600)}
    )
    monkeypatch.setenv("EDGETUI_ROOT", str(root))
    scratch = Scratch(tmp_path / "copy", "Add a board")
    assert scratch.files == ["profiles/boards/acme_box.toml"]
    said = scratch.edgetui("monitor", "--once")
    assert [line.split() for line in said.splitlines() if " total " in f" {line} "] == [
        ["Power", "total", "15.00", "W", "module"]
    ]
    assert "Acme Box 8GB" in scratch.python("-c", "from edgetui.engine.system.boards import detect; print(detect().name)")
