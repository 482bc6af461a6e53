"""Q/DQ pairs that learn: rounding lets gradients through, and scales are parameters.

Apart from the step because it is arithmetic alone: a module made of a graph with pairs becomes one that can be trained.
Rounding has the gradient of what it rounds where that lies inside the grid, else none (Bengio et al. 2013, the
straight-through estimator). A scale learns as in LSQ (Esser et al. 2020, Learned Step Size Quantization, equations 2 to 5):
its gradient follows from those two rules, and is divided by sqrt(n q), n values on a grid of q steps. What is learnt is the
logarithm of the factor that a scale is multiplied with: it stays above zero, and one learning rate suits all. Zero-points stay.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from ...network.call import Call
from ...network.module import Network
from ...network.ops_quantize import RANGES, spread

if TYPE_CHECKING:
    from torch import Tensor

Array = NDArray[np.generic]
_LEAST_SCALE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class _Latent:
    """Weights that are stored as integers, and learn as floats."""

    scale: str
    zero: str
    """Name of the zero-point; empty: it is 0."""
    low: int
    high: int
    reader: Call
    """The DequantizeLinear that knows how scales lie along them."""


@dataclass(frozen=True)
class WeightGrid:
    """How weights in floats become integers: `compress.grid.weight`, made anew of the weights at every step."""

    top: int
    """Largest |q|."""
    affine: bool = False


class LearntPairs:
    """The pairs of a module, its rounding made learnable; weights stored as integers are floats from then on."""

    def __init__(
        self, module: Network, integers: Collection[str], scales: Mapping[str, str], grid: WeightGrid, *, learn_scales: bool
    ) -> None:
        """Change `module` in place.

        Args:
            module: made of a graph with pairs.
            integers: stored integers that are weights, each read by a DequantizeLinear.
            scales: the names of activations' scales that may learn, and what each is of; of the same, one factor.
            grid: of weights that are floats before a pair of their own.
            learn_scales: whether scales learn as well as weights.
        """
        import torch

        self.torch, self.module, self.grid = torch, module, grid
        self._of = dict(scales) if learn_scales else {}
        self._latent: dict[str, _Latent] = {}
        fed, rounded = set(module.program.inputs), set[str]()
        for call in module.program.calls:
            follows = any(name in fed for name in call.inputs)
            fed.update(call.outputs if follows else ())
            if call.kind == "QuantizeLinear":
                rounded.update(() if follows else call.outputs)
                call.operator = self._quantized if follows else self._rounded_weights
                if follows and call.inputs[1] in self._of:
                    self._begin(self._factor_name(call.inputs[1]), np.zeros((), np.float32))
            elif call.kind == "DequantizeLinear" and follows:
                call.operator = self._dequantized
            elif call.kind == "DequantizeLinear" and call.inputs[0] in integers:
                self._open(call, learn_scales=learn_scales)
            elif call.kind == "DequantizeLinear" and call.inputs[0] in rounded:
                call.operator = _as_it_is  # both halves of the pair were done at once

    def zeros(self) -> dict[str, Tensor]:
        """By name, where weights stored as integers are zero."""
        found = {}
        for name in self._latent:
            gone = self.module.trained[name].detach() == 0
            if bool(gone.any()):
                found[name] = gone
        return found

    def stored(self) -> dict[str, Array]:
        """Integers, and their scales, as they were learnt, by name."""
        found: dict[str, Array] = {}
        with self.torch.no_grad():
            for name, latent in self._latent.items():
                floats = self.module.trained[name]
                scale = self._scale(latent.scale, cast("Tensor", self.module.constants[latent.scale]), 1)
                steps = self._steps(latent.reader, latent, floats, spread(latent.reader, floats, scale))
                found[name] = steps.to(self.torch.int32).cpu().numpy()
                if latent.scale in self._of:
                    found[latent.scale] = scale.cpu().numpy()
        return found

    def factors(self) -> dict[str, float]:
        """What the ranges of activations grew by, by what `scales` said that they are of."""
        weights = {latent.scale for latent in self._latent.values()}
        taken = self.module.trained.keys()
        there = {of: self._factor_name(name) for name, of in self._of.items() if name not in weights}
        return {of: math.exp(float(self.module.trained[key].detach())) for of, key in there.items() if key in taken}

    def changes(self) -> list[float]:
        """By how much of itself each scale has changed: of 1.02 times what it was, 0.02."""
        names = {self._factor_name(name) for name in self._of} & self.module.trained.keys()
        found: list[float] = []
        for name in sorted(names):
            grown = self.module.trained[name].detach().reshape(-1)
            found += (grown.exp() - 1).abs().tolist()
        return found

    def _open(self, call: Call, *, learn_scales: bool) -> None:
        """Floats in the place of stored integers; to begin with, those that they stand for."""
        name, scale, *zero = call.inputs
        call.operator = self._dequantized_weights
        if name in self._latent:
            return
        held = cast("Tensor", self.module.constants.pop(name)).to(self.torch.int32)
        low, high, _ = RANGES[call.kinds[0]]
        if low < 0 and held.numel() and int(held.min()) > low:
            low += 1  # signed grids around zero leave their lowest integer out
        latent = _Latent(scale, zero[0] if zero else "", low, high, call)
        start = cast("Tensor", self.module.constants[scale])
        self._latent[name] = latent
        self._begin(name, ((held - self._zero(call, latent.zero, held)).float() * spread(call, held, start).float()).numpy())
        if learn_scales:
            self._of[scale] = scale
            self._begin(self._factor_name(scale), np.zeros(tuple(start.shape), np.float32))

    def _begin(self, name: str, values: Array) -> None:
        if name not in self.module.trained:
            self.module.trained[name] = self.torch.nn.Parameter(self.torch.from_numpy(np.array(values)))

    def _factor_name(self, scale: str) -> str:
        """What the logarithm of a factor is called among the parameters; no tensor of a graph has a line break in its name."""
        return f"{self._of[scale]}\nfactor"

    def _scale(self, name: str, start: Tensor, values: float) -> Tensor:
        """A scale times its factor. `values`: how many, times the steps of the grid; the gradient is divided by their root."""
        if name not in self._of:
            return start
        grown = self.module.trained[self._factor_name(name)]
        share = 1 / math.sqrt(max(values, 1.0))
        scaled = grown * share + (grown - grown * share).detach()
        made: Tensor = (start.float() * scaled.exp()).to(start.dtype)
        return made

    def _zero(self, call: Call, name: str, like: Tensor) -> Tensor:
        if not name:
            return self.torch.zeros((), dtype=self.torch.int32)
        return spread(call, like, cast("Tensor", self.module.constants[name])).to(like.device, self.torch.int32)

    def _quantized(self, call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        """An activation as steps, still floats."""
        low, high, _ = RANGES[call.kinds[2] if len(call.kinds) > 2 and call.kinds[2] else TensorProto.UINT8]
        each = x.numel() / max(x.shape[0], 1) if x.dim() else 1
        own = spread(call, x, self._scale(call.inputs[1], scale, each * (high - low)))
        shift = 0 if zero is None else spread(call, x, zero).to(x)
        made: Tensor = (_nearest(x / own) + shift).clamp(low, high)
        return made

    def _dequantized(self, call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        each = x.numel() / max(x.shape[0], 1) if x.dim() else 1
        own = spread(call, x, self._scale(call.inputs[1], scale, each * 255))
        return (x if zero is None else x - spread(call, x, zero).to(x)) * own

    def _dequantized_weights(self, call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        del zero  # weights on their way share what `_open` has found
        latent = self._latent[call.inputs[0]]
        own = spread(call, x, self._scale(latent.scale, scale, x.numel() / max(scale.numel(), 1) * latent.high))
        return (self._steps(call, latent, x, own) - self._zero(call, latent.zero, x)) * own

    def _steps(self, call: Call, latent: _Latent, x: Tensor, own: Tensor) -> Tensor:
        made: Tensor = (_nearest(x / own) + self._zero(call, latent.zero, x)).clamp(latent.low, latent.high)
        return made

    def _rounded_weights(self, call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        """Weights in floats on the grid that lowering makes of them; the stored scale says only if channels have one each."""
        del zero
        axis = call.whole("axis", 1) % x.dim() if scale.numel() > 1 else None
        others = tuple(place for place in range(x.dim()) if place != axis)
        still, top = x.detach(), self.grid.top
        low, high = still.amin(others, keepdim=True).clamp(max=0), still.amax(others, keepdim=True).clamp(min=0)
        if self.grid.affine:
            own = ((high - low) / (2 * top + 1)).clamp_min(_LEAST_SCALE)
            shift = (top - high / own + 0.5).floor().clamp(-top - 1, top)
            exact = x / own + shift
            steps = exact + ((exact + 0.5).floor() - exact).detach()  # halves go up, as the paper rounds
            return (steps.clamp(-top - 1, top) - shift) * own
        own = (self.torch.maximum(-low, high) / top).clamp_min(_LEAST_SCALE)
        made: Tensor = _nearest(x / own).clamp(-top, top) * own
        return made


def _nearest(x: Tensor) -> Tensor:
    """Rounded to the even neighbour, as the standard wants; the gradient passes."""
    return x + (x.round() - x).detach()


def _as_it_is(call: Call, x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
    del call, scale, zero
    return x
