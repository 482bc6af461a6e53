"""Windows of a sweep: each point has the board to itself for some seconds, in which its rate and its power are told.

One window serves both, unlike a run's: rows differ by more than the width of a block, and there are many of them.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

import msgspec
import numpy as np

from ..backends.base import Session
from ..backends.cards import CARDS, open_backend
from ..errors import EdgetuiError
from ..measure.energy_rounds import look_at_idle
from ..measure.energy_rounds import rule_of as energy_rule_of
from ..measure.inputs import random_inputs
from ..measure.power_meter import Meter, NoEnergy
from ..measure.streams import at_once
from ..measure.throttling import ThrottleWatch
from ..runs.queries import SweepBuildQuestion, SweepQuestion, SweepTry
from ..runs.sweep_plan import PLAN, WARM_UP_S, WINDOW_S
from ..schema.sweep_shot import Shot
from ..system.reporter import Reporter
from ..telemetry.client import open_telemetry

RATE_HZ = 20.0
TRIES = 3
"""For a window in which the machine was held back, or the sensor stalled."""
COOLING_S = 2.0

Tell = Callable[[Shot], None]


def build_for_sweep(home: Path, question: SweepBuildQuestion, say: Reporter) -> None:
    """Make a folder with what a point's plan is: built by the backend, or the model with its sizes settled.

    Raises:
        ModelRefused: the model cannot have these sizes.
        BackendRefused: the backend cannot build it.
    """
    from ..graph.normalise import fix_shapes_only

    out, backend = Path(question.out), open_backend(question.backend, home)
    backend.check(question.backend, execute=True)
    making = out.with_name(f".{out.name}")
    shutil.rmtree(making, ignore_errors=True)  # of one who was killed
    making.mkdir(mode=0o700, parents=True)
    settled, plan = making / "settled.onnx", making / f"{PLAN}{backend.suffix}"
    fix_shapes_only(Path(question.model), settled, question.shapes)
    if CARDS[backend.name].runs_models:
        settled.replace(plan)
    else:
        backend.build(settled, plan, question.backend, say)
        settled.unlink()
    making.replace(out)


def take_windows(home: Path, question: SweepQuestion, tell: Tell) -> None:
    """Measure one try after another; each is told as it is taken, and so is why one cannot be."""
    window_s = _window_s(question)
    with open_telemetry(home, "auto", RATE_HZ) as readings:
        power = _Power(Meter(readings, ThrottleWatch()), window_s)
        for tries in _by_session(question.tries):
            try:
                session = open_backend(tries[0].backend, home).load(Path(tries[0].plan), tries[0].backend)
            except (EdgetuiError, MemoryError) as error:
                for each in tries:
                    tell(Shot(point=each.point, round=question.round, reason=_because(error)))
                continue
            try:
                for each in tries:
                    tell(_window(session, each, question, power, window_s))
            finally:
                session.close()


def _because(error: EdgetuiError | MemoryError) -> str:
    return error.what if isinstance(error, EdgetuiError) else "there is not enough memory for it"


def _window_s(question: SweepQuestion) -> float:
    """EDGETUI_MEASURE_S shortens windows as it shortens blocks (see `latency.rule_of`)."""
    asked = os.environ.get("EDGETUI_MEASURE_S", "")
    return energy_rule_of(question.preset).window_s if asked else WINDOW_S[question.preset]


def _by_session(tries: Sequence[SweepTry]) -> list[list[SweepTry]]:
    """Those that one loaded plan serves, in the order in which each is first asked for."""
    found: dict[bytes, list[SweepTry]] = {}
    for each in tries:
        found.setdefault(msgspec.json.encode((each.plan, each.backend, each.shapes)), []).append(each)
    return list(found.values())


class _Power:
    """What the sensor says, or why nothing."""

    def __init__(self, meter: Meter, window_s: float) -> None:
        self.meter, self.why, self.since_s = meter, "", time.monotonic()
        self.idle_w: float | None = None
        try:
            meter.wait_for_power()
            self.idle_w = fmean(watts for _, watts in look_at_idle(meter, window_s))
        except NoEnergy as why:
            self.why = str(why)

    def window_s(self, least_s: float) -> float:
        """Long enough for the sensor."""
        return least_s if self.why else self.meter.window_s(least_s)

    def settling_s(self, least_s: float) -> float:
        """How long a new load is waited for."""
        return least_s if self.why else max(least_s, self.meter.settling_s())

    def told(self, begin_s: float, end_s: float, loaded_s: float) -> tuple[Shot, str]:
        """Power of a window, as the part of a shot that it is, and why the window should be taken again; empty: it is good."""
        self.meter.poll()
        if self.why:
            return Shot(point=0, why_no_power=self.why), self.meter.watch.why(begin_s, end_s)
        try:
            figure = self.meter.figure(begin_s, end_s)
            self.meter.refuse_frozen(self.since_s)
        except NoEnergy as why:
            return Shot(point=0, why_no_power=str(why)), ""
        held = self.meter.watch.why(begin_s, end_s)
        stalled = "" if figure.reason else self.meter.stall(begin_s, end_s)
        if figure.reason or (stalled and not self.meter.changes(loaded_s, end_s)):
            why_not = figure.reason or stalled
            return Shot(point=0, why_no_power=why_not, idle_w=self.idle_w, held_back=held), why_not
        hidden = 0.0 if figure.method == "counter" else self.meter.unseen_w([(begin_s, end_s)])
        return Shot(
            point=0, power_w=figure.mean_w, hidden_w=hidden, idle_w=self.idle_w, scope=figure.scope or "", held_back=held
        ), held


def _window(session: Session, asked: SweepTry, question: SweepQuestion, power: _Power, least_s: float) -> Shot:
    """One point's, taken again where the machine was held back."""
    try:
        sizes = {
            tensor.name: asked.shapes.get(tensor.name) or tuple(size if isinstance(size, int) else 1 for size in tensor.shape)
            for tensor in session.inputs
        }
        feeds = random_inputs(session.inputs, sizes, question.seed)
        batch = next((array.shape[0] for array in feeds.values() if array.ndim), 1)
        blocks = session.blocks(feeds)
        if blocks is not None:
            return _by_itself(blocks, batch, asked.point, question.round, least_s)
        infers = session.streams(feeds, asked.streams)
        warm_s = min(WARM_UP_S, least_s)
        loaded_s = time.monotonic()
        at_once(infers, round(1e9 * power.settling_s(warm_s)))
        for again in range(TRIES):
            if again:
                time.sleep(min(COOLING_S, least_s))
                at_once(infers, round(1e9 * power.settling_s(warm_s)))
            seconds = power.window_s(least_s)
            begin_s = time.monotonic()
            taken = at_once(infers, round(1e9 * seconds))
            shot, why = power.told(begin_s, begin_s + seconds, loaded_s)
            if not why:
                break
        return msgspec.structs.replace(
            shot,
            point=asked.point,
            round=question.round,
            begin_s=begin_s,
            end_s=begin_s + seconds,
            fps=batch * taken.rate_s,
            latency_ms=float(np.mean(taken.times_ns)) / 1e6,
        )
    except (EdgetuiError, MemoryError) as error:
        return Shot(point=asked.point, round=question.round, reason=_because(error))


def _by_itself(
    blocks: Callable[[float], np.typing.NDArray[np.int64]], batch: int, point: int, round_: int, for_s: float
) -> Shot:
    """Of a session whose every inference is a process of its own."""
    times = blocks(for_s)
    each_ms = float(np.mean(times)) / 1e6
    why = "every inference is a process of its own, which takes most of the energy"
    return Shot(point=point, round=round_, fps=1e3 * batch / each_ms, latency_ms=each_ms, why_no_power=why)
