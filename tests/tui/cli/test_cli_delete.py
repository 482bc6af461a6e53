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


def test_what_was_deleted_is_listed_and_had_back(run_of, tell):
    folder = run_of("20261120-2311-tiny-both")
    assert tell("restore").out == "the trash is empty\n"
    tell("delete", "tiny-both", "--yes")
    assert folder.name in tell("restore").out
    assert tell("restore", "tiny").out == f"{folder.name} is back\n"
    assert folder.path.is_dir()
    said = json.loads(tell("restore", "--json").out)
    assert said == {"restored": [], "trash": []}
    refused = tell("restore", "tiny")
    assert (refused.code, refused.err) == (1, "error: no run `tiny` is in the trash; `edgetui restore` lists what is\n")


def test_for_good_leaves_nothing(run_of, tell):
    run_of("20261120-2311-tiny-both")
    assert tell("delete", "tiny-both", "--yes", "--for-good").code == 0
    assert tell("restore").out == "the trash is empty\n"


def test_tags_and_notes_are_written_found_and_taken_away(run_of, tell):
    first, second = run_of("20261120-2311-tiny-both"), run_of("20261120-2312-tiny-int8")
    assert tell("tag", "both", "field", "wet").out == f"{first.name}  #field #wet\n"
    assert tell("note", "both", "the lens was wet").out == f"{first.name}  #field #wet  the lens was wet\n"
    assert tell("tag", "int8").out == f"{second.name}  no tags and no note\n"
    found = json.loads(tell("runs", "--where", "tag:field", "--json").out)
    assert [(run["run"], run["note"]) for run in found] == [(first.name, "the lens was wet")]
    listed = tell("runs").out.splitlines()
    assert listed[0].endswith("tags")
    assert any(line.startswith(first.name) and line.endswith("field wet") for line in listed)
    tell("tag", "both", "--remove", "field"), tell("note", "both", "--clear")
    assert json.loads(tell("tag", "both", "--json").out) == {"remarks": {first.name: {"tags": ["wet"], "note": ""}}}
    assert tell("runs", "--where", "tag:field").out == "none of 2 runs is so: tag:field\n"


def test_a_filter_or_an_order_that_is_none_is_bad_usage(run_of, tell):
    run_of("20261120-2311-tiny-both")
    for words, what in ((("--where", "top1>"), "wants a number"), (("--sort", "tpo1"), "no `tpo1`")):
        said = tell("runs", *words)
        assert (said.code, said.out) == (2, "")
        assert what in said.err
    names = [run["run"] for run in json.loads(tell("runs", "--sort", "-model", "--json").out)]
    assert names == ["20261120-2311-tiny-both"]
