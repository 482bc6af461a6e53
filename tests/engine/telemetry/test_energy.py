"""Energy against closed forms, and the figures that say whether to believe it."""

from __future__ import annotations

import itertools
import math
import time
from pathlib import Path

import pytest
from edgetui.engine.telemetry.client import open_telemetry
from edgetui.engine.telemetry.energy import EnergyFigure, Window, energy, energy_of, net_joules, value_at
from edgetui.engine.telemetry.sample import Sample
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from processes import wait_until

few = settings(max_examples=40, deadline=None)
watts = st.floats(-5, 200)
rates = st.floats(2, 500)
lengths = st.floats(0.5, 100)


def sampled(power, begin: float, end: float, rate: float, jitter: list[float] | None = None) -> list[tuple[float, float]]:
    """Samples at `rate` from just before `begin` to just after `end`, a little late here and there."""
    count = int((end - begin) * rate) + 3
    shifts = jitter or [0.0]
    times = sorted(begin + (k - 1) / rate + shifts[k % len(shifts)] / rate for k in range(count))
    times.append(end + 0.5 / rate)
    return [(t, power(t)) for t in times]


@few
@given(watts, rates, lengths, st.lists(st.floats(0, 0.4), min_size=1, max_size=7))
def test_constant_power(level: float, rate: float, seconds: float, jitter: list[float]) -> None:
    assume(rate * seconds > 14)
    figure = energy(sampled(lambda _: level, 1000.0, 1000.0 + seconds, rate, jitter), 1000.0, 1000.0 + seconds)
    assert figure.joules == pytest.approx(level * seconds, abs=1e-6)
    assert figure.mean_w == pytest.approx(level, abs=1e-6)
    assert figure.peak_w == level
    assert figure.changes == figure.gaps == 0


@few
@given(watts, st.floats(-10, 10), rates, lengths, st.lists(st.floats(0, 0.4), min_size=1, max_size=7))
def test_a_ramp_is_exact_whatever_the_stamps(
    start: float, slope: float, rate: float, seconds: float, jitter: list[float]
) -> None:
    assume(rate * seconds > 14)
    begin = 50.0
    points = sampled(lambda t: start + slope * (t - begin), begin, begin + seconds, rate, jitter)
    figure = energy(points, begin, begin + seconds)
    assert figure.joules == pytest.approx(start * seconds + slope * seconds**2 / 2, rel=1e-9, abs=1e-6)


@few
@given(st.floats(0, 50), st.floats(0, 50), st.floats(0.2, 2.0), st.floats(0.1, 0.9))
def test_a_sine_to_second_order(mean: float, swing: float, hertz: float, share: float) -> None:
    omega, rate = 2 * math.pi * hertz, 60.0
    begin, end = share, share + 4.3
    points = sampled(lambda t: mean + swing * math.sin(omega * t), begin, end, rate)
    exact = mean * (end - begin) + swing / omega * (math.cos(omega * begin) - math.cos(omega * end))
    bound = swing * omega**2 / rate**2 / 12 * (end - begin) * 1.05 + swing * (omega / rate) ** 2 / rate + 1e-9
    assert energy(points, begin, end).joules == pytest.approx(exact, abs=bound)


@few
@given(st.lists(st.tuples(st.integers(5, 20), watts), min_size=3, max_size=8), st.integers(0, 6))
def test_steps_with_a_gap(levels: list[tuple[int, float]], missing: int) -> None:
    """A step costs at most half a distance times its height; a gap within one level costs nothing."""
    step_s, t, exact = 0.05, 0.0, 0.0
    points: list[tuple[float, float]] = []
    for k, (count, level) in enumerate(levels):
        here = [(t + i * step_s, level) for i in range(count)]
        if k == missing:
            here = here[:1] + here[-1:]
        points += here
        t += count * step_s
        exact += count * step_s * level
    end = points[-1][0]
    exact -= (t - end) * levels[-1][1]
    figure = energy(points, 0.0, end)
    assume(figure.joules is not None)
    heights = sum(abs(b - a) for (_, a), (_, b) in itertools.pairwise(levels))
    assert figure.joules == pytest.approx(exact, abs=heights * step_s / 2 + 1e-9)
    if missing < len(levels):
        assert figure.gaps == 1
        assert figure.coverage < 1


@few
@given(st.lists(watts, min_size=40, max_size=80), st.floats(0.3, 0.7))
def test_windows_add_up(values: list[float], share: float) -> None:
    points = [(k * 0.1, value) for k, value in enumerate(values)]
    begin, end = 0.05, points[-1][0] - 0.05
    middle = begin + share * (end - begin)
    first, second, whole = energy(points, begin, middle), energy(points, middle, end), energy(points, begin, end)
    assert first.joules is not None
    assert second.joules is not None
    assert whole.joules == pytest.approx(first.joules + second.joules, abs=1e-9)


def test_a_reading_that_was_read_twice_counts_once() -> None:
    points = [(k // 5 * 0.2, float(k // 5)) for k in range(40)]
    figure = energy(points, 0.0, 1.5)
    assert figure.distinct == 8
    assert figure.joules is None
    assert figure.reason == "only 8 distinct power samples in 1.5 s; 10 are needed"


def test_a_window_half_of_which_nobody_saw_has_no_figure() -> None:
    points = [(k * 0.01, 5.0) for k in range(50)] + [(1.0, 5.0)]
    figure = energy(points, 0.0, 1.0)
    assert figure.joules is None
    assert figure.gaps == 1
    assert figure.longest_gap_s == pytest.approx(0.51)
    assert "49 %" in (figure.reason or "")


@pytest.mark.parametrize("points", [[], [(0.0, 1.0)]])
def test_no_samples_no_figure(points: list[tuple[float, float]]) -> None:
    figure = energy(points, 0.0, 1.0)
    assert (figure.joules, figure.mean_w, figure.peak_w) == (None, None, None)
    assert figure.reason


def test_net_is_gross_without_idle() -> None:
    gross, idle = EnergyFigure(joules=100.0, seconds=10.0), EnergyFigure(joules=8.0, mean_w=4.0, seconds=2.0)
    assert net_joules(gross, idle) == pytest.approx(60.0)
    assert net_joules(gross, EnergyFigure()) is None
    assert net_joules(EnergyFigure(), idle) is None
    assert gross.per(50) == 2.0
    assert EnergyFigure().per(50) is None


def samples(count: int, counter: bool) -> list[Sample]:
    """1 W by the rail, 3 W by the counter, 10 Hz."""
    return [
        Sample(t_s=k * 0.1, total_mw=1000, total_scope="gpu", counters={"total J": 500 + k * 0.3} if counter else {})
        for k in range(count)
    ]


def test_a_counter_goes_before_the_integral() -> None:
    figure = energy_of(samples(30, counter=True), 0.55, 2.05)
    assert figure.method == "counter"
    assert figure.joules == pytest.approx(4.5)
    assert energy_of(samples(30, counter=False), 0.55, 2.05).joules == pytest.approx(1.5)


def test_a_counter_that_began_again_is_not_used() -> None:
    seen = samples(30, counter=True)
    seen[15:] = [Sample(t_s=s.t_s, total_mw=1000, counters={"total J": 0.1}) for s in seen[15:]]
    figure = energy_of(seen, 0.55, 2.05)
    assert figure.method == "trapezoid"
    assert figure.joules == pytest.approx(1.5)


def test_unknown_power_leaves_a_gap_and_no_zero() -> None:
    seen = [Sample(t_s=k * 0.1, total_mw=None if 20 <= k < 25 else 2000) for k in range(60)]
    figure = energy_of(seen, 0.0, 5.9)
    assert figure.mean_w == pytest.approx(2.0)
    assert figure.gaps == 1
    assert figure.samples == 55


@few
@given(st.floats(-10, 30))
def test_between_samples_a_line_beyond_them_the_last_value(t: float) -> None:
    points = [(0.0, 1.0), (10.0, 3.0), (20.0, -1.0)]
    expected = 1.0 if t <= 0 else 1.0 + t / 5 if t <= 10 else 3.0 - (t - 10) * 0.4 if t <= 20 else -1.0
    assert value_at(points, t) == pytest.approx(expected)


def test_a_window_on_a_board_without_power_says_so(own_state: Path) -> None:
    with open_telemetry(own_state, "host", 50) as telemetry:
        while telemetry.newest() is None:
            time.sleep(0.01)
        window = Window(telemetry)
        time.sleep(0.3)
        figure = window.end()
        if telemetry.newest().total_mw is None:  # type: ignore[union-attr]
            assert figure.joules is None
            assert "no power reading" in (figure.reason or "")


def test_a_window_on_a_laid_out_board(own_state: Path, lay_out) -> None:
    board = lay_out("orin_nano_super_r36")
    with open_telemetry(own_state, "auto", 50) as telemetry:
        while telemetry.newest() is None:
            time.sleep(0.01)
        window, begun = Window(telemetry), telemetry.newest_number()
        wait_until(lambda: telemetry.newest_number() > begun + 12)
        figure = window.end()
    assert figure.mean_w == pytest.approx(board.expect["total_mw"] / 1000)
    assert figure.joules == pytest.approx(figure.mean_w * figure.seconds)
    assert figure.scope == "module"
    assert figure.distinct >= 10
