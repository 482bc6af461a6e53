"""Every beginning of the order holds the classes as evenly as they allow."""

from __future__ import annotations

import numpy as np
from edgetui.engine.data.samples import balanced_order
from hypothesis import given
from hypothesis import strategies as st

LABELS = st.lists(st.integers(0, 5), min_size=1, max_size=80)


@given(LABELS, st.integers(0, 2**32 - 1))
def test_it_is_an_order_of_all_samples_and_the_seed_decides_it(labels, seed):
    array = np.array(labels, np.int64)
    order = balanced_order(array, len(array), seed)
    assert sorted(order.tolist()) == list(range(len(labels)))
    assert (balanced_order(array, len(array), seed) == order).all()


@given(LABELS, st.integers(0, 1000), st.integers(1, 80))
def test_no_class_is_ahead_of_another_that_has_samples_left(labels, seed, n):
    array = np.array(labels, np.int64)
    taken = np.bincount(array[balanced_order(array, len(array), seed)[:n]], minlength=6)
    left = np.bincount(array, minlength=6) - taken
    assert all(taken[k] >= taken.max() - 1 for k in range(6) if left[k] > 0)


def test_without_labels_it_is_a_plain_shuffle():
    order = balanced_order(None, 50, 1)
    assert sorted(order.tolist()) == list(range(50))
    assert order.tolist() != list(range(50))
