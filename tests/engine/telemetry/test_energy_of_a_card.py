"""What an NVIDIA H200 said of its power, asked every 4 ms under known loads; it has new values ten times a second only."""

from __future__ import annotations

import csv
import gzip
import itertools
from pathlib import Path

import pytest
from edgetui.engine.telemetry.energy import Point, energy_of, value_at
from edgetui.engine.telemetry.sample import Sample

LOADS = (
    (34.957, 39.960),  # products of large matrices
    (45.764, 46.267),
    (46.768, 47.268),
    (48.769, 49.774),
    (50.775, 51.780),
    (52.780, 53.786),
    (56.248, 58.248),  # small convolutions, one at a time
)
"""Seconds from and to, by the clock of the samples."""


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    with gzip.open(Path(__file__).with_name("nvidia_card_power.csv.gz"), "rt") as file:
        rows = [{name: float(text) for name, text in row.items()} for row in csv.DictReader(file)]
    return [
        Sample(
            t_s=row["seconds"],
            total_mw=int(row["instant_mw"]),
            total_scope="gpu",
            counters={"total J": row["counter_mj"] / 1000},
        )
        for row in rows
    ]


def beats(samples: list[Sample], rate_hz: float, phase: float) -> list[Sample]:
    """What a sampler sees at that rate."""
    found, due_s = [], samples[0].t_s + phase / rate_hz
    for sample in samples:
        if sample.t_s >= due_s:
            found.append(sample)
            due_s += 1 / rate_hz
    return found


@pytest.mark.parametrize(("begin_s", "end_s"), LOADS)
def test_the_counter_tells_a_load_of_half_a_second_to_three_hundredths(
    samples: list[Sample], begin_s: float, end_s: float
) -> None:
    changes: list[Point] = [
        (b.t_s, b.counters["total J"]) for a, b in itertools.pairwise(samples) if a.counters["total J"] != b.counters["total J"]
    ]
    whole = value_at(changes, end_s) - value_at(changes, begin_s)
    for phase in (0.0, 0.25, 0.5, 0.75):
        figure = energy_of(beats(samples, 20.0, phase), begin_s, end_s)
        assert figure.method == "counter"
        assert figure.joules == pytest.approx(whole, rel=0.03)
        assert figure.scope == "gpu"
