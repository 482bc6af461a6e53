"""Samples that plans are timed on in turn: each as often as any other, in orders of their own."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from edgetui.engine.measure.issuer import Mixture


def test_each_sample_comes_as_often_as_any_other():
    mixture = Mixture([{}] * 7, seed=0)
    numbers = mixture.numbers()
    cycles = [list(islice(numbers, 7)) for _ in range(20)]
    assert all(sorted(cycle) == list(range(7)) for cycle in cycles)
    assert len({tuple(cycle) for cycle in cycles}) > 10


def test_a_session_that_is_loaded_anew_does_not_begin_with_the_same_samples():
    """Else blocks that are shorter than a cycle would see the first samples alone."""
    mixture = Mixture([{}] * 50, seed=0)
    first = Counter(next(mixture.numbers()) for _ in range(400))
    assert len(first) > 30


def test_the_same_seed_draws_the_same_orders():
    one, other = (list(islice(Mixture([{}] * 9, seed=3).numbers(), 40)) for _ in range(2))
    assert one == other
