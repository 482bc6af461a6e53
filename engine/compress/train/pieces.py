"""Pieces of a batch go through the model side by side, each on a thread of its own; inside an operator there is one thread.

Apart from the loop because it knows processors alone. Threads inside operators wait for each other after every operator: of
a ResNet-20 of half the width, in batches of 32 beside other work, two took 4.0 ms of processor time an image, one took 1.4.
What comes back is in the order of the pieces, whose size does not follow from the number of threads: neither do the weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

MOST = 4
"""Pieces of one batch."""
_LEAST = 4
"""Samples in a piece of a batch."""
Piece = TypeVar("Piece")
Made = TypeVar("Made")


class Through(Protocol):
    """Gives what `make` makes of each piece, in their order."""

    def __call__(self, make: Callable[[Piece], Made], pieces: Iterable[Piece], /) -> Iterator[Made]: ...  # noqa: D102


def piece_of(batch: int) -> int:
    """Samples in each piece of a batch, all alike: of 32 they are 8."""
    return min(
        batch // count for count in range(1, MOST + 1) if batch % count == 0 and (count == 1 or batch // count >= _LEAST)
    )


def one_by_one(make: Callable[[Piece], Made], pieces: Iterable[Piece], /) -> Iterator[Made]:
    """Each when the one before is done."""
    return map(make, pieces)


@contextmanager
def side_by_side(threads: int) -> Iterator[Through]:
    """A function that gives what another makes of each piece, in their order, `threads` of them at once.

    PyTorch's own threads are one until it ends; with `threads` 1 all stays as it is.
    """
    if threads <= 1:
        yield one_by_one
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:

            def through(make: Callable[[Piece], Made], pieces: Iterable[Piece], /) -> Iterator[Made]:
                begun: deque[Future[Made]] = deque()
                for piece in pieces:
                    begun.append(pool.submit(make, piece))
                    if len(begun) > threads:  # no more are in memory at once
                        yield begun.popleft().result()
                for last in begun:
                    yield last.result()

            yield through
    finally:
        torch.set_num_threads(before)
