"""Pairs of rows and columns with the greatest sum of scores.

Apart from `part_affinity.py`, which joins keypoints with it, because it is a textbook's algorithm: shortest augmenting paths
with potentials (Kuhn 1955; Jonker and Volgenant 1987, Computing 38:325).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def best_pairs(scores: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Of `scores` (rows, columns), finite, one column for each row, or one row for each column where these are fewer."""
    if scores.shape[0] > scores.shape[1]:
        return [(row, column) for column, row in best_pairs(scores.T)]
    rows, columns = scores.shape
    cost = -scores
    high = np.zeros(rows + 1)
    low = np.zeros(columns + 1)
    owner = np.zeros(columns + 1, np.intp)  # row of each column, from 1; 0: free
    for row in range(1, rows + 1):
        owner[0], column = row, 0
        least, before = np.full(columns + 1, np.inf), np.zeros(columns + 1, np.intp)
        used = np.zeros(columns + 1, np.bool_)
        while owner[column]:
            used[column] = True
            left = cost[owner[column] - 1] - high[owner[column]] - low[1:]
            better = ~used[1:] & (left < least[1:])
            least[1:][better], before[1:][better] = left[better], column
            following = int(np.where(used, np.inf, least)[1:].argmin()) + 1
            step = least[following]
            high[owner[used]] += step
            low[used] -= step
            least[~used] -= step
            column = following
        while column:
            owner[column] = owner[before[column]]
            column = int(before[column])
    return sorted((int(owner[column]) - 1, column - 1) for column in range(1, columns + 1) if owner[column])
