"""The steps that prune: weights made zero here and there, and channels removed. `steps.py` has them with all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from .numbers import Count, Positive, Share
from .step import Kernels, SampleNeed, Step

_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_HALF_DECADES = tuple(float(f"{10 ** (half / 2):.3g}") for half in range(-12, -1))
"""10^x, x from -6 to -1 in halves: the sweep of Zhang et al."""


def scattered_zeros(steps: Sequence[Step]) -> str:
    """What nobody should hope for of weights that are zero here and there."""
    shares = {step.share for step in steps if step.zeros}
    share = shares.pop() if len(shares) == 1 else None
    words = "the" if share is None else f"{share * 100:.3g} %"
    return f"scattered zeros do not make a dense plan faster; {words} zeros change size only when compressed"


class Pruning(Step, frozen=True, kw_only=True):
    """Steps that make weights zero here and there."""

    zeros = True
    sparing = "exclude"

    def spoils(self, before: Sequence[Step]) -> list[str]:
        late = any(step.integers for step in before)
        return ["pruning after quantization changes weights that ranges were chosen for: prune first"] if late else []

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        return scattered_zeros(steps)

    def not_faster(self, kernels: Kernels) -> str:
        return "its zeros are scattered and the plan is dense"

    def mends(self, exclude: str, keep: str) -> list[str]:
        return ["prune less"]


class PruneMagnitude(Pruning, frozen=True, kw_only=True, tag="prune.magnitude"):
    """Zero the smallest weights by absolute value (Han et al. 2015). Biases stay, but for repair."""

    function = "compress.magnitude:prune"
    needs = "optional"
    one_of = (("amount", 0.3), ("threshold", 1e-3))
    sweeps: ClassVar[dict[str, tuple[float, ...]]] = {"threshold": _HALF_DECADES, "amount": _SHARES}
    only_with = (("samples", "repair", True),)
    added = (("only", ()), ("exclude", ()), ("repair", False), ("samples", 256))

    scope: Literal["layer", "global"] = "layer"
    """Rank weights within each tensor (two of each recurrent node), or over all of them."""
    amount: Share | None = None
    """Share of weights to zero, 0..1. Give this or `threshold`."""
    threshold: Positive | None = None
    """Zero every |w| below this, e.g. 1e-3."""
    only: tuple[str, ...] = ()
    """Nodes whose weights are pruned: names, patterns such as `/head/*`, or operators such as `Conv`; none: all."""
    exclude: tuple[str, ...] = ()
    """Nodes whose weights stay: names, patterns or operators."""
    repair: bool = False
    """Fit the weights that are left, and the biases, by least squares, one layer at a time, to what the layer gave before."""
    samples: Count = 256
    """Calibration samples that `repair` reads, at most; labels are not needed."""

    @property
    def need(self) -> SampleNeed:
        return "calibration" if self.repair else "none"

    @property
    def most_samples(self) -> int:
        return self.samples

    @property
    def share(self) -> float | None:
        return None if self.only or self.exclude else self.amount


class PruneNm(Pruning, frozen=True, kw_only=True, tag="prune.nm"):
    """Zero all but the `n` largest of every `m` weights along the input channels: 2 of 4 is what sparse tensor cores skip."""

    function = "compress.n_of_m:prune"
    needs = "optional"
    only_with = (("samples", "repair", True),)

    n: Count = 2
    """Weights of each `m` that stay."""
    m: Annotated[int, Meta(ge=2, le=32)] = 4
    """Weights in a row, along the input channels, of which `n` stay."""
    permute: bool = True
    """First put channels in the order that keeps most magnitude; the model computes the same in any order."""
    only: tuple[str, ...] = ()
    """Nodes whose weights are pruned: names, patterns such as `/head/*`, or operators such as `Conv`; none: all that can be."""
    exclude: tuple[str, ...] = ()
    """Nodes whose weights stay: names, patterns or operators."""
    repair: bool = False
    """Fit the weights that are left, and the biases, by least squares, one layer at a time, to what the layer gave before."""
    samples: Count = 256
    """Calibration samples that `repair` reads, at most; labels are not needed."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n >= self.m:
            raise ValueError("`n` must be less than `m`")

    @property
    def need(self) -> SampleNeed:
        return "calibration" if self.repair else "none"

    @property
    def most_samples(self) -> int:
        return self.samples

    def _skipped(self, kernels: Kernels) -> bool:
        return kernels.sparse and (self.n, self.m) == (2, 4)

    def cannot_win(self, steps: Sequence[Step], kernels: Kernels) -> str:
        if self._skipped(kernels):
            return "2:4 zeros save time in wide layers only, on Ampere GPUs and later, with `sparse` on"
        return (
            "zeros in a pattern make no plan faster here: TensorRT on Ampere GPUs and later skips 2 of 4, and nothing else does"
        )

    def not_faster(self, kernels: Kernels) -> str:
        return "" if self._skipped(kernels) else "nothing here skips its zeros"


class PruneChannels(Step, frozen=True, kw_only=True, tag="prune.channels"):
    """Remove whole output channels, the smallest first, with all that is joined to them: fewer multiplications everywhere."""

    function = "compress.channels:prune"
    needs = "optional"
    unsampled = "channels are removed without repair, which costs much accuracy"
    resizes = True
    sparing = "keep"
    sweeps: ClassVar[dict[str, tuple[float, ...]]] = {"amount": _SHARES[:5]}

    amount: Share = 0.25
    """Share of the channels of each group to remove, 0..1; a group is what adds, concatenates or splits together. In whole
    blocks (`round_to`) some give more and some less."""
    amounts: dict[str, Share] = field(default_factory=dict)
    """Shares of their own for the groups of these layers: names or patterns such as `/head/*`."""
    norm: Literal["error", "l1", "l2"] = "error"
    """What makes a channel small: what the layers that read it lose with it after repair (`l1` where nothing is repaired), the
    sum of its weights' magnitudes, or the root of their squares."""
    round_to: Count = 16
    """Channels left are a multiple of this, the block that kernels compute: shares that end inside one are evened out between
    layers, at as many multiplications. 1: the same share of every layer."""
    streams: bool = False
    """Residual streams too: channels that are added to others."""
    keep: tuple[str, ...] = ()
    """Layers whose output channels stay: names, patterns or operators."""
    statistics: bool = True
    """Re-estimate means and deviations of channels on calibration samples; no labels."""
    repair: bool = True
    """Fit each layer that is left by least squares to what it gave before, on calibration samples; no labels."""
    samples: Count = 256
    """Calibration samples to use, at most."""

    @property
    def need(self) -> SampleNeed:
        return "optional" if self.statistics or self.repair else "none"

    @property
    def most_samples(self) -> int:
        return self.samples

    def spoils(self, before: Sequence[Step]) -> list[str]:
        late = any(step.integers for step in before)
        return ["removing channels after quantization changes what ranges were chosen for: remove first"] if late else []

    def mends(self, exclude: str, keep: str) -> list[str]:
        return ["remove fewer channels", *([f"`keep` {exclude} out of {self.method}"] if exclude else [])]
