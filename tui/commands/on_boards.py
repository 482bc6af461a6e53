"""`--on`: runs, studies, searches and sweeps on boards of the fleet, followed together, and one table of what came out."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...engine.fleet.asks import DrivenAsk, FleetAsk, runs_words
from ...engine.fleet.followed_asks import Followed, FollowedAsks, FollowedTraining
from .follow import INTERRUPTED, TERMINATED, Ending, StatusLine, listening
from .printing import echo, echo_error, echo_json, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.fleet.asked_once import BoardTold
    from ...engine.fleet.fleet_front import Fleet
    from ...engine.front.driven_asks import SearchAsked, SweepAsked
    from ...engine.report.table import Paint
    from ...engine.schema.fleet import BoardOutcome, FleetOutcome
    from ...engine.schema.spec import RunSpec
    from ...engine.schema.study import StudyRequest


async def run_on_boards(engine: Engine, specs: Sequence[RunSpec], on: str, *, train_on: str, again: bool, as_json: bool) -> int:
    """Runs on several boards, and one table of what came out; Ctrl+C cancels them there, SIGTERM leaves them. `train_on`: where
    what learns is trained; empty: on each board.
    """
    import msgspec

    from ...engine.report.fleet_table import outcome_table

    fleet = engine.fleet()
    asks = await engine.plan_on_boards(fleet, specs, on, train_on=train_on, again=again)
    engine.ask_no_more()
    found, ending = await _carried(fleet, asks, _Lines(as_json, [*(ask.on for ask in asks), train_on]), runs_words(specs))
    if ending != "ended":
        return left_to_boards(ending)
    if as_json:
        echo_json(msgspec.json.encode(found.document))
    else:
        echo("\n" + outcome_table(found.document, width(), paint))
    return max(map(_ended, found.ended))


async def study_on_boards(engine: Engine, asked: StudyRequest, on: str, *, train_on: str, again: bool, as_json: bool) -> int:
    """A study on several boards, each doing all of it, and one table with a column for each variant on each board. What learns
    is trained as for runs.
    """
    import msgspec

    from ...engine.report.study_report import study_report

    fleet = engine.fleet()
    asks = engine.plan_study_on_boards(fleet, asked, on, train_on=train_on, again=again)
    engine.ask_no_more()
    lines = _Lines(as_json, [*(ask.on for ask in asks), train_on])
    found, ending = await _carried(fleet, asks, lines, f"study {asked.study.name}")
    table = await engine.study_over(
        asked, {board: [each.runs if each else () for each in outcomes] for board, outcomes in found.by_board().items()}
    )
    if as_json:
        echo_json(msgspec.json.encode(table))
    elif ending == "ended":
        echo("\n" + study_report(table, width(), paint))
    if ending != "ended":
        return left_to_boards(ending)
    return max(map(_ended, found.ended))


async def search_on_boards(engine: Engine, asked: SearchAsked, on: str, *, again: bool, as_json: bool) -> int:
    """A whole search on several boards, each for itself, and a row for what each chose."""
    from ...engine.report.driven_tables import searched_table

    fleet = engine.fleet()
    asks = await engine.plan_search_on_boards(fleet, asked, on, again=again)
    return await _driven(engine, fleet, asks, searched_table, as_json=as_json)


async def sweep_on_boards(engine: Engine, asked: SweepAsked, on: str, *, again: bool, as_json: bool) -> int:
    """A whole sweep on several boards, each for itself, and each one's cheapest row."""
    from ...engine.report.driven_tables import swept_table

    fleet = engine.fleet()
    asks = engine.plan_sweep_on_boards(fleet, asked, on, again=again)
    return await _driven(engine, fleet, asks, swept_table, as_json=as_json)


async def _driven(
    engine: Engine,
    fleet: Fleet,
    asks: Sequence[DrivenAsk],
    table: Callable[[FleetOutcome, int, Paint], str],
    *,
    as_json: bool,
) -> int:
    import msgspec

    engine.ask_no_more()
    found, ending = await _carried(fleet, asks, _Lines(as_json, [ask.on for ask in asks]))
    if ending != "ended":
        return left_to_boards(ending)
    if as_json:
        echo_json(msgspec.json.encode(found.document))
    else:
        echo("\n" + table(found.document, width(), paint))
    return max(map(_ended, found.ended))


async def trained_on(
    engine: Engine, specs: Sequence[RunSpec], train_on: str, *, again: bool, as_json: bool
) -> tuple[tuple[RunSpec, ...], Ending]:
    """Specs for this machine that go on from what a board has trained; unless the following of that ended otherwise. Ctrl+C
    cancels it there.
    """
    fleet = engine.fleet()
    await engine.refuse_training(fleet, specs, train_on)
    found = FollowedTraining(fleet, specs, train_on, again=again, hear=_Lines(as_json, [train_on]).hear)
    ending = await _to_its_end(found)
    return found.trained, ending


async def _to_its_end(found: Followed) -> Ending:
    """Follow what boards do, until somebody has seen enough; who interrupts has it cancelled there."""
    work: asyncio.Future[None] = asyncio.ensure_future(found.follow())
    with listening() as asked:
        both: set[asyncio.Future[Any]] = {work, asked}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            return "ended"
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        if asked.result() == "interrupted":
            for why in await found.cancel():
                echo_error(f"not cancelled: {why}")
        return asked.result()


def left_to_boards(ending: Ending) -> int:
    """What becomes of it is said; the exit status."""
    if ending == "interrupted":
        echo("cancelled; the same command takes it up again", sys.stderr)
        return INTERRUPTED
    echo("the boards go on; the same command collects what they have done", sys.stderr)
    return TERMINATED


async def _carried(
    fleet: Fleet, asks: Sequence[FleetAsk | DrivenAsk], lines: _Lines, what: str = ""
) -> tuple[FollowedAsks, Ending]:
    """What came of the asks, and how the following of them ended."""

    def ended(outcome: BoardOutcome) -> None:
        lines.ended(outcome, len(found.ended), len(asks))

    found = FollowedAsks(fleet, asks, what, lines.hear, ended)
    return found, await _to_its_end(found)


def _ended(outcome: BoardOutcome) -> int:
    """0; 1 with the error on standard error, where what a board did has not ended well."""
    name = outcome.board or outcome.on
    said = [str(failure.refusal) for failure in (outcome.error, *(result.error for result in outcome.runs)) if failure]
    said += _short(outcome)
    for text in said:
        echo_error(text if text.startswith("board ") else f"board {name}: {text}")
    return 1 if said or not outcome.done else 0


def _short(outcome: BoardOutcome) -> list[str]:
    """How a search or sweep has fallen short."""
    search, sweep = outcome.search, outcome.sweep
    said = []
    if search is not None and search.state != "done":
        said.append(f"search {search.search} has no answer: {search.why}")
    if sweep is not None and sweep.mode_left:
        said.append(f"the power mode {sweep.first_mode} is not back: {sweep.mode_left}; `edgetui doctor` there puts it back")
    if sweep is not None and sweep.state != "done":
        said.append(f"sweep {sweep.sweep} is not done; the same command takes it up again")
    return said


class _Lines:
    """A line whenever a board comes to another stage, and one for each ask that has ended."""

    def __init__(self, quiet: bool, boards: Sequence[str]) -> None:
        out = sys.stdout if not quiet else sys.stderr if sys.stderr.isatty() else None
        self._line = StatusLine(out)
        self._wide = max(map(len, boards))
        self._said: dict[str, str] = {}

    def hear(self, told: BoardTold) -> None:
        """A board says what it is at."""
        text = told.text
        if text and self._said.get(told.board) != text:
            self._said[told.board] = text
            self._line.keep(f" {'!' if told.trouble else '▶'} {told.board:<{self._wide}}  {text}")

    def ended(self, outcome: BoardOutcome, done: int, of: int) -> None:
        """An ask has ended."""
        names = ", ".join(result.recipe.name for result in outcome.runs)
        names += outcome.search.search if outcome.search else outcome.sweep.sweep if outcome.sweep else ""
        before = "  done before" if outcome.found else ""
        sign = "✓" if outcome.done else "✗"
        self._line.keep(f" {sign} {outcome.board or outcome.on:<{self._wide}}  {done} of {of}  {names}{before}".rstrip())
