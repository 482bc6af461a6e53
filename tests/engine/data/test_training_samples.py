"""Samples for training: each once in an order of its own, memory bounded, and refused where they would teach nonsense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data import samples as module
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.data.training import refuse_untrainable, training_labels
from edgetui.engine.errors import DataRefused
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from PIL import Image

INPUTS = (TensorFacts(name="x", dtype="float", shape=(1, 3)),)


def numbered(folder: Path, count: int, *, compressed: bool) -> Samples:
    """Sample k is (k, k, k) and of class k % 5."""
    values = np.arange(count, dtype=np.float32)
    save = np.savez_compressed if compressed else np.savez
    save(folder / "d.npz", x=np.repeat(values[:, None], 3, axis=1), labels=np.arange(count) % 5)
    data = Dataset(kind="npz", path=str(folder / "d.npz"))
    return open_samples(data, INPUTS, {"x": (1, 3)}, "all", 0, NullReporter())


def order(samples: Samples, size: int, seed: int) -> list[int]:
    found: list[int] = []
    for batch in samples.shuffled(size, np.random.default_rng(seed)):
        numbers = batch.feeds["x"][:, 0].astype(int)
        assert batch.labels is not None
        assert (batch.labels == numbers % 5).all()
        assert batch.n == len(numbers) <= size
        found += numbers.tolist()
    return found


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("held", [12, 12 * 7, 12 * 1000])
def test_every_sample_comes_once_in_an_order_that_the_seed_draws(tmp_path, monkeypatch, compressed, held):
    monkeypatch.setattr(module, "_HELD_BYTES", held)
    samples = numbered(tmp_path, 50, compressed=compressed)
    first = order(samples, 8, 1)
    assert sorted(first) == list(range(50))
    assert first != sorted(first)
    assert order(samples, 8, 1) == first
    assert order(samples, 8, 2) != first


def test_all_batches_but_the_last_are_full(tmp_path):
    sizes = [batch.n for batch in numbered(tmp_path, 50, compressed=False).shuffled(16, np.random.default_rng(0))]
    assert sizes == [16, 16, 16, 2]


def test_only_samples_that_were_taken_come(tmp_path):
    samples = numbered(tmp_path, 50, compressed=False).take(20)
    assert len(samples.known_labels()) == 20
    assert len(order(samples, 8, 0)) == 20


def pictures(folder: Path, classes: dict[str, int]) -> Path:
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / name / f"{number}.png")
    return folder


def seen(folder: Path, task: str = "classification") -> Samples:
    data = Dataset(kind="image-folder", path=str(folder), task=task)  # type: ignore[arg-type]
    inputs = (TensorFacts(name="x", dtype="float", shape=(1, 3, 4, 4)),)
    return open_samples(data, inputs, {"x": (1, 3, 4, 4)}, "calibration", 0, NullReporter())


def test_broken_images_are_left_out_and_counted(tmp_path):
    folder = pictures(tmp_path / "d", {"cat": 20, "dog": 20})
    for number in range(5):
        (folder / "cat" / f"{number}.png").write_bytes(b"no image")
    samples = seen(folder)
    sizes = [batch.n for batch in samples.shuffled(4, np.random.default_rng(0))]
    assert sum(sizes) == len(samples) - len(samples.skipped)
    assert samples.skipped


def test_nothing_but_broken_images_is_refused(tmp_path):
    folder = pictures(tmp_path / "d", {"cat": 3, "dog": 3})
    for file in folder.glob("*/*.png"):
        file.write_bytes(b"no image")
    with pytest.raises(DataRefused, match="can be read"):
        list(seen(folder).shuffled(4, np.random.default_rng(0)))


def test_labels_are_asked_for_before_any_work(tmp_path):
    folder = pictures(tmp_path / "d", {"cat": 4, "dog": 4})
    assert set(training_labels(seen(folder))) == {0, 1}
    with pytest.raises(DataRefused, match="has no labels"):
        refuse_untrainable(seen(folder, "none"), None)
    with pytest.raises(DataRefused, match="of one class"):
        refuse_untrainable(seen(pictures(tmp_path / "one", {"cat": 4})), None)


def test_class_folders_other_than_those_of_evaluation_are_refused(tmp_path):
    ours, theirs = pictures(tmp_path / "a", {"cat": 3, "dog": 3}), pictures(tmp_path / "b", {"cow": 3, "dog": 3})
    refuse_untrainable(seen(ours), seen(ours))
    with pytest.raises(DataRefused, match=r"other classes \(cat, cow\)"):
        refuse_untrainable(seen(ours), seen(theirs))
