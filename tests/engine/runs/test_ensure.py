"""Runs that are asked for by content are done once, whoever asks how often, and broken ones are taken up again, three times."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.errors import RunFailed
from edgetui.engine.runs.ensure import MOST_BREAKS, ensure_once
from edgetui.engine.runs.folder import RunDir, once_members, run_paths
from edgetui.engine.schema.events import RunBegan
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from live_runs import end_all
from processes import wait_until


@pytest.fixture
def home(own_state: Path):
    yield own_state
    end_all(own_state)


@pytest.fixture
def spec():
    model = str(PACKAGE / "profiles" / "demo" / "digits.onnx")
    return RunSpec(model=model, recipe=Recipe(name="p", step=(PruneMagnitude(amount=0.3),)), measure=False)


def done(run: RunDir) -> bool:
    result = run.result()
    return result is not None and result.state == "done" and not run.alive()


@pytest.mark.long
def test_several_who_ask_at_once_get_one_run_and_so_does_who_asks_later(home, spec):
    found: list[list[RunDir]] = []
    asking = [threading.Thread(target=lambda: found.append(ensure_once(home, [spec], "key"))) for _ in range(4)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()
    assert len(found) == 4
    assert {run.name for runs in found for run in runs} == {path.name for path in run_paths(home)}
    (run,) = once_members(home, "key")
    wait_until(lambda: done(run))
    began = (run.path / "result.json").stat().st_mtime_ns
    assert [each.name for each in ensure_once(home, [spec], "key")] == [run.name]
    assert (run.path / "result.json").stat().st_mtime_ns == began
    (other,) = ensure_once(home, [spec], "another")
    assert other.name != run.name
    wait_until(lambda: done(other))


@pytest.mark.long
def test_a_group_is_found_whole(home, spec):
    two = [spec, msgspec.structs.replace(spec, recipe=Recipe(name="q", step=(PruneMagnitude(amount=0.5),)))]
    runs = ensure_once(home, two, "key")
    wait_until(lambda: all(map(done, runs)))
    assert [run.asked().spec.recipe.name for run in ensure_once(home, two, "key")] == ["p", "q"]
    assert len(run_paths(home)) == 2


@pytest.mark.long
def test_what_breaks_off_is_taken_up_again_and_at_last_is_taken_for_what_breaks_it(home, spec):
    measured = msgspec.structs.replace(spec, measure=True)
    for _ in range(MOST_BREAKS):
        (run,) = ensure_once(home, [measured], "key")
        pid = run.pid()
        assert pid
        os.killpg(pid, signal.SIGKILL)
        wait_until(lambda: not run.alive())  # noqa: B023
    assert sum(isinstance(event, RunBegan) for event in run.events()) == MOST_BREAKS
    with pytest.raises(RunFailed, match=f"was broken off {MOST_BREAKS} times"):
        ensure_once(home, [measured], "key")
    assert len(run_paths(home)) == 1
