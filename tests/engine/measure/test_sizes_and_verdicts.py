"""Bytes on disk, and the words for differences."""

from __future__ import annotations

import gzip
import random

import pytest
from edgetui.engine.advice.verdict import verdicts
from edgetui.engine.errors import StorageRefused
from edgetui.engine.measure.sizes import gz_bytes, size_bytes
from edgetui.engine.schema.figures import Difference, Metrics, Ratio
from edgetui.engine.schema.output_figures import Accuracy


def test_compressed_sizes_are_those_of_gzip(tmp_path):
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_bytes(random.Random(0).randbytes(3_000_000))
    files[1].write_bytes(bytes(2_000_000))
    assert size_bytes(files) == 5_000_000
    assert gz_bytes(files) == sum(len(gzip.compress(file.read_bytes(), 6)) for file in files)


def test_a_file_that_is_gone_is_said(tmp_path):
    for measure in (size_bytes, gz_bytes):
        with pytest.raises(StorageRefused):
            measure([tmp_path / "gone"])


KNOWN = Metrics(accuracy=Accuracy(top1=0.8, n=100))


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.6, 0.8, "faster"), (1.1, 1.3, "slower"), (0.9, 1.1, "no difference shown"), (None, None, "no difference shown")],
)
def test_the_interval_decides_about_latency(low, high, word):
    assert verdicts(Difference(latency_ratio=Ratio(value=0.7, low=low, high=high)), KNOWN, KNOWN)["latency"] == word


@pytest.mark.parametrize(
    ("low", "high", "word"), [(-0.03, -0.01, "worse"), (0.01, 0.03, "better"), (-0.01, 0.01, "no difference shown")]
)
def test_the_interval_decides_about_accuracy(low, high, word):
    difference = Difference(top1_points=Ratio(value=0.0, low=low, high=high))
    assert verdicts(difference, KNOWN, KNOWN)["accuracy"] == word
    assert "accuracy" not in verdicts(difference, Metrics(), Metrics())


def test_single_figures_need_a_margin_where_they_scatter():
    words = verdicts(Difference(size_ratio=0.99, memory_ratio=0.97), KNOWN, KNOWN)
    assert (words["size"], words["memory"]) == ("smaller", "no difference shown")
    words = verdicts(Difference(size_ratio=1.0, memory_ratio=1.2), KNOWN, KNOWN)
    assert (words["size"], words["memory"]) == ("no difference shown", "larger")
    for named_only in (0.998, 1.002):  # three digits: 1.00
        assert verdicts(Difference(size_ratio=named_only), KNOWN, KNOWN)["size"] == "no difference shown"


def test_what_was_not_measured_has_no_word():
    assert verdicts(Difference(), Metrics(), Metrics()) == {}
