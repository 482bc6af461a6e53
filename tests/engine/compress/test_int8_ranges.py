"""Ranges from histograms, against what the values themselves say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from edgetui.engine.compress.ranges import LEVELS, NOISIER, Histogram, entropy, mse, percentile

ZERO = 4096


def histogram(values: np.ndarray, step: float) -> Histogram:
    return Histogram(np.bincount(np.rint(values / step).astype(np.int64) + ZERO), ZERO, step)


@pytest.fixture
def bell() -> np.ndarray:
    return np.random.default_rng(0).standard_normal(200_000)


@pytest.fixture
def relu(bell: np.ndarray) -> np.ndarray:
    return np.maximum(bell, 0)


def test_percentile_takes_both_tails(bell: np.ndarray) -> None:
    low, high = percentile(histogram(bell, 0.002), 99.0)
    assert (low, high) == pytest.approx((np.quantile(bell, 0.005), np.quantile(bell, 0.995)), abs=0.01)


def test_percentile_of_an_output_of_relu_takes_the_upper_tail_only(relu: np.ndarray) -> None:
    low, high = percentile(histogram(relu, 0.002), 99.0)
    assert low == 0
    assert high == pytest.approx(np.quantile(relu, 0.99), abs=0.01)


def test_all_of_the_values_are_the_ends(bell: np.ndarray) -> None:
    assert percentile(histogram(bell, 0.002), 100.0) == pytest.approx((bell.min(), bell.max()), abs=0.002)


@pytest.mark.parametrize(("rule", "most"), [(lambda h: percentile(h, 99.99), 5), (entropy, 35), (mse, 50)])
def test_a_lone_outlier_does_not_set_the_range(rule: object, most: float, bell: np.ndarray) -> None:
    values = np.append(bell, 60.0)
    low, high = rule(histogram(values, 0.03))  # type: ignore[operator]
    assert high < most
    assert low > -most
    assert high > 2.5


@pytest.mark.parametrize("rule", [lambda h: percentile(h, 99.99), entropy, mse])
@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.zeros(100), 0.0, 0.0),
        (np.full(50, 2.0), 0.0, 2.0),
        (np.full(50, -2.0), -2.0, 0.0),
        (np.array([-1.0, 3.0]), -1.0, 3.0),
    ],
)
def test_constants_keep_their_value_and_zero(rule: object, values: np.ndarray, low: float, high: float) -> None:
    assert rule(histogram(values, 0.001)) == pytest.approx((low, high), abs=0.01)  # type: ignore[operator]


def test_nothing_counted_is_an_empty_range() -> None:
    empty = Histogram(np.zeros(5000, np.int64), ZERO, 0.1)
    assert percentile(empty, 99.9) == entropy(empty) == mse(empty) == (0.0, 0.0)


def plain_divergence(counts: np.ndarray, bins: int) -> float:
    """Kullback-Leibler divergence as the talk's pseudo-code has it, a loop for every level."""
    seen = counts[:bins].astype(float)
    merged = np.zeros(bins)
    edges = [bins * level // LEVELS for level in range(LEVELS + 1)]
    for begin, end in pairwise(edges):
        filled = seen[begin:end] > 0
        merged[begin:end][filled] = seen[begin:end].sum() / filled.sum() if filled.any() else 0.0
    if merged[-1] == 0:
        merged[-1] = 1e-9 * seen.sum()
    kept = seen.sum()
    seen[-1] += counts[bins:].sum()
    p, q = seen / seen.sum(), merged / kept
    used = p > 0
    return float((p[used] * np.log(p[used] / q[used])).sum())


def squared_error(values: np.ndarray, low: float, high: float) -> float:
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return float((((np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale - values) ** 2).mean())


def test_entropy_finds_what_a_plain_loop_finds_among_ranges_of_little_noise() -> None:
    draw = np.random.default_rng(3)
    for shape in (0.6, 1.0, 2.0):
        values = np.abs(draw.gamma(shape, 1.0, 20_000))
        step = float(values.max()) / 240
        found = histogram(values, step)
        counts = found.magnitudes().astype(float)
        counts[0] = counts[1]
        tops = {bins: min(bins * step, found.ends()[1]) for bins in range(LEVELS, counts.size + 1)}
        noise = {bins: squared_error(values, 0.0, top) for bins, top in tops.items()}
        loud = 1.02 * NOISIER * min(noise.values())  # rounding is reckoned as step^2 / 12, which is near and no more
        best = min((bins for bins in tops if noise[bins] <= loud), key=lambda bins: plain_divergence(counts, bins))
        assert entropy(found)[1] == pytest.approx(tops[best], rel=0.02)


def silu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-values))


def spiked(values: np.ndarray, spikes: dict[float, float]) -> np.ndarray:
    """With so large a share of the values at each place, as letterbox bars, padding and saturations make them."""
    return np.concatenate([values, *(np.full(int(share * values.size), place) for place, share in spikes.items())])


def one_sided() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(11)
    bell = draw.standard_normal(60_000)
    levels = np.round(draw.beta(4, 2, 60_000) * 255) / 255
    return {
        "silu with bars": spiked(silu(2.5 * bell), {0.3: 0.1, 1.1: 0.1, 2.0: 0.05, -0.27: 0.2}),
        "gelu": 0.5 * bell * 3 * (1 + np.tanh(0.797 * (3 * bell + 0.0447 * 27 * bell**3))),
        "hard swish": (4 * bell) * np.clip(4 * bell + 3, 0, 6) / 6,
        "relu": np.maximum(bell, 0),
        "relu6": np.clip(4 * bell, 0, 6),
        "sigmoid": 1 / (1 + np.exp(-4 * bell)),
        "heavy tails": draw.standard_t(3, 60_000),
        "pixels with bars": spiked(levels, {114 / 255: 0.3}),
        "padded with zeros": spiked(np.abs(bell) + 0.5, {0.0: 2.0}),
        "a saturation": spiked(np.minimum(np.exp(bell), 8.0), {8.0: 0.2}),
        "few": bell[:300],
        "one spike and few others": np.concatenate((np.full(50_000, 0.2), 5 * np.abs(bell[:40]))),
    }


@pytest.mark.parametrize("kind", one_sided())
def test_entropy_is_never_much_noisier_than_the_ends(kind: str) -> None:
    values = one_sided()[kind]
    seen = histogram(values, float(np.abs(values).max()) / 2048)
    unseen = 1e-5 * float((values**2).mean())
    assert squared_error(values, *entropy(seen)) < max(10**0.25 * squared_error(values, *seen.ends()), unseen)


@pytest.mark.parametrize("background", [0.0, 0.02])
def test_a_percentile_of_almost_only_background_reaches_beyond_it(background: float) -> None:
    values = np.full(1_000_000, background)
    values[:40] = np.linspace(0.5, 0.95, 40)
    low, high = percentile(histogram(values, 0.95 / 2048), 99.99)
    assert low == 0
    assert high > 0.4


def test_entropy_cuts_both_sides_at_one_magnitude(bell: np.ndarray) -> None:
    values = np.concatenate((bell, [-40.0, 30.0]))
    low, high = entropy(histogram(values, 0.02))
    assert low == -high


def test_mse_is_near_the_best_of_all_ranges() -> None:
    values = np.maximum(np.random.default_rng(5).laplace(size=50_000), 0)
    found = mse(histogram(values, float(values.max()) / 2048))[1]

    def error(high: float) -> float:
        scale = high / 255
        return float(((np.clip(np.rint(values / scale), 0, 255) * scale - values) ** 2).mean())

    best = min(error(high) for high in np.linspace(values.max() / 50, values.max(), 400))
    assert error(found) <= 1.02 * best
    assert error(found) < error(float(values.max()))


def test_mse_weighs_each_side_for_itself(bell: np.ndarray) -> None:
    values = np.concatenate((np.minimum(bell, 0) * 0.1, np.maximum(bell, 0), [-12.0]))[::10]
    values[-1] = -12.0
    low, high = mse(histogram(values, 0.005))

    def error(low: float, high: float) -> float:
        scale = (high - low) / 255
        zero = np.rint(-low / scale)
        return float((((np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale - values) ** 2).mean())

    tried = [(down, up) for down in np.linspace(-12, -0.2, 40) for up in np.linspace(1.0, values.max(), 20)]
    best = min(error(down, up) for down, up in tried)
    assert error(low, high) <= 1.05 * best


def test_many_bins_become_few_without_moving_the_range(relu: np.ndarray) -> None:
    fine, coarse = histogram(relu, 0.0001), histogram(relu, 0.002)
    assert entropy(fine)[1] == pytest.approx(entropy(coarse)[1], rel=0.1)
    assert mse(fine)[1] == pytest.approx(mse(coarse)[1], rel=0.05)
