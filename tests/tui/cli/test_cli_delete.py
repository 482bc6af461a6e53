"""`edgetui delete`: asks first, leaves what runs, and removes nothing where one of several may not go."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.locks import take_lock


@pytest.fixture
def run_of(own_state: Path) -> Callable[..., RunDir]:
    """A run's folder as one that was interrupted leaves it."""

    def made(name: str, group: str = "") -> RunDir:
        spec = RunSpec(model="/gone/tiny.onnx", recipe=Recipe(name="both"))
        when = "2026-11-20T23:11:00+00:00"
        asked = RunRequest(run=name, ticket=1, wall=when, edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
        return create(own_state, msgspec.structs.replace(asked, group=group))

    return made


def test_it_is_removed_only_where_somebody_said_so(run_of, tell, monkeypatch: pytest.MonkeyPatch):
    folder = run_of("20261120-2311-tiny-both")
    asked = tell("delete", "tiny-both")
    assert (asked.code, folder.path.is_dir()) == (2, True)
    assert "add --yes" in asked.err
    said = tell("delete", "tiny-both", "--yes")
    assert (said.code, folder.path.exists()) == (0, False)
    assert said.out == f"removed {folder.name}\n"
    assert "there is no run" in tell("delete", "tiny-both", "--yes").err


@pytest.mark.parametrize(("typed", "code", "left"), [("n", 1, True), ("", 1, True), ("y", 0, False)])
def test_a_terminal_is_asked_and_no_is_what_enter_says(run_of, tell, monkeypatch: pytest.MonkeyPatch, typed, code, left):
    import io

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    folder = run_of("20261120-2311-tiny-both")
    monkeypatch.setattr("sys.stdin", Typed(f"{typed}\n"))
    said = tell("delete", folder.name)
    assert (said.code, folder.path.is_dir()) == (code, left)
    assert f"Remove run {folder.name}?" in said.err


def test_of_several_none_goes_where_one_is_running(run_of, tell):
    ended, going = run_of("20261120-2311-tiny-both"), run_of("20261120-2312-tiny-int8")
    lock = take_lock(going.path / "alive.lock")
    assert lock is not None
    try:
        said = tell("delete", "--yes", "--json", ended.name, going.name)
    finally:
        lock.release()
    assert said.code == 1
    assert json.loads(said.out)["error"]["what"] == f"run {going.name} is running"
    assert f"edgetui cancel {going.name}" in said.err
    assert ended.path.is_dir()
    assert going.path.is_dir()
    assert json.loads(tell("delete", "--yes", "--json", ended.name, going.name).out) == {"deleted": [ended.name, going.name]}


def test_a_group_goes_by_its_id_and_a_path_is_no_run(run_of, tell, tmp_path: Path):
    members = [run_of(f"20261120-231{n}-tiny-both", group="20261120-2310-group") for n in range(2)]
    assert tell("delete", "20261120-2310-group", "--yes").code == 0
    assert not any(folder.path.exists() for folder in members)
    outside = tmp_path / "exported"
    outside.mkdir()
    said = tell("delete", f"{outside}{os.sep}", "--yes")
    assert "is a path, and no run" in said.err
    assert outside.is_dir()
