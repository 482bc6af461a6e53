"""Samples of the sensors on their way to the screen: as many at a time as it bears, and as little kept as it needs."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import Config
from edgetui.engine.telemetry.client import Telemetry
from edgetui.engine.telemetry.history import History
from edgetui.engine.telemetry.rendezvous import SamplerLock, rendezvous_dir
from edgetui.engine.telemetry.ring import RingWriter
from edgetui.engine.telemetry.sample import Sample, encode
from edgetui.tui.feed import MOST_AT_ONCE, UNDRAWN_S, LiveFeed
from edgetui.tui.panes.telemetry import _stretches

HZ = 4.0
Push = Callable[[int], None]


@pytest.fixture
def engine(own_state: Path) -> Engine:
    return Engine(Config(), own_state)


@pytest.fixture
def push(own_state: Path) -> Iterator[Push]:
    """Writes samples in a sampler's place, four to a second; the first one is an hour old."""
    own_state.mkdir(parents=True)
    place = rendezvous_dir(own_state, "auto")
    lock = SamplerLock(place)
    assert lock.take()
    ring = RingWriter(place / "ring", 2000, 2000)
    began_s = time.monotonic() - 3600.0

    def write(many: int) -> None:
        for k in range(ring.newest, ring.newest + many):
            ring.push(encode(Sample(t_s=began_s + k / HZ, total_mw=1000 + k, temps_c={f"zone{n}": 40.0 for n in range(9)})))

    yield write
    ring.close()
    lock.leave()


@pytest.fixture
def telemetry(engine: Engine, push: Push) -> Iterator[Telemetry]:
    push(1)
    with engine.telemetry(HZ) as opened:
        yield opened


@pytest.fixture
def feed(engine: Engine, telemetry: Telemetry) -> LiveFeed:
    return LiveFeed(engine, telemetry)


def test_a_whole_ring_is_never_in_memory_at_once(telemetry: Telemetry, push: Push) -> None:
    push(1900)
    first = next(iter(telemetry.since(0)))[1]
    tracemalloc.start()
    try:
        many = sum(1 for _ in telemetry.since(0))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first.total_mw == 1000
    assert many == 1901
    assert most < 100_000


def test_a_screen_that_was_stopped_takes_what_waits_piece_by_piece(feed: LiveFeed, push: Push) -> None:
    feed.pump()
    push(2 * MOST_AT_ONCE + 5)
    heard = []
    for _ in range(3):
        feed.pump()
        heard.append(feed.heard - 1)
    assert heard == [MOST_AT_ONCE, 2 * MOST_AT_ONCE, 2 * MOST_AT_ONCE + 5]
    assert feed.newest is not None
    assert feed.newest.total_mw == 1000 + 2 * MOST_AT_ONCE + 5


def test_what_waits_is_no_silence(feed: LiveFeed, push: Push) -> None:
    push(MOST_AT_ONCE)
    assert not feed.pump()
    told = feed.pump()
    assert [event.rule for event in told] == ["silence above 10 s"]


def test_samples_for_charts_that_are_not_drawn_wait_for_seconds_only(feed: LiveFeed, push: Push) -> None:
    feed.pump()
    pasts = feed.pasts
    push(int(UNDRAWN_S * HZ) - 1)
    feed.pump()
    assert feed.pasts == pasts
    assert len(feed.fresh()) == UNDRAWN_S * HZ
    push(MOST_AT_ONCE - 10)
    feed.pump()
    assert feed.pasts > pasts
    assert len(feed.fresh()) <= UNDRAWN_S * HZ + 1


def test_charts_that_come_back_have_each_sample_of_the_last_minutes() -> None:
    history, values = History(), [float(k * 7919 % 1000) for k in range(1000)]
    for k, value in enumerate(values):
        history.add(Sample(t_s=5000.0 + k / HZ, gpu_load_pct=value))
    found = list(_stretches(history, "gpu_load_pct", 3000.0, 5000.0 + 999 / HZ))
    assert [bucket and bucket[1] for _, _, bucket in found[-1000:]] == values
    assert {long_s for _, long_s, _ in found[-1000:]} == {1 / HZ}
