"""Least squares of a layer's weights from sums over samples: memory does not grow with the number of rows.

Apart from `repair.py` because it is arithmetic alone: rows and targets go in, weights come out.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ..system.cpu import logical_cores

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Wide = NDArray[np.float64 | np.float32]

RIDGE = 3e-2
"""Weight of staying where one is, as a share of the mean square of a column: what samples do not decide does not move."""
_ROUNDS = 200
"""Of conjugate gradients, at most; a layer of 576 inputs takes 60 until `_CLOSE`."""
_SMALL = 1024
"""Inputs of a layer up to which numpy solves sums, in doubles and copies of them: of 3456 inputs they would take 240 MB."""
_WAITING_BYTES = 12_000_000
"""Of rows that wait for being taken into the sums together."""
_BLOCK = 512
"""Rows of the sums that are worked on at once: of 3456 inputs a product beside the sums would take 48 MB."""
_ROWS_EACH = 256
"""Rows of weights, at most, that conjugate gradients go through together."""
_CLOSE = 1e-4
"""Of the first residual; smaller ones move no weight that matters."""


class NormalEquations:
    """Of rows x and targets y, for each group of a convolution: x transposed times x, and x transposed times y."""

    def __init__(self, groups: int, inputs: int, outputs: int) -> None:
        self.squares = np.zeros((groups, inputs, inputs), np.float32)
        self.products = np.zeros((groups, inputs, outputs), np.float32)
        self._waiting: list[tuple[Floats, Floats]] = []
        self._rows = 0
        self._complete = False

    def begin_again(self) -> None:
        """Keep the sums of the rows, which are to be added once more with other targets; `solved` must have kept them."""
        self._complete = True
        self.products[:] = 0

    def add(self, rows: Floats, targets: Floats) -> None:
        """`rows` of shape (groups, n, inputs), `targets` of shape (groups, n, outputs)."""
        self._waiting.append((rows, targets))
        self._rows += rows.shape[1]
        # Fewer rows at once go through all of the sums for little.
        if self._rows >= self.squares.shape[1] or self._rows * rows.shape[2] * rows.itemsize * len(rows) >= _WAITING_BYTES:
            self.settle()

    def settle(self) -> None:
        """Take what was added into the sums."""
        if not self._waiting:
            return
        rows, targets = (np.concatenate(parts, axis=1) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._rows = [], 0
        turned = rows.transpose(0, 2, 1)
        with np.errstate(invalid="ignore", over="ignore"):  # the caller looks for what is not finite, once
            # The half above the diagonal; `solved` knows the other.
            for begin in range(0, 0 if self._complete else self.squares.shape[1], _BLOCK):
                self.squares[:, begin : begin + _BLOCK, begin:] += turned[:, begin : begin + _BLOCK] @ rows[:, :, begin:]
            self.products += turned @ targets

    def solved(self, weights: Floats, kept: Mask | None, *, last: bool = True) -> Floats:
        """The weights, shape (groups, outputs, inputs), with the least squared error; near `weights` where rows decide nothing.

        kept: where a weight may be other than it is; None: everywhere. last: large sums may be solved in place, and are lost.
        """
        self.settle()
        size = self.squares.shape[1]
        for begin in range(_BLOCK, size, _BLOCK):
            rows, columns = slice(begin, begin + _BLOCK), slice(begin)
            self.squares[:, rows, columns] = self.squares[:, columns, rows].transpose(0, 2, 1)
        squares: Wide = self.squares
        if size <= _SMALL or not last:
            squares = squares.astype(np.float64 if size <= _SMALL else np.float32)
        ridge = RIDGE * np.trace(self.squares, axis1=1, axis2=2, dtype=np.float64) / size + 1e-12
        start = weights.astype(squares.dtype)
        # The residual without the ridge's pull: that is zero where the weights start.
        wanted = self.products.transpose(0, 2, 1) - start @ self.squares
        diagonal = np.einsum("gii->gi", squares)
        diagonal += ridge[:, None].astype(squares.dtype)
        if kept is not None:
            step: Wide = _masked(squares, wanted, kept)
        elif size <= _SMALL:
            step = np.linalg.solve(squares, wanted.transpose(0, 2, 1)).transpose(0, 2, 1)
        else:
            step = np.stack([_solve(one, rows) for one, rows in zip(squares, wanted.astype(np.float32), strict=True)])
        found: Floats = (start + step).astype(np.float32)
        return found


def _solve(squares: Floats, wanted: Floats) -> Floats:
    """Rows that times `squares` are `wanted`, shape (n, size), in place of both: Cholesky's factor, block by block (Golub and
    Van Loan, Matrix Computations, 4.2.9), in floats. The ridge keeps the condition number below size / RIDGE.
    """
    blocks = [slice(begin, begin + _BLOCK) for begin in range(0, len(squares), _BLOCK)]
    inverses = []  # of the factor's blocks on the diagonal
    for block in blocks:
        factor = np.linalg.cholesky(squares[block, block].astype(np.float64))
        inverses.append(np.linalg.inv(factor).astype(np.float32))
        below = slice(block.stop, None)
        squares[below, block] = squares[below, block] @ inverses[-1].T
        for column in range(block.stop, len(squares), _BLOCK):
            rows = slice(column, column + _BLOCK)
            squares[column:, rows] -= squares[column:, block] @ squares[rows, block].T
        wanted[:, block] = wanted[:, block] @ inverses[-1].T
        wanted[:, below] -= wanted[:, block] @ squares[below, block].T
    for block, inverse in zip(reversed(blocks), reversed(inverses), strict=True):
        wanted[:, block] -= wanted[:, block.stop :] @ squares[block.stop :, block]
        wanted[:, block] = wanted[:, block] @ inverse
    return wanted


def _masked(squares: Wide, wanted: Wide, kept: Mask) -> Wide:
    """`_conjugate_gradients` of some rows on each core: none knows of the others, and each takes five times its room."""
    rows = wanted.shape[1]
    size = min(_ROWS_EACH, -(-rows // logical_cores()))
    parts = [slice(begin, begin + size) for begin in range(0, rows, size)]
    with ThreadPoolExecutor(logical_cores()) as pool:
        found = pool.map(lambda part: _conjugate_gradients(squares, wanted[:, part], kept[:, part]), parts)
        return np.concatenate(list(found), axis=1)


def _conjugate_gradients(squares: Wide, wanted: Wide, kept: Mask) -> Wide:
    """What times `squares` is as near `wanted` as the entries `kept` allow, the others 0: each output row has its own mask.

    Conjugate gradients with the diagonal as preconditioner (Hestenes and Stiefel 1952), all rows at once: a factorization for
    each row would take inputs / 3 times as long. Arrays are written over: each new one would be memory that the kernel clears
    (`heap.give_back_large_blocks`), half of the time.
    """
    diagonal = np.einsum("gii->gi", squares)[:, None, :]
    gone = ~kept
    found = np.zeros_like(wanted)
    residual = np.where(kept, wanted, 0.0)
    ready = residual / diagonal
    direction, before = ready.copy(), np.sum(residual * ready, axis=2, keepdims=True)
    first = float(before.max(initial=0.0))
    through, spare = np.empty_like(wanted), np.empty_like(wanted)
    for _ in range(_ROUNDS):
        if float(before.max(initial=0.0)) <= _CLOSE**2 * first:
            break
        np.matmul(direction, squares, out=through)
        np.copyto(through, 0, where=gone)
        bend = np.multiply(direction, through, out=spare).sum(axis=2, keepdims=True)
        length = np.divide(before, bend, out=np.zeros_like(before), where=bend > 0)
        found += np.multiply(length, direction, out=spare)
        residual -= np.multiply(length, through, out=spare)
        np.divide(residual, diagonal, out=ready)
        now = np.multiply(residual, ready, out=spare).sum(axis=2, keepdims=True)
        direction *= np.divide(now, before, out=np.zeros_like(now), where=before > 0)
        direction += ready
        before = now
    return found
