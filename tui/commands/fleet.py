"""The fleet: bring its boards up and down, see how they stand, and what runs on them gave."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from ...engine.errors import EdgetuiError, UsageError
from .doctor import print_checks
from .follow import StatusLine, listening
from .printing import echo, echo_error, echo_json, json_option, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine
    from ...engine.fleet.board_tasks import BoardTold
    from ...engine.fleet.fleet_front import Fleet
    from ...engine.schema.fleet import BoardOutcome, FleetStatus
    from ...engine.schema.spec import RunSpec

INTERRUPTED, TERMINATED = 130, 143
on_option = click.option(
    "--on", metavar="BOARD,...", help="On boards of the fleet, each for itself; or on one with a RESOURCE."
)
again_option = click.option("--again", is_flag=True, help="With --on: anew, whatever the boards have done of it.")


def refuse_beside_on(**flags: bool) -> None:
    """Refuse flags that mean nothing beside --on.

    Raises:
        UsageError: one is given.
    """
    for name, given in flags.items():
        if given:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is not for --on", fix="leave it out; asked again, what boards have begun is found")


@click.command(short_help="Several boards by ssh: bring them up, see how they stand.")
@click.argument("action", type=click.Choice(("up", "down", "status", "doctor")))
@json_option
def fleet(action: str, as_json: bool) -> int:
    """The boards of fleet.toml: `up` starts a scheduler here and a worker on each, `status` says what each is doing, `doctor`
    what is wrong, `down` ends all of that. Runs on boards go on whatever happens here; `run --on` and `study --on` use them.
    """
    engine = open_engine()
    return asyncio.run(_fleet(engine.fleet(), action, as_json))


async def _fleet(fleet: Fleet, action: str, as_json: bool) -> int:
    if action == "doctor":
        return print_checks(await fleet.examine(), as_json)
    if action == "down":
        was_up = await fleet.take_down()
        if not as_json:
            echo("the fleet is down; runs on its boards go on" if was_up else "the fleet was not up")
            return 0
    found = await fleet.bring_up() if action == "up" else await fleet.status()
    return _print(found, action, as_json)


def _print(found: FleetStatus, action: str, as_json: bool) -> int:
    import msgspec

    from ...engine.report.fleet_table import status_table

    if as_json:
        echo_json(msgspec.json.encode(found))
    else:
        echo(status_table(found, width(), paint))
    bad = [each.standing for each in found.boards if each.standing.state in ("away", "refused", "starting")]
    for each in bad:
        echo_error(
            str(EdgetuiError(f"board {each.board}: {each.reason or each.state}", fix=each.fix or "`edgetui fleet status`"))
        )
    return 1 if bad and action != "down" else 0


async def run_on_boards(engine: Engine, specs: Sequence[RunSpec], on: str, *, again: bool, as_json: bool) -> int:
    """Runs on several boards, and one table of what came out; Ctrl+C cancels them there, SIGTERM leaves them."""
    from ...engine.fleet.fleet_front import FleetAsk
    from ...engine.schema.fleet import FleetOutcome

    fleet = engine.fleet()
    boards = fleet.wanted(on)
    for spec in specs:
        await engine.check(spec, elsewhere=True)
    engine.ask_no_more()
    asks = [FleetAsk(tuple(specs), name) for name in boards]
    line = StatusLine(sys.stderr if as_json and sys.stderr.isatty() else None if as_json else sys.stdout)
    with listening() as asked:
        running = asyncio.ensure_future(fleet.carry(asks, _Lines(line, boards), again=again))
        both: set[asyncio.Future[Any]] = {running, asked}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
            if asked.result() == "terminated":
                return TERMINATED
            if again:
                echo("runs go on where they have begun; `edgetui cancel` there ends them", sys.stderr)
            else:
                await fleet.cancel(asks)
                echo("cancelled; the same again takes it up", sys.stderr)
            return INTERRUPTED
    found = FleetOutcome(on=running.result())
    if as_json:
        import msgspec

        echo_json(msgspec.json.encode(found))
    else:
        from ...engine.report.fleet_table import outcome_table

        echo("\n" + outcome_table(found, width(), paint))
    return max(map(_ended, found.on))


def _ended(outcome: BoardOutcome) -> int:
    """0; 1 with the error on standard error, where a board's run did not end well."""
    name = outcome.board or outcome.on
    failures = [outcome.error] if outcome.error else [result.error for result in outcome.runs if result.error]
    for failure in failures:
        said = str(failure.refusal)
        echo_error(said if said.startswith("board ") else f"board {name}: {said}")
    return 1 if failures or any(result.state != "done" for result in outcome.runs) else 0


class _Lines:
    """A line whenever a board comes to another stage."""

    def __init__(self, line: StatusLine, boards: Sequence[str]) -> None:
        self._line = line
        self._wide = max(map(len, boards))
        self._said: dict[str, str] = {}

    def __call__(self, told: BoardTold) -> None:
        text = f"waiting for {told.waiting_for}" if told.waiting_for else told.stage
        if text and self._said.get(told.board) != text:
            self._said[told.board] = text
            self._line.keep(f" ▶ {told.board:<{self._wide}}  {text}")
