"""Stored latencies as histograms and five numbers, over one axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.advice.spread import SampleSet, Spread
from edgetui.engine.measure.latency_histograms import BINS, spreads
from edgetui.engine.report.spread_table import spread_line, spread_report
from hypothesis import given, settings
from hypothesis import strategies as st


def stored(folder: Path, name: str = "latencies.npz", **sides: list[float]) -> str:
    """Milliseconds of each side, as a run stores them."""
    path = folder / name
    np.savez_compressed(path, **{f"{side}_ns": (np.array(values) * 1e6).astype(np.int64) for side, values in sides.items()})
    return str(path)


def one(path: str, side: str = "candidate") -> SampleSet:
    return SampleSet(label="int8", run="r", side=side, path=path)


def test_five_numbers_whiskers_and_outliers(tmp_path):
    values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 30.0]
    (column,) = spreads([one(stored(tmp_path, candidate=values))]).columns
    assert (column.n, column.min, column.max) == (10, 1.0, 30.0)
    assert (column.q1, column.median, column.q3) == (3.25, 5.5, 7.75)
    assert (column.low_whisker, column.high_whisker) == (1.0, 9.0)
    assert (column.low_outliers, column.high_outliers) == (0, 1)
    assert (column.mean, column.above, column.below) == (7.5, 1, 0)
    assert sum(column.counts) == 9


def test_all_columns_have_one_axis_that_holds_their_whiskers(tmp_path):
    path = stored(tmp_path, baseline=[2.0, 2.1, 2.2, 2.3] * 9, candidate=[1.0, 1.1, 1.2, 1.3] * 9)
    found = spreads([one(path, "baseline"), one(path)])
    assert 0.9 < found.low_ms < 1.0
    assert 2.3 < found.high_ms < 2.4
    slow, fast = found.columns
    assert len(slow.counts) == len(fast.counts) == BINS
    assert sum(slow.counts) == sum(fast.counts) == 36
    assert max(np.flatnonzero(fast.counts)) < min(np.flatnonzero(slow.counts))


def test_the_axis_holds_a_mean_that_is_near_and_not_one_that_outliers_pulled_away(tmp_path):
    tight = [1.0, 1.01, 1.02, 1.03] * 9
    for outlier, held in ((1.5, True), (90.0, False)):
        found = spreads([one(stored(tmp_path, candidate=[*tight, outlier]))])
        assert (found.columns[0].mean <= found.high_ms) == held
    found = spreads([one(stored(tmp_path, candidate=[*tight, 2.0]))])
    assert found.columns[0].high_whisker < found.columns[0].mean < found.high_ms


def test_samples_that_are_all_the_same_have_an_axis(tmp_path):
    found = spreads([one(stored(tmp_path, candidate=[0.5] * 4))])
    assert found.low_ms < 0.5 < found.high_ms
    assert sum(found.columns[0].counts) == 4


@given(values=st.lists(st.floats(0.001, 1e4), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_every_sample_is_counted_once(tmp_path_factory, values):
    (column,) = spreads([one(stored(tmp_path_factory.mktemp("spread"), candidate=values))]).columns
    assert sum(column.counts) + column.above + column.below == column.n == len(values)
    numbers = (column.min, column.low_whisker, column.q1, column.median, column.q3, column.high_whisker, column.max)
    assert numbers[0] <= numbers[1]
    assert numbers[2] <= numbers[3] <= numbers[4]
    assert numbers[5] <= numbers[6]


@pytest.mark.parametrize(
    ("content", "why"), [(None, "is gone"), (b"no archive", "cannot be read"), (b"PK\x03\x04 cut off", "cannot be read")]
)
def test_what_cannot_be_read_has_a_reason_and_the_others_are_shown(tmp_path, content, why):
    broken = tmp_path / "broken.npz"
    if content is not None:
        broken.write_bytes(content)
    good = one(stored(tmp_path, candidate=[1.0, 2.0, 3.0]))
    bad, other = spreads([one(str(broken)), good]).columns
    assert why in bad.reason
    assert (bad.n, bad.mean, other.n) == (None, None, 3)


def test_a_side_that_was_not_measured_has_a_reason(tmp_path):
    path = stored(tmp_path, baseline=[1.0])
    column, unasked = spreads([one(path), SampleSet(label="x", run="r", side="baseline", reason="the run is failed")]).columns
    assert "KeyError" in column.reason
    assert unasked.reason == "the run is failed"


def test_the_report_says_numbers_and_reasons(tmp_path):
    found = spreads([one(stored(tmp_path, candidate=[1.0, 2.0, 3.0, 4.0, 50.0])), one("")])
    for width in (80, 140):
        text = spread_report(found, width)
        assert all(len(line) <= width for line in text.splitlines())
        assert "50.0" in text
        assert "it was not measured" in text
        assert "█" in text
    assert (
        spread_line(found.columns[0])
        == "median 3.00 mean 12.0 ms   1 outlier up to 50.0 ms   quartiles 2.00 to 4.00   of 5 inferences"
    )
    assert spread_line(Spread(label="a", run="r", side="baseline", reason="gone")) == "– (gone)"


def test_what_was_never_measured_has_no_number_at_all():
    found = spreads([SampleSet(label="int8", run="r", side="candidate", reason="the run is cancelled")])
    assert (found.low_ms, found.high_ms, found.columns[0].n, found.columns[0].high_outliers) == (None, None, None, None)
    for width in (80, 140):
        text = spread_report(found, width)
        assert "the run is cancelled" in text
        assert not any(letter.isdigit() for letter in text.replace("int8", "").replace("q1", "").replace("q3", ""))
