"""Runs are tagged, noted, deleted and had back; the list knows at once."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config, Trash
from edgetui.engine.errors import StorageRefused, UsageError
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.runs.index import Index
from edgetui.engine.runs.trash import deleted_runs, empty
from edgetui.engine.schema.figures import Latency, Metrics
from edgetui.engine.schema.output_figures import Accuracy
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe

Made = Callable[..., RunDir]


@pytest.fixture
def made(own_state: Path) -> Made:
    def make(name: str, ticket: int = 1) -> RunDir:
        spec = RunSpec(model="/models/net.onnx", recipe=Recipe(name="int8"))
        asked = RunRequest(run=name, ticket=ticket, wall="", edgetui="0", python=sys.executable, model_sha256="", spec=spec)
        folder = create(own_state, asked)
        candidate = Metrics(latency_ms=Latency(mean=1.5), accuracy=Accuracy(top1=0.81), size_bytes=360_000)
        folder.write_result(Result(run=name, state="done", candidate=candidate))
        return folder

    return make


@pytest.fixture
def engine(own_state: Path) -> Engine:
    return Engine(Config(), own_state)


def ask(coroutine):
    return asyncio.run(coroutine)


def test_the_list_has_the_candidates_figures_in_the_units_of_goals(made: Made, engine: Engine):
    made("one")
    for _ in range(2):  # read from the folder, then from the index
        (run,) = Index(engine.home).list()
        assert (run.figures["top1"], run.figures["latency_ms"], run.figures["size_mb"]) == (0.81, 1.5, 0.36)


def test_a_tag_is_in_the_list_at_once_also_of_another_process(made: Made, engine: Engine, own_state: Path):
    made("one")
    other = Index(own_state)
    assert other.list()[0].tags == ()
    ask(engine.tag(["one"], ["field", "wet", "field"]))
    assert other.list()[0].tags == ask(engine.list())[0].tags == ("field", "wet")
    ask(engine.tag(["one"], ["-wet", "dry"]))
    ask(engine.note("one", " the lens was wet "))
    assert (other.list()[0].tags, other.list()[0].note) == (("dry", "field"), "the lens was wet")


@pytest.mark.parametrize("word", ["", "two words", "-", "a/b", "x" * 61, "\x1b[31m", "..", "\ud800"])
def test_what_can_be_no_tag_is_refused_and_nothing_is_written(made: Made, engine: Engine, word: str):
    folder = made("one")
    with pytest.raises(UsageError, match="can be no tag"):
        ask(engine.tag(["one"], ["fine", word]))
    assert not (folder.path / "remarks.json").exists()


@pytest.mark.parametrize("content", [b"", b"[", b'{"tags": 3}', b"\xff", b"[" * 100_000])
def test_damaged_remarks_are_none(made: Made, engine: Engine, content: bytes):
    (made("one").path / "remarks.json").write_bytes(content)
    assert ask(engine.list())[0].tags == ()
    ask(engine.tag(["one"], ["again"]))
    assert ask(engine.list())[0].tags == ("again",)


def test_a_deleted_run_is_had_back_whole(made: Made, engine: Engine):
    folder = made("one")
    ask(engine.tag(["one"], ["field"]))
    before = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    ask(engine.delete("one"))
    assert (ask(engine.list()), folder.path.exists()) == ((), False)
    assert [each.run for each in ask(engine.deleted())] == ["one"]
    assert ask(engine.restore("one")) == "one"
    assert {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()} == before
    assert [(run.run, run.tags) for run in ask(engine.list())] == [("one", ("field",))]


def test_the_last_that_was_deleted_comes_back_first(made: Made, engine: Engine, own_state: Path):
    made("one"), made("two", 2)
    ask(engine.delete("two"))
    os.utime(own_state / "trash" / "two", (time.time() - 60,) * 2)
    ask(engine.delete("one"))
    assert [ask(engine.restore("last")), ask(engine.restore("last"))] == ["one", "two"]
    with pytest.raises(StorageRefused, match="the trash is empty"):
        ask(engine.restore("last"))


def test_a_run_of_the_same_name_is_not_overwritten(made: Made, engine: Engine):
    made("one")
    ask(engine.delete("one"))
    again = made("one", 2)
    with pytest.raises(StorageRefused, match="there is a run one again"):
        ask(engine.restore("one"))
    assert again.asked().ticket == 2
    ask(engine.delete("one"))
    assert [each.run for each in ask(engine.deleted())] == ["one", "one"]
    ask(engine.restore("one"))
    assert again.asked().ticket == 2


def test_of_several_deleted_runs_a_part_of_the_name_is_too_little(made: Made, engine: Engine):
    made("20261120-one"), made("20261120-two")
    ask(engine.delete("20261120-one")), ask(engine.delete("20261120-two"))
    with pytest.raises(StorageRefused, match="means 2 deleted runs"):
        ask(engine.restore("20261120"))
    assert ask(engine.restore("two")) == "20261120-two"


def test_the_trash_forgets_what_is_old_then_what_is_too_much(made: Made, engine: Engine, own_state: Path):
    for n, name in enumerate(("old", "large", "small")):
        (made(name, n + 1).path / "artifacts" / "plan").write_bytes(b"x" * (900_000 if name == "large" else 1000))
        ask(engine.delete(name))
        days = {"old": 8, "large": 2, "small": 1}[name]
        os.utime(own_state / "trash" / name, (time.time() - days * 86400,) * 2)
    empty(own_state, 7.0, 2000)
    assert [each.run for each in deleted_runs(own_state)] == ["small", "large"]
    empty(own_state, 7.0, 1)
    assert [each.run for each in deleted_runs(own_state)] == ["small"]


def test_without_days_and_for_good_nothing_is_kept(made: Made, own_state: Path):
    made("one"), made("two", 2)
    ask(Engine(Config(trash=Trash(keep_days=0)), own_state).delete("one"))
    ask(Engine(Config(), own_state).delete("two", for_good=True))
    assert deleted_runs(own_state) == ()


def test_a_link_in_the_trash_leads_nowhere(made: Made, own_state: Path, tmp_path: Path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (own_state / "trash").mkdir(parents=True)
    (own_state / "trash" / "one").symlink_to(precious)
    empty(own_state, 0, 0)
    assert precious.is_dir()
