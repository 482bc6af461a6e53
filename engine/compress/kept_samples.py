"""Samples that a step goes through more than once: kept in files while it works, for a stream is read once.

Apart from `repair.py` because whoever looks at layers one after another needs the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ..errors import DataRefused, ModelRefused
from ..graph.load import load
from .calibrate import BATCH, stacked, unmixed
from .observe import Feeds, Inner, batchable

FEW = 32
"""Below this many samples what is chosen by them is a guess; the result says so."""
_VALUES = 400_000
"""Of inputs that are computed at once, at most: two photographs of 224 x 224, whose activations take some 40 MB."""
_MOST_BYTES = 160_000_000
"""Of the files, where more than `_LEAST` samples are asked for: 265 photographs of 224 x 224."""
_LEAST = 256


@contextmanager
def kept_samples(original: Path, samples: Iterable[Feeds], most: int, near: Path) -> Iterator[KeptSamples]:
    """At most `most` of the samples for the model `original`, in a folder in `near` that goes again; fewer, 256 at least, where
    they take much room.

    Raises:
        DataRefused: there are none.
    """
    with TemporaryDirectory(dir=near) as folder:
        yield KeptSamples(Path(folder), original, _with_room(samples, most))


def _with_room(samples: Iterable[Feeds], most: int) -> Iterator[Feeds]:
    size = 0
    for number, feeds in enumerate(islice(samples, most)):
        size += sum(array.nbytes for array in feeds.values())
        if number >= _LEAST and size > _MOST_BYTES:
            return
        yield feeds


class KeptSamples:
    """The samples in files, gone through as often as there are layers; several at once where the model gives for them what it
    gives for each.
    """

    def __init__(self, folder: Path, original: Path, samples: Iterable[Feeds]) -> None:
        stream = iter(samples)
        head = list(islice(stream, 2))
        if not head:
            raise DataRefused(
                "there are no calibration samples", fix="give a dataset with at least one, better with 100 or more"
            )
        self.batched = len(head) == 2 and _batches(original, head)
        self.folder = folder
        """For other files that go with the samples."""
        self._files: list[Path] = []
        self.count = 0
        values = sum(array.size for array in head[0].values())
        size = max(1, min(BATCH, _VALUES // max(values, 1))) if self.batched else 1
        for number, feeds in enumerate(stacked(chain(head, stream), size)):
            path = folder / f"{number}.npz"
            np.savez(path, **feeds)  # type: ignore[arg-type]
            self._files.append(path)
            self.count += next((len(array) for array in feeds.values() if array.ndim), 1)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Feeds]:
        for path in self._files:
            with np.load(path, allow_pickle=False) as held:
                yield dict(held)


def _batches(original: Path, head: list[Feeds]) -> bool:
    """Whether two samples at once give what each gives alone."""
    if batchable(original) is None or not all(array.ndim and len(array) == 1 for feeds in head for array in feeds.values()):
        return False
    model = load(original)
    last = [model.graph.output[0].name]
    try:
        session = Inner(model, last, batched=True)
        return unmixed([session.run(feeds) for feeds in head], session.run(next(iter(stacked(head, 2)))))
    except (DataRefused, ModelRefused):
        return False
