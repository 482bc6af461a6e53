"""Blocks in which the machine was held back are measured again: simulated boards whose clocks and alerts samples tell of."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import get_args

import numpy as np
import pytest
from edgetui.engine.measure.latency import RULES
from edgetui.engine.measure.rounds_again import MOST_AGAIN, RoundsAgain, Watched
from edgetui.engine.measure.throttling import ThrottleWatch
from edgetui.engine.measure.turns import in_turns
from edgetui.engine.schema.workloads import Workload
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.telemetry.alerts import AlertRule
from edgetui.engine.telemetry.sample import Sample, Stats
from simulated import Clock, Simulated, by_block

RULE = RULES["normal"]
PERIOD_S = 0.5
Told = Callable[[float], dict[str, object]]


class Sampler:
    """Samples at 2 Hz of what a board tells, from its start to now."""

    def __init__(self, clock: Clock, told: Told) -> None:
        self._clock, self._told = clock, told

    def newest(self) -> Sample | None:
        return None

    def newest_number(self) -> int:
        return int(self._clock.now_s / PERIOD_S)

    def since(self, n: int) -> list[tuple[int, Sample]]:
        return [(k, Sample(t_s=k * PERIOD_S, **self._told(k * PERIOD_S))) for k in range(n + 1, self.newest_number() + 1)]

    def stats(self) -> Stats:
        return Stats()


class Run:
    """Two alike sides on a board that takes `slow` times as long between two times."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, told: Told, spans: list[tuple[float, float]], slow: float = 1.5
    ) -> None:
        self.clock, self.say = Clock(), NullReporter()
        monkeypatch.setattr("edgetui.engine.measure.rounds_again.time", self.clock)
        draw = np.random.default_rng(7)
        self.sides = [Simulated(name, 5.0, by_block(0.01, draw)) for name in ("baseline", "candidate")]
        rules = (AlertRule(watch="throttling"), AlertRule(watch="silence", above=10.0))
        self.again = RoundsAgain(Watched(Sampler(self.clock, told), ThrottleWatch(rules)), self.say, self.sides)

        def machine(began_s: float, _: float) -> float:
            return slow if any(begin <= began_s < end for begin, end in spans) else 1.0

        take = self.clock.taker(RULE, machine)
        self.orders = in_turns(self.sides, take, RULE, 1, self.say, self.clock.monotonic, self.again)
        self.again.close()

    @property
    def slowest_ms(self) -> float:
        return max(float(side.means_ms().max()) for side in self.sides)


def clock_of(spans: list[tuple[float, float]], mhz: float = 1000.0) -> Told:
    def told(t_s: float) -> dict[str, object]:
        low = any(begin <= t_s < end for begin, end in spans)
        return {"cpu_freq_mhz": (1500.0, mhz if low else 1500.0), "cpu_load_pct": (3.0, 97.0)}

    return told


def test_rounds_since_the_last_calm_sample_are_measured_again(monkeypatch):
    spans = [(3.1, 5.2), (8.3, 9.9)]
    run = Run(monkeypatch, clock_of(spans), spans)
    assert 2 <= run.again.again <= MOST_AGAIN
    assert run.slowest_ms < 5.3
    assert [run.again.throttled(side) for side in run.sides] == [0, 0]
    assert len(run.orders) == len(run.sides[0].blocks) == len(run.sides[1].blocks)
    assert run.say.notes[0].startswith("latency: core 1 clock 33 % below its start; ")
    assert not run.say.warnings


def test_a_board_that_stays_slow_is_measured_as_it_is_and_that_is_said(monkeypatch):
    spans = [(3.0, 1e9)]
    run = Run(monkeypatch, clock_of(spans, 1200.0), spans)
    assert run.again.again == MOST_AGAIN
    (said,) = [text for text in run.say.warnings if text.startswith("latency")]
    assert "core 1 clock 20 % below its start" in said
    assert 0 < run.again.throttled(run.sides[0]) <= len(run.sides[0].blocks)


def test_an_alert_marks_blocks_and_silence_does_not(monkeypatch):
    spans = [(4.0, 5.0)]
    run = Run(monkeypatch, lambda t: {"throttled": ("power cap",) if 4 <= t < 5 else ()}, spans)
    assert run.again.again
    assert run.slowest_ms < 5.3
    assert "power cap" in run.say.notes[0]
    silent = Run(monkeypatch, lambda t: {"rails_mw": {"VDD_IN": 5000 if t < 2 else None}}, [])
    assert not silent.again.again


def test_where_nothing_tells_of_clocks_nothing_is_claimed(monkeypatch):
    run = Run(monkeypatch, lambda _: {}, [])
    assert run.again.throttled(run.sides[0]) is None
    assert not run.say.notes


def test_a_calm_board_takes_the_orders_that_are_drawn(monkeypatch):
    calm, watched = Run(monkeypatch, lambda _: {}, []), Run(monkeypatch, clock_of([]), [])
    assert calm.orders == watched.orders
    held = Run(monkeypatch, clock_of([(3.1, 5.2)]), [(3.1, 5.2)])
    same = min(len(held.orders), len(calm.orders))
    assert held.orders[:same] == calm.orders[:same]


@pytest.mark.parametrize("workload", get_args(Workload), ids=lambda kind: kind.__struct_config__.tag)
def test_a_workload_that_keeps_something_of_its_blocks_can_forget_it(workload):
    module, _, name = workload.issuer.partition(":")
    issuer = getattr(import_module(f"edgetui.engine.{module}"), name)
    own = [kind.__dict__ for kind in issuer.__mro__ if "times" in kind.__dict__]
    assert "forget" in own[0]
