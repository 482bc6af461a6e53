"""Plans that are loaded one at a time: what the machine does between sessions widens the intervals and fakes no difference."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from edgetui.engine.measure import apart, latency
from edgetui.engine.measure.latency import Rule
from edgetui.engine.measure.rounds_again import Watched
from edgetui.engine.schema.workloads import FlatOut
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.telemetry.sample import Sample, Stats

RULE = Rule(half_width=0.05, measured_s=0.3, cap_s=10, block_s=0.02, samples=24, warm_up_s=0.0, least_block_s=0.0)


class Machine:
    """Time that only inferences move; each session has a speed of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ms: dict[str, float], scatter: float, seed: int) -> None:
        self.ms, self.scatter, self.draw = ms, scatter, np.random.default_rng(seed)
        self.now_s = 1000.0
        self.loaded: list[str] = []
        self.open = 0
        for module in ("latency", "issuer"):
            monkeypatch.setattr(f"edgetui.engine.measure.{module}.time", self)

    def perf_counter(self) -> float:
        return self.now_s

    def perf_counter_ns(self) -> int:
        return round(1e9 * self.now_s)

    def monotonic_ns(self) -> int:
        return round(1e9 * self.now_s)

    @contextmanager
    def load(self, name: str) -> Iterator[object]:
        assert not self.open, "two plans are loaded"
        self.open += 1
        self.loaded.append(name)
        yield Loaded(self, self.ms[name] * float(np.exp(self.scatter * self.draw.standard_normal())))
        self.open -= 1


class Loaded:
    """A session of the simulated machine."""

    remark = ""

    def __init__(self, machine: Machine, ms: float) -> None:
        self._machine, self._ms = machine, ms

    def blocks(self, feeds: object) -> None:
        del feeds

    def timed(self, feeds: object):
        del feeds

        def infer() -> None:
            self._machine.now_s += self._ms / 1e3 * (1 + 0.01 * self._machine.draw.standard_normal())

        return infer

    def device_ms(self) -> None:
        return None


def measured(
    monkeypatch: pytest.MonkeyPatch, ms: dict[str, float], scatter: float, seed: int
) -> tuple[apart.Measured, Machine]:
    monkeypatch.setitem(latency.RULES, "quick", RULE)
    machine = Machine(monkeypatch, ms, scatter, seed)
    found = apart.measure_apart(machine.load, list(ms), {}, FlatOut(), "quick", seed, NullReporter())  # type: ignore[arg-type]
    return found, machine


def test_one_plan_is_loaded_at_a_time_and_the_baseline_once_more(monkeypatch):
    found, machine = measured(monkeypatch, {"baseline": 5.0, "a": 4.0, "b": 2.5}, 0.0, 0)
    assert machine.loaded.count("baseline") == apart.ROUNDS + 1
    assert machine.loaded.count("a") == machine.loaded.count("b") == apart.ROUNDS
    assert machine.loaded[0] == machine.loaded[-1] == "baseline"
    ratio = found.ratios["b", "baseline"]
    assert ratio.value == pytest.approx(0.5, rel=0.01)
    assert ratio.low < 0.5 < ratio.high
    assert not ratio.interleaved
    assert found.ratios["b", "a"].value == pytest.approx(2.5 / 4, rel=0.01)
    assert found.correction.comparisons == 3
    assert found.latencies["a"].n == len(found.raw(candidate="a")["candidate_ns"])


def test_what_the_repeated_baseline_shows_widens_the_intervals(monkeypatch):
    calm, _ = measured(monkeypatch, {"baseline": 5.0, "candidate": 4.0}, 0.0, 1)
    moved, _ = measured(monkeypatch, {"baseline": 5.0, "candidate": 4.0}, 0.05, 1)
    widths = [each.ratios["candidate", "baseline"] for each in (calm, moved)]
    assert widths[1].high - widths[1].low > 5 * (widths[0].high - widths[0].low)


def test_sessions_that_differ_by_chance_fake_a_difference_in_few_runs(monkeypatch):
    """The negative control: plans alike, sessions that scatter by 5 %, which means alone would call a difference."""
    false = naive = 0
    for seed in range(60):
        found, _ = measured(monkeypatch, {"baseline": 5.0, "candidate": 5.0}, 0.05, seed)
        ratio = found.ratios["candidate", "baseline"]
        false += not ratio.low <= 1 <= ratio.high
        naive += abs(ratio.value - 1) > 0.01
    assert false <= 6
    assert naive > 30


class Sampler:
    """Samples at 10 Hz of a busy core whose clock falls for half a second."""

    def __init__(self, machine: Machine, falls_s: float) -> None:
        self._machine, self._falls_s, self._began_s = machine, falls_s, machine.now_s

    def newest_number(self) -> int:
        return int((self._machine.now_s - self._began_s) * 10)

    def since(self, n: int) -> list[tuple[int, Sample]]:
        return [(k, self._sample(self._began_s + k / 10)) for k in range(n + 1, self.newest_number() + 1)]

    def stats(self) -> Stats:
        return Stats()

    def newest(self) -> Sample | None:
        return None

    def _sample(self, t_s: float) -> Sample:
        low = 0 <= t_s - self._began_s - self._falls_s < 0.5
        return Sample(t_s=t_s, cpu_freq_mhz=(1000.0 if low else 1500.0,), cpu_load_pct=(100.0,))


@pytest.mark.parametrize(("falls_s", "throttled"), [(0.5, True), (900.0, False)])
def test_a_clock_that_falls_meanwhile_is_said(monkeypatch, falls_s: float, throttled: bool):
    monkeypatch.setitem(latency.RULES, "quick", RULE)
    machine, say = Machine(monkeypatch, {"baseline": 5.0, "candidate": 4.0}, 0.0, 2), NullReporter()
    board = Watched(Sampler(machine, falls_s))
    found = apart.measure_apart(machine.load, list(machine.ms), {}, FlatOut(), "quick", 2, say, board=board)  # type: ignore[arg-type]
    counted = [found.latencies[name].throttled for name in machine.ms]
    assert None not in counted
    assert bool(sum(counted)) == throttled
    assert bool([text for text in say.warnings if "core 0 clock 33 % below its start" in text]) == throttled
