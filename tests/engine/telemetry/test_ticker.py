"""The beat: even, not moved by a late one, and truthful about those that were missed."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetui.engine.system.root_files import Files, leading_number
from edgetui.engine.telemetry.channel import Beat, Channel, Notes
from edgetui.engine.telemetry.ring import RingReader
from edgetui.engine.telemetry.sample import Sample, decode
from edgetui.engine.telemetry.sampler import Sampler
from edgetui.engine.telemetry.source_choice import Choice
from edgetui.engine.telemetry.ticker import RateMeter, Ticker
from hypothesis import given
from hypothesis import strategies as st


def test_beats_are_even_and_do_not_drift() -> None:
    ticker = Ticker(20.0, 100.0)
    for k in range(1, 1000):
        ticker.done(ticker.due_s + 0.003)
        assert ticker.due_s == pytest.approx(100.0 + k / 20.0)
    assert ticker.gaps == 0


def test_a_late_beat_is_taken_and_a_missed_one_is_a_gap() -> None:
    ticker = Ticker(1000.0, 0.0)
    ticker.done(0.030)
    assert (ticker.due_s, ticker.gaps) == (pytest.approx(0.001), 0)
    ticker.done(0.500)
    assert ticker.gaps == 499
    assert ticker.due_s == pytest.approx(0.501)


@given(st.lists(st.floats(0, 3), max_size=50), st.floats(1, 200))
def test_every_beat_is_taken_or_a_gap(delays: list[float], rate: float) -> None:
    ticker, now = Ticker(rate, 0.0), 0.0
    for delay in delays:
        now = max(now, ticker.due_s) + delay
        ticker.done(now)
    assert ticker.due_s * rate == pytest.approx(len(delays) + ticker.gaps)


def test_another_rate_begins_now() -> None:
    ticker = Ticker(2.0, 0.0)
    ticker.done(0.0)
    ticker.set_rate(20.0, 10.0)
    assert ticker.due_s == 10.0
    ticker.done(10.0)
    assert ticker.due_s == pytest.approx(10.05)


def test_figures_are_over_the_last_ten_seconds() -> None:
    rates = RateMeter()
    assert rates.per_second() == (None, None, None)
    for second in range(60):
        rates.mark(float(second), second * (2 if second < 30 else 20), second)
    samples, distinct, share = rates.per_second()
    assert samples == pytest.approx(20.0)
    assert distinct == pytest.approx(1.0)
    assert share is not None
    assert share >= 0


def test_what_is_read_seldom_is_read_at_its_own_beat() -> None:
    beat = Beat(0.2)
    assert [k for k in range(20) if beat.due(100.0 + k * 0.05)] == [0, 4, 8, 12, 16]


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"42\n", 42), (b"-392", -392), (b"32760 ma\n", 32760), (b"1.5", 1.5), (b"", None), (b"off\n", None), (b"nan", None)],
)
def test_the_number_a_file_begins_with(data: bytes, value: float | None) -> None:
    assert leading_number(data) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_number_or_none(data: bytes) -> None:
    value = leading_number(data)
    assert value is None or abs(value) < 1e18


def test_a_channel_that_fails_is_asked_seldom_and_said_once(tmp_path: Path) -> None:
    notes = Notes()
    channel = Channel(Files(str(tmp_path)), notes, "gpu-thermal", "/temp", 0.001)
    assert channel.read(0.0) is None
    (tmp_path / "temp").write_text("41500\n")
    assert channel.read(0.5) is None
    assert channel.read(1.1) == 41.5
    (tmp_path / "temp").write_text("rubbish")
    assert [channel.read(float(k)) for k in range(2, 30)] == [None] * 28
    assert notes.lines() == ("gpu-thermal: not there (/temp)",)


class Growing:
    """A board on which zones appear while we watch."""

    name = "growing"
    pushed = False
    zones = 1

    def read(self, now_s: float) -> Sample:
        return Sample(t_s=now_s, temps_c={f"zone number {k}": 40.0 for k in range(self.zones)})

    def set_rate(self, rate_hz: float) -> None: ...

    def settle(self, timeout_s: float) -> None: ...

    def notes(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None: ...


def test_a_sample_that_outgrows_the_ring_gets_a_larger_one(tmp_path: Path) -> None:
    source = Growing()
    sampler = Sampler(tmp_path, Choice(source), 2.0)
    sampler._take(source.read(1.0))
    first = RingReader(tmp_path / "ring")
    source.zones = 500
    sampler._take(source.read(2.0))
    second = RingReader(tmp_path / "ring")
    assert first.inode != second.inode
    data = second.get(second.newest)
    assert data is not None
    assert len(decode(data).temps_c) == 500
    first.close()
    second.close()
