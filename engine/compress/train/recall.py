"""A teacher's answers, remembered for samples that come again: it is asked once for each.

Samples are known by their bytes, so that nobody has to number them. Pieces of a batch are filled up to one size before the
teacher sees them: what it answers then does not follow from who else is in the piece, and a training that was killed, which
has to ask again, ends with the weights of one that was not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .device import Feeds

if TYPE_CHECKING:
    from torch import Tensor

_MOST_BYTES = 64 * 1024 * 1024
"""Of answers; beyond them the teacher is asked each time."""
_ENTRY_BYTES = 300
"""That Python takes for one answer beside its numbers."""
Teaching = Callable[[Feeds], Sequence["Tensor"]]
"""Answers for the samples of a piece, axis 0 first."""


class Remembered:
    """A teacher that is asked once for each sample. Several threads may ask at once."""

    def __init__(self, teach: Teaching, size: int, device: str, most_bytes: int = _MOST_BYTES) -> None:
        """`size`: samples in a piece; the teacher sees that many each time. `device`: where answers are wanted."""
        self._teach, self._size, self._device, self._left = teach, size, device, most_bytes
        self._known: dict[bytes, tuple[NDArray[np.generic], ...]] = {}

    def __call__(self, feeds: Feeds) -> Sequence[Tensor]:
        """The answers: its own, or those remembered where all are."""
        import torch

        keys = samples_known_by(feeds)
        known = [self._known.get(key) for key in keys]
        there = [answers for answers in known if answers is not None]
        if len(there) == len(keys):
            return [torch.from_numpy(np.stack(rows)).to(self._device) for rows in zip(*there, strict=True)]
        count = len(keys)
        found = [answer[:count] for answer in self._teach({name: filled(array, self._size) for name, array in feeds.items()})]
        self._keep(keys, [answer.cpu().numpy() for answer in found])
        return found

    def _keep(self, keys: Sequence[bytes], answers: Sequence[NDArray[np.generic]]) -> None:
        for place, key in enumerate(keys):
            rows = tuple(answer[place].copy() for answer in answers)
            cost = _ENTRY_BYTES + sum(row.nbytes for row in rows)
            if cost <= self._left and key not in self._known:
                self._known[key] = rows
                self._left -= cost


def samples_known_by(feeds: Feeds) -> list[bytes]:
    """For each sample 16 bytes that follow from all that is fed of it."""
    arrays = [np.ascontiguousarray(array) for _, array in sorted(feeds.items())]
    found = []
    for rows in zip(*arrays, strict=True):
        digest = hashlib.blake2b(digest_size=16)
        for row in rows:
            digest.update(np.ascontiguousarray(row).data)
        found.append(digest.digest())
    return found


def filled(array: NDArray[np.generic], size: int) -> NDArray[np.generic]:
    """The array with its last sample repeated until there are `size`."""
    missing = size - len(array)
    return array if missing <= 0 else np.concatenate([array, np.repeat(array[-1:], missing, axis=0)])
