"""Streaming calibration: forward passes over samples, and what each tensor's values look like, in memory that does not grow.

Apart from the step because it is the same for whoever needs ranges. The session reduces every tensor itself: to its two ends
for minmax, else to 16-bit codes, which are then counted, while the next batch is being read. The first batch fixes the step
of the codes, with room for values 30 times as large; a tensor that goes beyond gets a coarser step, and its batch is computed
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused, ModelRefused
from ..system.reporter import Reporter
from .observe import HIGHEST, ZERO, Array, Codes, Ends, Feeds, ModelOnDisk, Values, batchable
from .ranges import BINS, Histogram, Range

BATCH = 8
"""Samples computed at once, at most: twice as many are no faster on two cores, and cost memory."""
_VALUES = 5_000_000
"""Observed values in a batch, at most: 10 MB of codes. A larger model gets fewer samples at once."""

_HANDED_OVER, _HANDED_OVER_BYTES = 32, 1 << 18
"""Batches, and bytes of them, that are handed from the thread that reads to the one that computes."""

_LEAST = 1e-20
"""A tensor that is 0 all through the first batch starts with steps this fine, and is widened by its first other value."""

Choose = Callable[[Histogram], Range]
"""From a histogram to a range: `ranges.percentile` and its like."""


def calibrate(
    path: Path, tensors: Sequence[str], samples: Iterable[Feeds], limit: int, choose: Choose | None, say: Reporter
) -> tuple[dict[str, Range], int]:
    """Ranges of float `tensors` of the model at `path` over at most `limit` samples, and how many samples there were.

    `samples` are feeds, input name to array; those of one sample each (first axis 1) are computed several at once where the
    model allows. `choose` None keeps the least and largest value.

    Raises:
        DataRefused: there are no samples, one does not fit the model, or one holds NaN or infinity.
        ModelRefused: ONNX Runtime cannot run the model, or a tensor became NaN or infinite on the way.
    """
    stream = islice(iter(samples), limit)
    head = list(islice(stream, 2))
    if not head:
        raise DataRefused("there are no calibration samples", fix="give a dataset with at least one, better with 100 or more")
    watch, size = _batching(path, tensors, head, say)
    tensors = watch.tensors
    count = 0

    def batches() -> Iterator[Feeds]:
        nonlocal count
        for batch in stacked(chain(head, stream), size):
            _check(batch, count)
            yield batch
            count += _length(batch)
            say.progress(count, limit, "calibration samples")

    if choose is None:
        ends = _ends(watch, batches())
        return dict(zip(tensors, ends, strict=True)), count
    histograms = _histograms(watch, batches())
    return {name: choose(histogram) for name, histogram in zip(tensors, histograms, strict=True)}, count


@dataclass
class _Watch:
    """What is observed, and in which form of the model."""

    source: ModelOnDisk
    tensors: Sequence[str]
    forgiven: bool = False
    """The model's outputs hold infinities by design (a mask, a logarithm): no observed tensor does."""

    def look(self, feeds: Feeds, outputs: Sequence[Array]) -> None:
        """Find the tensor at fault where an output is not finite.

        Raises:
            ModelRefused: an observed tensor is not finite.
        """
        if self.forgiven or all(_is_finite(array) for array in outputs):
            return
        self.blame(feeds)
        self.forgiven = True

    def blame(self, feeds: Feeds) -> None:
        """Raise for the first observed tensor that is not finite on these feeds, if one is.

        Raises:
            ModelRefused: one is.
        """
        for name, array in zip(self.tensors, Values(self.source, self.tensors).run(feeds), strict=True):
            if not _is_finite(array):
                what = "NaN" if np.isnan(array).any() else "infinite"
                raise ModelRefused(
                    f"tensor {name} becomes {what} on the calibration samples",
                    fix="check the dataset's scale, mean and std, and run the model without compression first",
                )


def _batching(path: Path, tensors: Sequence[str], head: list[Feeds], say: Reporter) -> tuple[_Watch, int]:
    """The model to run and the samples a batch: several only where two at once give what each gives alone."""
    free = batchable(path)
    if free is not None and len(head) == 2 and _shape(head[0]) == _shape(head[1]) and _single(head[0]):
        ends = Ends(free, tensors)
        try:
            seen = [ends.run(feeds) for feeds in head]
            _, sizes, both = ends.run(_joined(head))
        except DataRefused:
            say.note("the model computes one sample at a time: its first axis is fixed inside")
        else:
            if unmixed([outputs for _, _, outputs in seen], both):
                kept = _unmasked(tensors, seen[0][0], seen[0][2], say)
                return _Watch(free, kept), max(1, min(BATCH, 2 * _VALUES // max(int(sizes.sum()), 1)))
        del ends  # or two sessions would hold the weights
    source = ModelOnDisk(path)
    found, _, outputs = Ends(source, tensors).run(head[0])
    return _Watch(source, _unmasked(tensors, found, outputs, say)), 1


def _unmasked(tensors: Sequence[str], ends: NDArray[np.float64], outputs: Sequence[Array], say: Reporter) -> list[str]:
    """The tensors that can have a range. One that holds infinity while the outputs are finite is a mask, or what a mask was
    added to: it stays in floating point.
    """
    if not all(_is_finite(array) for array in outputs):
        return list(tensors)
    masked = [name for name, pair in zip(tensors, ends, strict=True) if np.isinf(pair).any() and not np.isnan(pair).any()]
    if masked:
        others = f" and {len(masked) - 1} more" if len(masked) > 1 else ""
        say.note(f"tensor {masked[0]}{others} holds infinities on purpose (a mask) and stays in floating point")
    return [name for name in tensors if name not in masked]


def unmixed(alone: list[list[Array]], both: list[Array]) -> bool:
    """True when the outputs of a batch are those of its samples, as far as there are outputs that can be compared."""
    if not both:
        return False
    for first, second, joined in zip(*alone, both, strict=True):
        if not first.ndim or joined.shape[0] != first.shape[0] + second.shape[0]:
            return False
        expected = np.concatenate((first, second))
        largest = float(np.abs(expected, where=np.isfinite(expected), out=np.zeros(expected.shape)).max(initial=1e-6))
        if not np.allclose(expected, joined, rtol=1e-2, atol=1e-3 * largest, equal_nan=True):
            return False
    return True


def _ends(watch: _Watch, batches: Iterator[Feeds]) -> list[Range]:
    """Least and largest value of each tensor."""
    session = Ends(watch.source, watch.tensors)
    low = np.full(len(watch.tensors), np.inf)
    high = np.full(len(watch.tensors), -np.inf)

    def observe(feeds: Feeds) -> None:
        ends, _, outputs = session.run(feeds)
        watch.look(feeds, outputs)
        if not np.isfinite(ends).all():
            watch.blame(feeds)
        np.minimum(low, ends[:, 0], out=low)
        np.maximum(high, ends[:, 1], out=high)

    _while_reading(batches, observe)
    return [(float(least), float(most)) for least, most in zip(low, high, strict=True)]


def _histograms(watch: _Watch, batches: Iterator[Feeds]) -> list[Histogram]:
    """A histogram of each tensor."""
    first = next(batches)
    # Sessions of a kind are made when needed and dropped: two beside each other would hold the weights twice.
    tally = _Tally(Ends(watch.source, watch.tensors).run(first)[0])
    codes = Codes(watch.source, watch.tensors)

    def counted(feeds: Feeds) -> bool:
        found, outputs = codes.run(feeds, tally.steps)
        watch.look(feeds, outputs)
        return tally.add(found)

    def observe(feeds: Feeds) -> None:
        if counted(feeds):
            return
        tally.widen(Ends(watch.source, watch.tensors).run(feeds)[0])
        if not counted(feeds):
            watch.blame(feeds)
            raise ModelRefused("a tensor's values cannot be counted", fix="use the minmax calibrator")

    _while_reading(chain([first], batches), observe)
    return tally.histograms()


def _while_reading(batches: Iterator[Feeds], observe: Callable[[Feeds], None]) -> None:
    """Observe each batch in a thread while the next is being read; one batch's outputs are in memory at a time. Small ones are
    handed over several at a time: two threads that take turns at every sample spend more on that than on the work.
    """

    def observe_all(group: list[Feeds]) -> None:
        for feeds in group:
            observe(feeds)

    with ThreadPoolExecutor(1) as pool:
        running: Future[None] | None = None
        for group in _groups(batches):
            if running is not None:
                running.result()
            running = pool.submit(observe_all, group)
        if running is not None:
            running.result()


def _groups(batches: Iterator[Feeds]) -> Iterator[list[Feeds]]:
    group: list[Feeds] = []
    size = 0
    for feeds in batches:
        group.append(feeds)
        size += sum(array.nbytes for array in feeds.values())
        if len(group) == _HANDED_OVER or size >= _HANDED_OVER_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


class _Tally:
    """Counts of codes for each tensor, and the step of each tensor's codes."""

    def __init__(self, ends: NDArray[np.float64]) -> None:
        largest = np.maximum(np.abs(ends).max(axis=1), _LEAST)
        self.steps: NDArray[np.float32] = np.where(np.isfinite(largest), largest / BINS, 1.0).astype(np.float32)
        self._counts = [np.zeros(ZERO + BINS + 1, np.int64) for _ in largest]

    def add(self, codes: Sequence[NDArray[np.uint16]]) -> bool:
        """Count a batch; False, and nothing is counted, when a value lies outside what codes can say."""
        if any(array.size and (array.max() >= HIGHEST or array.min() == 0) for array in codes):
            return False
        for index, array in enumerate(codes):
            counts = np.bincount(array)
            if counts.size > self._counts[index].size:
                counts[: self._counts[index].size] += self._counts[index]
                self._counts[index] = counts
            else:
                self._counts[index][: counts.size] += counts
        return True

    def widen(self, ends: NDArray[np.float64]) -> None:
        """Make steps coarser, by powers of two, where `ends` lie outside."""
        steps = self.steps.copy()
        for index, (low, high) in enumerate(ends):
            needed = max(-low / (ZERO - 2), high / (HIGHEST - ZERO - 2))
            if not np.isfinite(needed) or needed <= steps[index]:
                continue
            doublings = int(np.ceil(np.log2(needed / steps[index])))
            steps[index] *= 2.0**doublings
            self._counts[index] = _coarser(self._counts[index], doublings)
        self.steps = steps

    def histograms(self) -> list[Histogram]:
        """What was counted."""
        return [Histogram(counts, ZERO, float(step)) for counts, step in zip(self._counts, self.steps, strict=True)]


def _coarser(counts: NDArray[np.int64], doublings: int) -> NDArray[np.int64]:
    """The same counts in bins 2**doublings as wide, zero still in the middle of its own."""
    used = np.flatnonzero(counts)
    codes = np.rint((used - ZERO) / 2.0**doublings).astype(np.int64) + ZERO
    coarse = np.zeros_like(counts)
    np.add.at(coarse, codes, counts[used])
    return coarse


def stacked(samples: Iterable[Feeds], size: int) -> Iterator[Feeds]:
    """Up to `size` samples of one shape as one."""
    group: list[Feeds] = []
    for feeds in samples:
        if group and (len(group) == size or _shape(feeds) != _shape(group[0])):
            yield _joined(group)
            group = []
        group.append(feeds)
    if group:
        yield _joined(group)


def _joined(group: list[Feeds]) -> Feeds:
    return group[0] if len(group) == 1 else {name: np.concatenate([feeds[name] for feeds in group]) for name in group[0]}


def _shape(feeds: Feeds) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in feeds.items()}


def _length(feeds: Feeds) -> int:
    """Samples in a batch: the first axis, where all inputs have the same; else the feeds are one sample."""
    lengths = {array.shape[0] if array.ndim else 1 for array in feeds.values()}
    return lengths.pop() if len(lengths) == 1 else 1


def _single(feeds: Feeds) -> bool:
    return all(array.ndim and array.shape[0] == 1 for array in feeds.values())


def _is_finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _check(feeds: Feeds, count: int) -> None:
    for name, array in feeds.items():
        if not _is_finite(array):
            raise DataRefused(
                f"calibration sample {count + 1} or one soon after it holds NaN or infinity in input {name}",
                fix="mend or remove it; a standard deviation of 0 in the dataset's settings does this too",
            )
