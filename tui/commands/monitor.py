"""`edgetui monitor`: what the sensors say, on a screen, as lines or as documents; recorded, replayed, watched for alerts."""

from __future__ import annotations

import math
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from ..interrupts import interrupts_held
from ..terminal import draws, no_drawing
from .completion import source_names
from .printing import echo, echo_notes, open_engine, paint, width

if TYPE_CHECKING:
    from ...engine.api import Engine
    from .sampling import Stop

ALERTED = 3
"""Exit status of `--until-alert` when an alert has begun."""
SLOWEST_HZ = 1.0
"""Alerts are looked for at least so often, however seldom lines are wanted."""

LOOK_S = 1.0
"""How often the sampler is asked which sensors hang."""


class _Finite(click.FloatRange):
    """A range of numbers; not-a-number passes every comparison that a range is made of."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number.

        Raises:
            click.BadParameter: it is none, or outside.
        """
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number", param, ctx)
        return number


class MonitorFlags(NamedTuple):
    """What the flags say."""

    interval_s: float | None
    record: Path | None
    replay: Path | None
    speed: float | None
    source: str
    until_alert: bool
    as_json: bool
    field: bool = False


@click.command(short_help="Live power, temperatures and load; record, replay.")
@click.option("--once", is_flag=True, help="Print one sample and end.")
@click.option(
    "--interval", type=_Finite(0.001, 86400), metavar="S", help="Seconds between samples.  [default: 1; screen: 0.25]"
)
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="FILE", help="Write samples, marks and alerts to a new file."
)
@click.option(
    "--replay", type=click.Path(path_type=Path), metavar="FILE", help="Show a recording or a log of tegrastats instead."
)
@click.option(
    "--speed",
    type=_Finite(0, 100_000, min_open=True),
    metavar="X",
    help="Replay so many times as fast as it was.  [default: lines as fast as they can be read; screen: 1]",
)
@click.option(
    "--source", metavar="S", shell_complete=source_names, help="auto, jetson, tegrastats, jtop, nvml or host.  [default: auto]"
)
@click.option("--until-alert", is_flag=True, help="End with exit status 3 when an alert of edgetui.toml begins.")
@click.option("--plain", is_flag=True, help="Lines, on a terminal too.")
@click.option("--field", is_flag=True, help="On a screen of 40x12 or more: five large figures, for the sun and a slow link.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document a line and nothing else.")
def monitor(
    once: bool,
    interval: float | None,
    record: Path | None,
    replay: Path | None,
    speed: float | None,
    source: str | None,
    until_alert: bool,
    plain: bool,
    field: bool,
    as_json: bool,
) -> int:
    """What this board's sensors say. On a terminal a screen with charts; elsewhere, or with --plain, a line a sample.

    Exit status: 0 at the end of a replay, 3 when --until-alert saw an alert, 130 after Ctrl+C.
    """
    from ...engine.errors import UsageError

    if replay is not None and source is not None:
        raise UsageError("--source is for live sensors", fix="leave it out with --replay")
    if speed is not None and replay is None:
        raise UsageError("--speed is for replays", fix="add --replay FILE, or leave it out")
    if once and (record is not None or until_alert):
        raise UsageError("--once prints one sample and ends", fix="leave out --record and --until-alert, or --once")
    if field and (once or plain or as_json or until_alert or replay is not None):
        raise UsageError(
            "--field is a screen of live sensors", fix="leave it out, or --once, --plain, --json, --until-alert, --replay"
        )
    asked = MonitorFlags(interval, record, replay, speed, source or "auto", until_alert, as_json, field)
    if sys.stdin.isatty() and sys.stdout.isatty() and not (once or plain or as_json or until_alert):
        if draws():
            return _screen(asked)
        echo(f"{no_drawing()}: lines instead of a screen, as with --plain", sys.stderr)
    if once:
        return _once(open_engine(), asked)
    with ExitStack() as stack:
        with interrupts_held():
            from .sampling import Stop

            engine, stop = open_engine(), stack.enter_context(Stop())
        return _replay(engine, asked, stop) if asked.replay is not None else _live(engine, asked, stop)


def _screen(asked: MonitorFlags) -> int:
    """The Monitor screen alone."""
    from ...engine.errors import StorageRefused, UsageError

    engine = open_engine()
    player = None
    if asked.replay is not None:
        if asked.record is not None:
            raise UsageError("the screen does not record what it replays", fix="add --plain, or leave out --record")
        player = engine.replay(asked.replay, asked.speed or 1.0)
    elif asked.record is not None and asked.record.exists():
        raise StorageRefused(f"{asked.record} is there already", fix="give another file name; nothing is overwritten")
    from ..app import run_app
    from ..screens.monitor_asked import Shown

    rate_hz = None if asked.interval_s is None else 1 / asked.interval_s
    return run_app(engine.config, engine, Shown(player, rate_hz, asked.source, asked.record, asked.field))


def _once(engine: Engine, asked: MonitorFlags) -> int:
    """All that one sample says, a line a figure."""
    if asked.replay is not None:
        with closing(engine.replay(asked.replay)) as player:
            sample, decimals = player.recording.first(), player.recording.watt_decimals
    else:
        from ...engine.system.boards import detect
        from ...engine.system.patience import has_hung

        sample, decimals = engine.sense(asked.source), detect().profile.watt_decimals
        for name in has_hung():
            echo(f"! no answer from {name}; the others are told", sys.stderr)
    if asked.as_json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode(sample) + b"\n")
        sys.stdout.buffer.flush()
        return 0
    from ...engine.advice.words import DASH
    from ..readings import groups

    rows = [
        ("" if k else group.title, figure.label, figure.value or DASH, figure.unit, figure.note)
        for group in groups(sample, decimals)
        for k, figure in enumerate(group.figures)
    ]
    echo(f"{sample.source}  {sample.wall}".rstrip())
    echo(paint.table(rows, width=width(), right=(2,)))
    return 0


def _live(engine: Engine, asked: MonitorFlags, stop: Stop) -> int:
    """Samples as they come, until a signal or an alert ends it."""
    from ...engine.system.boards import detect
    from .sampling import SamplePrinter, Thinner

    interval_s = asked.interval_s or 1.0
    rate_hz = max(1 / interval_s, SLOWEST_HZ)
    with engine.telemetry(rate_hz, asked.source) as telemetry:
        began_s = time.monotonic()
        seen = max(telemetry.newest_number() - 1, 0)  # of a sampler that runs already only the newest
        while telemetry.newest_number() == seen:
            refusal = telemetry.refusal(time.monotonic() - began_s)
            if refusal is not None:
                raise refusal
            if stop.wait(0.01):
                return stop.status
        recorder = None if asked.record is None else engine.recorder(telemetry, asked.record)
        thinner = Thinner(interval_s)
        look_s = time.monotonic()
        tick_s = min(max(interval_s / 4, 0.005), 0.25)
        with SamplePrinter(engine.alerts(1 / rate_hz), recorder, detect().profile.watt_decimals, asked.as_json) as lines:
            while True:
                for number, sample in telemetry.since(seen):
                    seen = number
                    if lines.take(sample, shown=thinner.passes(sample.t_s)) and asked.until_alert:
                        return ALERTED
                if lines.no_sample(time.monotonic()) and asked.until_alert:
                    return ALERTED
                lines.flush()
                if time.monotonic() >= look_s:
                    look_s += LOOK_S
                    lines.hang(telemetry.stats().unanswered)
                if stop.wait(tick_s):
                    return stop.status


def _replay(engine: Engine, asked: MonitorFlags, stop: Stop) -> int:
    """The samples of a file, at a speed or as fast as they can be read."""
    from .sampling import SamplePrinter, Thinner

    assert asked.replay is not None
    with closing(engine.replay(asked.replay)) as player:
        recording = player.recording
        echo_notes(recording.notes if asked.as_json else recording.said)  # documents have `time`: `assumed`
        powered = not asked.as_json and recording.tells_power()
        recorder = None if asked.record is None else engine.recorder(player, asked.record)
        marks = sorted(recording.marks, key=lambda mark: mark.t_s, reverse=True)
        thinner = Thinner(asked.interval_s or 0.0)
        began_s, first_s = time.monotonic(), recording.times_s[0]
        with SamplePrinter(engine.alerts(), recorder, recording.watt_decimals, asked.as_json, powered=powered) as lines:
            for sample in recording:
                if asked.speed is not None:
                    lines.flush()
                    stop.wait(began_s + (sample.t_s - first_s) / asked.speed - time.monotonic())
                if stop.number:
                    return stop.status
                while marks and marks[-1].t_s <= sample.t_s:
                    lines.mark(marks.pop())
                if lines.take(sample, shown=thinner.passes(sample.t_s)) and asked.until_alert:
                    return ALERTED
    return 0
