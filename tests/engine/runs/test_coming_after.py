"""A run that comes after others: begins when they have ended well, ends with the reason when they have not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from edgetui.engine.errors import RunFailed, StorageRefused
from edgetui.engine.runs import coming_after
from edgetui.engine.runs.board_queue import entries
from edgetui.engine.runs.coming_after import (
    come_after,
    refuse_circle,
    refuse_ended_badly,
    wait_for_ends,
    waited_for,
    who_comes_after,
)
from edgetui.engine.runs.folder import RunDir, create
from edgetui.engine.schema.result import Result
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe


@pytest.fixture
def folders(tmp_path: Path) -> list[RunDir]:
    """Three runs; nobody carries one."""
    spec = RunSpec(model="/gone/net.onnx", recipe=Recipe(name="r"))
    about = {"wall": "", "edgetui": "0", "python": "python", "model_sha256": "a", "spec": spec}
    return [create(tmp_path, RunRequest(run=name, ticket=n, **about)) for n, name in enumerate(("one", "two", "three"), 1)]


def end(folder: RunDir, state: str = "done") -> None:
    folder.write_result(Result(run=folder.name, state=state))


def never() -> bool:
    return False


def test_it_waits_for_each_and_is_no_place_in_the_queue(tmp_path: Path, folders: list[RunDir], monkeypatch):
    one, two, three = folders
    monkeypatch.setattr(coming_after, "LOOK_S", 0.0)
    come_after(tmp_path, [three], [one, two])
    assert waited_for(three) == ("one", "two")
    assert entries(tmp_path) == []
    assert who_comes_after(tmp_path) == {"three": ("one", "two")}
    told: list[str] = []

    def waits(run: str) -> None:
        told.append(run)
        end(RunDir(tmp_path / "runs" / run))

    assert wait_for_ends(tmp_path, three, waits, never)
    assert told == ["one", "two"]
    assert who_comes_after(tmp_path) == {}


@pytest.mark.parametrize(("state", "said"), [("failed", "failed"), ("cancelled", "was cancelled"), ("gone", "is gone")])
def test_what_did_not_end_well_is_the_reason(tmp_path: Path, folders: list[RunDir], state: str, said: str):
    one, two, _ = folders
    come_after(tmp_path, [two], [one])
    if state == "gone":
        shutil.rmtree(one.path)
    else:
        end(one, state)
    with pytest.raises(RunFailed, match=f"one, which it comes after, {said}; `edgetui re"):
        wait_for_ends(tmp_path, two, lambda _: None, never)
    with pytest.raises(StorageRefused, match=f"one {said}: what comes after it would never begin"):
        refuse_ended_badly([one])


def test_one_that_was_broken_off_is_given_time_to_be_taken_up(tmp_path: Path, folders: list[RunDir], monkeypatch):
    one, two, _ = folders
    come_after(tmp_path, [two], [one])
    looks = iter([False, False, True])
    monkeypatch.setattr(coming_after, "LOOK_S", 0.0)
    assert not wait_for_ends(tmp_path, two, lambda _: None, lambda: next(looks))
    monkeypatch.setattr(coming_after, "GRACE_S", -1.0)
    with pytest.raises(RunFailed, match="was interrupted"):
        wait_for_ends(tmp_path, two, lambda _: None, never)


def test_a_circle_is_refused(tmp_path: Path, folders: list[RunDir]):
    one, two, three = folders
    come_after(tmp_path, [two], [one])
    come_after(tmp_path, [three], [two])
    refuse_circle(tmp_path, three)
    come_after(tmp_path, [one], [three])
    with pytest.raises(StorageRefused, match="one comes after itself, by three, two"):
        refuse_circle(tmp_path, one)
