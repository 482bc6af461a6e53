"""`edgetui queue`: who waits, and moving one."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.runs.board_queue import enter
from edgetui.engine.runs.folder import create
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.system.locks import take_lock


@pytest.fixture
def queued(own_state: Path) -> list[str]:
    """One works, three wait: the second with another in its group, the third a sweep."""
    names = ["20261120-2311-net-fp32", "20261120-2312-net-int8", "20261120-2313-net-fp16", "20261120-2313-net-both"]
    for n, name in enumerate(names, 1):
        spec = RunSpec(model="/gone/net.onnx", recipe=Recipe(name=name[-4:]))
        asked = RunRequest(run=name, ticket=n, wall="", edgetui="0", python="python", model_sha256="a" * 64, spec=spec)
        group = f"{names[2]}+1" if n > 2 else ""
        create(own_state, msgspec.structs.replace(asked, group=group, place=max(0, n - 3)))
        if n < 4:
            enter(own_state, n, name)
    enter(own_state, 9, "sweep-1")
    lock = take_lock(own_state / "device.lock")
    assert lock is not None
    lock.write(names[0])
    yield [*names, "sweep-1"]
    lock.release()


def test_runs_are_moved_by_any_name_that_means_them(queued: list[str], tell):
    works, one, group, _, sweep = queued
    assert json.loads(tell("queue", "--json").out) == {"holder": works, "waiting": [one, group, sweep], "after": {}}
    for words, order in (
        (("net-both", "--first"), [group, one, sweep]),
        (("int8", "--last"), [group, sweep, one]),
        (("sweep-1", "--first"), [sweep, group, one]),
        (("sweep-1", "--after", "int8"), [group, one, sweep]),
        (("int8", "sweep-1", "--after", "fp32"), [one, sweep, group]),
        ((f"{group}+1", "--first"), [group, one, sweep]),
    ):
        assert json.loads(tell("queue", *words, "--json").out)["waiting"] == order, words
    assert tell("queue").out.splitlines()[0].split() == ["works", works]


def test_what_does_not_wait_is_not_moved(queued: list[str], tell):
    assert "has the board; `edgetui queue`" in tell("queue", "fp32", "--first").err
    assert "there is no run `gone`" in tell("queue", "gone", "--first").err
    for words in (("int8",), ("--first",), ("int8", "--first", "--last")):
        assert tell("queue", *words).code == 2


def test_an_empty_queue_says_so(own_state: Path, tell):
    assert tell("queue").out == "nobody waits for the board\n"
