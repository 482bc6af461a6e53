"""The search for shares against networks whose truth is known: planted groups are spared, equal ones win nothing."""

from __future__ import annotations

import itertools
import zlib

import numpy as np
import pytest
from edgetui.engine.advice.goals import parse_goal
from edgetui.engine.measure.statistics import paired_difference
from edgetui.engine.schema.channel_table import (
    ChannelGroup,
    ChannelProduct,
    ChannelTable,
    EvenShares,
    GroupMoves,
    Shares,
    rising,
)
from edgetui.engine.search.asked import Bounds, Checked, CostFigures
from edgetui.engine.search.settings_asked import Knob, Settings, SettingsAnswer
from edgetui.engine.search.share_hopes import ShareHopes, shares_of

pytest.importorskip("optuna", reason="needs optuna")

from edgetui.engine.search.find_settings import find_settings

SHARES = (0.0, 0.25, 0.5)
SAMPLES = 2500
GOAL = "fastest drop<=0.05"


class Network:
    """Eight groups of as many multiplications; `fragile`: how many times as far each moves the outputs.

    Samples that were right become wrong by chance, as many as the outputs moved; the time follows from multiplications.
    """

    def __init__(self, seed: int, fragile: tuple[float, ...]) -> None:
        self._draw = np.random.default_rng(seed)
        self.seed, self.names = seed, tuple(f"g{place}" for place in range(len(fragile)))
        products = [ChannelProduct(macs=1000, weights=100, axes=({name: 1.0},)) for name in self.names]
        groups = tuple(ChannelGroup(name=name, layers=(name,), channels=64, shares=SHARES) for name in self.names)
        amounts = (place / 100 for place in range(1, 51))
        even = tuple(EvenShares(amount=amount, shares=dict.fromkeys(self.names, amount)) for amount in amounts)
        self.table = ChannelTable(groups=groups, products=tuple(products), macs=10_000, even=even)
        self.fragile = dict(zip(self.names, fragile, strict=True))
        noise = self._draw.uniform(0.8, 1.25, size=(len(fragile), 2))
        told = {
            name: rising({share: self.moved({name: share}) * noise[n, k] for k, share in enumerate(SHARES[1:])})
            for n, name in enumerate(self.names)
        }
        self.hopes = ShareHopes(self.table, GroupMoves(told))
        self.asked: list[tuple[str, Shares]] = []

    def moved(self, shares: Shares) -> float:
        return sum(self.fragile[name] * share**2 / 4 for name, share in shares.items())

    def right(self, shares: Shares, half: str) -> np.ndarray:
        key = (half, tuple(sorted(shares.items())))
        draw = np.random.default_rng([self.seed, zlib.crc32(repr(key).encode())])
        return (draw.random(SAMPLES) > self.moved(shares) / len(self.names)).astype(float)

    def foretold(self, settings: Settings) -> dict[str, float] | str:
        return {} if shares_of(settings) else "no channel goes"

    def check_settings(self, settings: Settings, half: str) -> Checked:
        self.asked.append((half, shares_of(settings)))
        return Checked(
            difference=Bounds(*paired_difference(np.ones(SAMPLES), self.right(shares_of(settings), half), self.seed))
        )

    def measure_settings(self, settings: Settings, *, sure: bool) -> CostFigures:
        self.asked.append(("sure" if sure else "quick", shares_of(settings)))
        value = self.table.macs_of(shares_of(settings)) / self.table.macs
        return CostFigures(ratios={"latency_ms": Bounds(value, 0.99 * value, 1.01 * value)})

    def search(self) -> SettingsAnswer:
        knobs = [Knob(name=name, choices=SHARES) for name in self.names]
        seeds = [self.settings_of(each) for each in self.hopes.seeds(self.passes)]
        hopeless = self.hopes.hopeless()
        return find_settings(knobs, parse_goal(GOAL), self, seeds, builds=15, seed=self.seed, hopeless=hopeless)

    def settings_of(self, shares: Shares) -> Settings:
        return {name: shares.get(name, 0.0) for name in self.names}

    def passes(self, shares: Shares) -> bool:
        return self.check_settings(self.settings_of(shares), "A").difference.low >= -0.05

    def beside_even(self, settings: Settings) -> tuple[float, float, float] | None:
        """What was found less one share for all, on half B; None: it is that."""
        found = self.hopes.even_beside(shares_of(settings))
        if found is None:
            return None
        return paired_difference(self.right(found[1], "B"), self.right(shares_of(settings), "B"), self.seed)


PLANTED = (0.1, 6.0, 0.2, 0.1, 4.0, 0.2, 0.1, 0.2)
EQUAL = (1.3,) * 8


def best_of_all(network: Network, drop: float) -> float:
    every = itertools.product(SHARES, repeat=len(network.names))
    tried = (dict(zip(network.names, row, strict=True)) for row in every)
    return min(network.table.macs_of(each) for each in tried if network.moved(each) / len(network.names) <= drop)


@pytest.mark.long
def test_planted_groups_are_spared_and_the_win_is_shown():
    claims, over = 0, []
    for seed in range(5):
        network = Network(seed, PLANTED)
        found = network.search()
        assert found.settings is not None
        shares = shares_of(found.settings)
        assert max(shares.get("g1", 0.0), shares.get("g4", 0.0)) <= 0.25, shares
        over.append(network.table.macs_of(shares) / best_of_all(network, 0.04))
        beside = network.beside_even(found.settings)
        assert beside is not None
        claims += beside[1] > 0
    assert claims == 5
    assert max(over) < 1.06, over


@pytest.mark.long
def test_equal_groups_win_nothing():
    """The negative control: what is found is not shown to be more accurate than one share for all."""
    claims = 0
    for seed in range(20):
        network = Network(seed, EQUAL)
        found = network.search()
        beside = None if found.settings is None else network.beside_even(found.settings)
        claims += beside is not None and beside[1] > 0
    assert claims <= 1, "an interval is wrong on its lower side in one of forty"


def test_what_is_hopeless_is_not_built():
    network = Network(0, PLANTED)
    found = network.search()
    hopeless = [each for each in found.tried if each.outcome == "hopeless"]
    assert hopeless
    assert all(each.cost is None for each in hopeless)
    built = [shares for how, shares in network.asked if how in ("quick", "sure")]
    assert not any(shares_of(each.settings) in built for each in hopeless)
    assert found.nearest is None


def test_the_fewest_multiplications_that_pass_come_first_then_one_share_for_all():
    network = Network(1, PLANTED)
    least = 7000
    best, even, beside, *_ = network.hopes.seeds(lambda shares: network.table.macs_of(shares) >= least)
    assert least <= network.table.macs_of(best) <= 1.03 * least
    assert even == dict.fromkeys(network.names, 0.25)
    assert network.table.macs_of(beside) <= network.table.macs_of(even)
    assert network.hopes.moves.of(beside) < network.hopes.moves.of(even) / 2
    asked: list[Shares] = []
    assert network.hopes.seeds(lambda shares: bool(asked.append(shares)))[0] == even, "where no spread passes"
    assert len(asked) <= 5


def test_a_small_file_is_spread_by_weights():
    """Two groups, of which one has the multiplications and the other the weights."""
    groups = tuple(ChannelGroup(name=name, layers=(name,), channels=64, shares=SHARES) for name in ("early", "late"))
    products = (
        ChannelProduct(macs=9000, weights=100, axes=({"early": 1.0},)),
        ChannelProduct(macs=1000, weights=900, axes=({"late": 1.0},)),
    )
    even = (EvenShares(amount=0.25, shares={"early": 0.25, "late": 0.25}),)
    table = ChannelTable(groups=groups, products=products, macs=10_000, even=even)
    moves = GroupMoves(dict.fromkeys(("early", "late"), ((0.0, 0.0), (0.25, 0.1), (0.5, 0.3))))
    by_macs, by_weights = ShareHopes(table, moves), ShareHopes(table.of_weights(1000), moves)
    first = [each.seeds(lambda shares: moves.of(shares) <= 0.15)[0] for each in (by_macs, by_weights)]
    assert first == [{"early": 0.25}, {"late": 0.25}]


def test_one_share_for_all_has_no_fewer_multiplications():
    network = Network(1, PLANTED)
    own = dict.fromkeys(network.names[:5], 0.5)
    amount, shares = network.hopes.even_beside(own) or (0.0, {})
    assert amount == 0.31
    assert network.table.macs_of(own) <= network.table.macs_of(shares) <= 1.01 * network.table.macs_of(own)
    assert network.hopes.even_beside({"g0": 0.01}) is None, "the least share for all takes more than that"
    assert network.hopes.even_beside(dict.fromkeys(network.names, 0.5)) is None, "it is the same"
