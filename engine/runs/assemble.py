"""The result document of a run that has not written one: still running, queued, crashed, or cancelled by force."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from ..schema import events
from ..schema.failure import Failure
from ..schema.result import Result, State
from . import outcome
from .cache import StageCache
from .folder import RunDir
from .index import Index, current_stage, state_without_result
from .notify import TOLD, run_command
from .outcome import Outcome
from .stages import plan_stages
from .telemetry_log import recorded


def assemble(home: Path, folder: RunDir) -> Result:
    """What is known by now, from the events and the outputs of the finished stages."""
    past = folder.events()
    state = state_without_result(folder, past)
    stage = current_stage(past)
    failure = None
    if state == "crashed":
        where = f"interrupted in stage {stage}" if stage else "interrupted before a stage began"
        if past and isinstance(past[-1], events.RunEnded):
            where = "it ended, and its result.json is gone or damaged"
        failure = Failure(stage=stage, what=where, fix=f"`edgetui resume {folder.name}`")
    return _compose(home, folder, state, past, failure)


def close_cancelled(home: Path, folder: RunDir) -> None:
    """Write the ending of a run whose supervisor had to be killed."""
    with folder.hold():
        document = _compose(home, folder, "cancelled", folder.events(), None)
        folder.write_result(document)
        with suppress(FileExistsError):  # who saw it killed has told of it
            (folder.path / TOLD).touch(mode=0o600, exist_ok=False)
            run_command(folder.asked(), document, folder.path / "log.txt")
    Index(home).put(folder)


def _compose(home: Path, folder: RunDir, state: State, past: list[events.AnyEvent], failure: Failure | None) -> Result:
    asked, cache = folder.asked(), StageCache(home)
    ended = {event.stage: event.cached for event in past if isinstance(event, events.StageEnded)}
    done: list[tuple[str, bool, Outcome]] = []
    artifacts: dict[str, str] = {}
    for stage in plan_stages(asked):
        facts = cache.get(stage.key) if stage.name in ended else None
        if facts is None:
            continue
        done.append((stage.name, ended[stage.name], outcome.of_guard(facts) if stage.guard else facts))
        placed = (stage.artifact(word, name) for word, name in facts.files.items())
        artifacts.update({word: str(folder.artifacts / file) for word, file in placed})
    return outcome.compose(asked, state, done, {}, artifacts, failure, recorded(folder.path))
