"""Notes for a fault in the field: none unless they are asked for, and those of all processes in one capped file."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edgetui.engine.system import log
from edgetui.engine.system.log import logger, start_log

ROOT = logging.getLogger("edgetui")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = (ROOT.handlers[:], ROOT.level, ROOT.propagate)
    yield
    ROOT.handlers[:], ROOT.level, ROOT.propagate = before


@pytest.mark.parametrize(
    ("word", "kept"), [("debug", ["a", "b", "c"]), ("INFO", ["b", "c"]), ("warning", ["c"]), ("1", ["a", "b", "c"]), ("", None)]
)
def test_the_variable_says_what_is_kept(
    word: str, kept: list[str] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGETUI_LOG", word)
    start_log(tmp_path / "state")
    start_log(tmp_path / "state")
    note = logging.getLogger("edgetui.engine.runs.launch")
    note.debug("a")
    note.info("b")
    note.warning("c")
    file = tmp_path / "state" / "edgetui.log"
    assert file.exists() == (kept is not None)
    if kept is not None:
        lines = file.read_text().splitlines()
        assert [line.rpartition(" ")[2] for line in lines] == kept
        assert "WARNING edgetui.engine.runs.launch: c" in lines[-1]
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_full_file_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_LARGEST_BYTES", 1000)
    monkeypatch.setenv("EDGETUI_LOG", "debug")
    start_log(tmp_path)
    for k in range(100):
        logging.getLogger("edgetui.x").info("note %03d %s", k, "x" * 50)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["edgetui.log", "edgetui.log.1"]
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())
    assert "note 099" in (tmp_path / "edgetui.log").read_text()


def test_a_disk_that_takes_nothing_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGETUI_LOG", "debug")
    start_log(tmp_path / "file")
    logging.getLogger("edgetui.x").warning("unheard")


def test_the_name_of_a_module_is_that_of_its_file() -> None:
    assert logger(__name__).name == __name__


def test_a_command_and_its_processes_write_into_one_file(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = Path(log.__file__).parents[2] / "profiles" / "demo" / "digits.onnx"
    command = [sys.executable, "-m", "edgetui", "inspect", str(demo)]
    quiet = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert not list(own_state.glob("edgetui.log"))
    monkeypatch.setenv("EDGETUI_LOG", "debug")
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert (told.stdout, told.stderr) == (quiet.stdout, quiet.stderr)
    text = (own_state / "edgetui.log").read_text()
    assert "edgetui.tui.start: edgetui" in text
    assert "edgetui.engine.runs.queries: InspectQuestion: answered" in text


def test_a_sampler_that_fails_leaves_its_reason(own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGETUI_LOG", "warning")
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    command = [sys.executable, "-m", "edgetui.engine.telemetry.sampler", "--home", str(own_state), "--source", "jetson"]
    assert subprocess.run(command, timeout=60, check=False).returncode == 1
    assert "WARNING edgetui.engine.telemetry.sampler: " in (own_state / "edgetui.log").read_text()
