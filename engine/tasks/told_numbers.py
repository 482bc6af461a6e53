"""Numbers that a model tells: mean absolute error and the share of the labels' variance that is told (R²)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from .decoder import Outputs

Floats = NDArray[np.float64]


class NumberFigures(NamedTuple):
    """Over all samples; NaN in resamples whose labels are all the same."""

    mae: float
    r2: float | None
    """None: the labels are all the same."""


class NumberMeter:
    """Add batches of outputs and labels, then ask for `figures()` and `bootstrap()`."""

    def __init__(self) -> None:
        self._said: list[Floats] = []
        self._right: list[Floats] = []

    @property
    def n(self) -> int:
        """Samples."""
        return sum(map(len, self._right))

    def add(self, outputs: Outputs, right: Floats) -> None:
        """The outputs of len(right) samples; rows past them are padding. The first output of floats with as many numbers a
        sample as the labels have counts.

        Raises:
            DataRefused: there is none, or what it says is no number.
        """
        n, many = len(right), int(np.prod(right.shape[1:], dtype=np.int64))
        for name, array in outputs.items():
            if not isinstance(array, np.ndarray) or array.dtype.kind != "f" or array.ndim == 0 or array.shape[0] < n:
                continue
            if array[:n].size == n * many:
                said = array[:n].reshape(n, many).astype(np.float64)
                if not np.isfinite(said).all():
                    raise DataRefused(
                        f"output {name} holds values that are no numbers",
                        fix="choose a milder recipe, or look for what overflows: `edgetui inspect MODEL`",
                    )
                self._said.append(said)
                self._right.append(right.reshape(n, many))
                return
        shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in outputs.items())
        raise DataRefused(
            f"the labels are {many} number{'' if many == 1 else 's'} a sample, and no output of the model is ({shapes})",
            fix='set task = "none" in the dataset\'s TOML file to compare outputs without labels',
        )

    def kept(self) -> dict[str, NDArray[np.generic]]:
        """All that figures follow from, by `again`."""
        said, right = self._all()
        return {"samples": np.array([self.n]), "said": said, "right": right}

    @classmethod
    def again(cls, kept: Mapping[str, Floats]) -> NumberMeter:
        """A meter of the same figures, from what `kept` gave, each flat."""
        made, n = cls(), int(kept["samples"][0])
        made._said, made._right = [kept["said"].reshape(n, -1)], [kept["right"].reshape(n, -1)]
        return made

    def figures(self) -> NumberFigures:
        """As scikit-learn's `mean_absolute_error` and `r2_score` have them: means over what is told."""
        mae, r2 = _under(np.ones(self.n), *self._all())
        return NumberFigures(float(mae), None if np.isnan(r2) else float(r2))

    def bootstrap(self, seed: int, resamples: int = 1000) -> Floats:
        """Both of sets of samples drawn with replacement, shape (resamples, 2); the same ones for every meter of them."""
        draw, both = np.random.default_rng(seed), self._all()
        shares = np.full(self.n, 1 / self.n)
        return np.array([_under(draw.multinomial(self.n, shares).astype(np.float64), *both) for _ in range(resamples)])

    def _all(self) -> tuple[Floats, Floats]:
        return np.concatenate(self._said), np.concatenate(self._right)


def _under(weights: Floats, said: Floats, right: Floats) -> tuple[float, float]:
    """With each sample counted as often as its weight says."""
    whole = weights.sum()
    mae = float((weights @ np.abs(said - right)).mean() / whole)
    around = right - (weights @ right) / whole
    left, there = weights @ (said - right) ** 2, weights @ around**2
    if not (there > 0).any():
        return mae, float("nan")
    shares = np.divide(left, there, out=np.where(left > 0, 1.0, 0.0), where=there > 0)  # of one that is constant: as r2_score
    return mae, float((1 - shares).mean())
