"""Arrays of an .npz feed the model's inputs: matched by name, checked by their headers, streamed."""

from __future__ import annotations

import subprocess
import sys
import zipfile

import numpy as np
import pytest
from edgetui.engine.data.open import open_samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter

IDS = TensorFacts(name="ids", dtype="int64", shape=(1, 5))
MASK = TensorFacts(name="mask", dtype="float", shape=(1, 5))
SHAPES = {"ids": (1, 5), "mask": (1, 5)}


def opened(path, inputs=(IDS,), part="all", task="classification", shapes=SHAPES):
    return open_samples(Dataset(kind="npz", path=str(path), task=task), inputs, shapes, part, 0, NullReporter())


@pytest.mark.parametrize("compressed", [False, True])
def test_several_inputs_and_labels_come_together(saved, compressed):
    ids = np.arange(50, dtype=np.int64).reshape(10, 5)
    path = saved(compressed=compressed, ids=ids, mask=ids / 2, labels=np.arange(10) % 3)
    samples = opened(path, (IDS, MASK)).take(7)
    for batch in [*samples.batches(3), *samples.batches(3)]:
        assert batch.feeds["ids"].dtype == np.int64
        assert batch.feeds["mask"].dtype == np.float32
        assert (batch.feeds["ids"] / 2 == batch.feeds["mask"]).all()
        assert (batch.labels == batch.feeds["ids"][:, 0] // 5 % 3).all()
    assert sum(batch.n for batch in samples.batches(3)) == 7
    assert samples.names() == [f"sample {batch.feeds['ids'][0, 0] // 5}" for batch in samples.batches(1)]


def test_the_only_array_feeds_the_only_input_whatever_its_name(saved):
    samples = opened(saved(arr_0=np.zeros((4, 5), np.int32)))
    assert next(samples.batches(4)).feeds["ids"].dtype == np.int64
    assert not samples.labels


def test_samples_that_bring_their_batch_axis_are_fed_one_by_one(saved):
    samples = opened(saved(ids=np.zeros((4, 1, 5), np.int64)))
    assert [batch.feeds["ids"].shape for batch in samples.batches(3)] == [(1, 5)] * 4


def test_an_input_may_be_called_labels(saved):
    facts = TensorFacts(name="labels", dtype="int64", shape=(1, 5))
    samples = opened(saved(labels=np.ones((4, 5), np.int64)), (facts,), shapes={"labels": (1, 5)})
    assert next(samples.batches(4)).feeds["labels"].shape == (4, 5)
    assert not samples.labels


@pytest.mark.parametrize("largest", [2**40, 2**64 - 1])
def test_labels_beyond_all_classes_are_refused_with_their_range(saved, largest):
    path = saved(ids=np.zeros((2, 5), np.int64), labels=np.array([0, largest], np.uint64))
    with pytest.raises(DataRefused, match=f"from 0 to {largest}"):
        opened(path)


def test_floats_that_would_become_infinite_are_refused(saved):
    samples = opened(saved(mask=np.full((2, 5), 1e300)), (MASK,))
    with pytest.raises(DataRefused, match="do not fit float32"):
        list(samples.batches(1))


def test_labels_are_not_used_where_the_task_is_none(saved):
    assert not opened(saved(ids=np.zeros((4, 5), np.int64), labels=np.arange(4)), task="none").labels


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"ids": np.zeros((4, 6), np.int64)}, r"array ids has samples of shape \[6\], and input ids wants \[5\]"),
        ({"ids": np.zeros((4, 5), np.float32)}, "array ids is float32, and input ids wants int64"),
        ({"idz": np.zeros((4, 5), np.int64), "other": np.zeros((4, 5))}, "has no array for input ids"),
        ({"ids": np.zeros((0, 5), np.int64)}, "is empty"),
        ({}, "is empty"),
        ({"ids": np.int64(3)}, "single number"),
        ({"ids": np.array([["a"] * 5])}, "not numbers"),
        ({"ids": np.array([[None] * 5])}, "not numbers"),
        ({"ids": np.asfortranarray(np.zeros((4, 5), np.int64))}, "column by column"),
        ({"ids": np.zeros((4, 5), np.int64), "labels": np.zeros(3, np.int64)}, "`labels`"),
        ({"ids": np.zeros((4, 5), np.int64), "labels": np.zeros(4)}, "`labels`"),
        ({"ids": np.zeros((4, 5), np.int64), "labels": np.full(4, 7)}, "of one class"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_by_name(saved, arrays, what):
    with pytest.raises(DataRefused, match=what):
        opened(saved(**arrays))


def test_arrays_of_different_lengths_are_refused(saved):
    with pytest.raises(DataRefused, match="differ in their number"):
        opened(saved(ids=np.zeros((4, 5), np.int64), mask=np.zeros((3, 5), np.float32)), (IDS, MASK))


def test_numbers_too_large_for_the_input_are_refused(saved):
    small = TensorFacts(name="ids", dtype="int32", shape=(1, 5))
    samples = opened(saved(ids=np.full((4, 5), 2**40)), (small,))
    with pytest.raises(DataRefused, match="do not fit int32"):
        next(samples.batches(1))


def test_labels_whose_squares_are_no_numbers_are_refused(saved):
    path = saved(ids=np.zeros((4, 5), np.int64), labels=np.array([1.0, 1e308, -1e308, 2.0]))
    with pytest.raises(DataRefused, match=r"beyond 1e\+100"):
        opened(path, task="regression")


@pytest.mark.parametrize("kind", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_damaged_data_are_refused_however_they_are_compressed(kind, saved, tmp_path):
    with zipfile.ZipFile(saved(ids=np.arange(5000, dtype=np.int64).reshape(-1, 5))) as archive:
        data = archive.read("ids.npy")
    with zipfile.ZipFile(path := tmp_path / "other.npz", "w", kind) as archive:
        archive.writestr("ids.npy", data)
    content = bytearray(path.read_bytes())
    content[60:90] = bytes(range(100, 130))
    path.write_bytes(content)
    with pytest.raises(DataRefused, match=r"other\.npz"):
        list(opened(path).batches(1000))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_truncated_file_is_refused(saved, compressed, tmp_path):
    path = saved(compressed=compressed, ids=np.arange(5000, dtype=np.int64).reshape(-1, 5))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataRefused, match=r"truncated|damaged"):
        list(opened(path).batches(10))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_that_another_has_replaced_since_it_was_opened_is_refused(saved, compressed, tmp_path):
    path = saved(compressed=compressed, ids=np.arange(400, dtype=np.int64).reshape(80, 5))
    samples = opened(path)
    np.savez(tmp_path / "other.npz", **{"a much longer name": np.ones(9), "ids": np.zeros((3, 5))})
    for other in (b"no archive", b"PK" + bytes(4000), (tmp_path / "other.npz").read_bytes()):
        path.write_bytes(other)
        with pytest.raises(DataRefused, match="is damaged"):
            list(samples.batches(8))


def test_a_folder_that_became_an_npz_by_name_is_refused(tmp_path):
    (tmp_path / "x.npz").write_text("hello")
    with pytest.raises(DataRefused, match=r"not an \.npz"):
        opened(tmp_path / "x.npz")


@pytest.mark.parametrize("compressed", [False, True])
def test_memory_does_not_grow_with_the_array(saved, compressed):
    path = saved(compressed=compressed, ids=np.zeros((20_000, 500), np.int64))  # 80 MB
    code = """
import sys
from edgetui.engine.data.open import open_samples
from edgetui.engine.system.own_memory import peak_rss_mb, forget_peak
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.reporter import NullReporter
from edgetui.engine.schema.spec import Dataset
facts = [TensorFacts(name="ids", dtype="int64", shape=(1, 500))]
samples = open_samples(Dataset(kind="npz", path=sys.argv[1]), facts, {"ids": (1, 500)}, "all", 0, NullReporter()).take(2000)
next(samples.take(1).batches(1))
forget_peak()
before = peak_rss_mb()
assert sum(batch.n for batch in samples.batches(64)) == 2000
print(peak_rss_mb() - before)
"""
    grown = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert float(grown) < 40


@pytest.mark.parametrize("seed", range(5))
def test_halves_hold_as_many_of_each_class(saved, seed):
    """Every other sample of the order: of ten classes one half had 147 and the other 353 of a class."""
    count, classes = 1000, 10
    path = saved(ids=np.arange(5 * count, dtype=np.int64).reshape(count, 5), labels=np.arange(count) % classes)
    dataset = Dataset(kind="npz", path=str(path), task="classification")
    samples = open_samples(dataset, (IDS,), SHAPES, "all", seed, NullReporter())
    halves = [np.concatenate([batch.feeds["ids"][:, 0] // 5 for batch in samples.half(n).batches(100)]) for n in (0, 1)]
    assert sorted([*halves[0], *halves[1]]) == list(range(count)), "no sample is in both"
    counts = [np.bincount(half % classes, minlength=classes) for half in halves]
    assert abs(counts[0] - counts[1]).max() <= 1, counts


def test_halves_of_what_has_no_labels_are_as_large(saved):
    samples = opened(saved(ids=np.zeros((11, 5), np.int64)))
    assert [len(samples.half(n)) for n in (0, 1)] == [6, 5]
