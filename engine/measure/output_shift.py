"""How far a change of the model moves its outputs, with no labels: divergence of classes, noise, offset rate.

Apart from `fidelity.py`, which it asks, because a ranking of units needs one number: the divergence of the shares of classes
ranks as the true loss does (Spearman 0.98 over all mixes of a ResNet-20's blocks), top-1 on few samples does not (0.58).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataRefused
from ..graph.output_meaning import Meaning
from ..schema.sensitivity import SensitivityRow
from ..tasks.decoder import Layout
from ..tasks.said_classes import said_classes
from .fidelity import FidelityMeter

Outputs = Mapping[str, NDArray[Any]]
Scores = NDArray[np.float64]

_LEAST = 1e-12
"""A share of nothing at all would make the divergence infinite; float32 itself knows no smaller ones beside 1."""
NOTHING_SAYS = "nothing says that the outputs are classes: labels, `classes` in the dataset's TOML file or a softmax would"
NO_CHANGE = "no change: the outputs are identical"


class ClassReader:
    """What of a model's outputs is scores of classes."""

    def __init__(self, *, known: bool) -> None:
        """`known`: somebody says that outputs are classes; else only what are shares of one is."""
        self._known = known
        self._shares: bool | None = None
        self.why = ""
        """Why the outputs are no classes; empty: they are, or nothing was looked at."""

    def look(self, outputs: Outputs, n: int) -> None:
        """Decide by the original's outputs of some samples."""
        try:
            said = said_classes(dict(outputs), n)
        except DataRefused as error:
            self.why = error.what
            return
        if said.scores is None:
            self.why = "the model gives its choice and no score for each class"
        elif not (self._known or said.shares):
            self.why = NOTHING_SAYS
        else:
            self._shares = said.shares

    @property
    def reads(self) -> bool:
        """Whether there are classes."""
        return self._shares is not None

    def shares(self, outputs: Outputs, n: int) -> Scores:
        """Of each of `n` samples the share of each class, shape (n, classes): the scores themselves, or their softmax."""
        scores = said_classes(dict(outputs), n).scores
        assert scores is not None
        if self._shares:
            return np.clip(scores, _LEAST, 1.0)
        wide = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: Scores = np.clip(wide / wide.sum(axis=1, keepdims=True), _LEAST, 1.0)
        return shares


class OutputShift:
    """Add the outputs of both sides batch by batch, then ask for `row`."""

    def __init__(self, meanings: Mapping[str, Meaning], classes: ClassReader, layouts: Sequence[Layout] = ()) -> None:
        """`layouts`: what a decoder says lies side by side in outputs, so that boxes drown no scores."""
        self._near, self._classes = FidelityMeter(meanings), classes
        for layout in layouts:
            self._near.read_as(layout)
        self._kl = self._same = 0.0
        self._n = 0
        self._lost = False
        self._local = [0.0, 0.0]

    def add(self, before: Outputs, after: Outputs, n: int) -> None:
        """Outputs of `n` samples by name, original and changed.

        Raises:
            PlanRefused: the changed model lacks an output.
        """
        self._near.add(before, after, n)
        self._n += n
        if not self._classes.reads or self._lost:
            return
        one, other = self._classes.shares(before, n), self._classes.shares(after, n)
        if not np.isfinite(other).all():
            self._lost = True
            return
        self._kl += float((one * (np.log(one) - np.log(other))).sum())
        self._same += float((one.argmax(axis=1) == other.argmax(axis=1)).sum())

    def add_local(self, before: NDArray[Any], after: NDArray[Any]) -> None:
        """What the changed unit gives, before and after."""
        if before.shape != after.shape:
            return
        wide, other = before.astype(np.float64).ravel(), after.astype(np.float64).ravel()
        self._local[0] += float(wide @ wide)
        difference = wide - other
        self._local[1] += float(difference @ difference)

    @property
    def moved(self) -> bool:
        """Whether any output differs at all."""
        return (self._near.figures().max_abs or 0.0) > 0.0 or self._lost

    def figures(self) -> SensitivityRow:
        """A row with all that is known, and why the rest is not."""
        near, why = self._near.figures(), self._near.reasons()
        reasons: dict[str, str] = {
            name: why[name] for name in ("sqnr_db", "offset_rate", "offset_rate_abs", "left_out") if name in why
        }
        kl = agreement = None
        if not self._classes.reads or self._lost:
            reasons |= dict.fromkeys(("kl", "agreement"), self._classes.why or "outputs became NaN or infinite")
        elif self._n:
            kl, agreement = max(0.0, self._kl / self._n), self._same / self._n
        if broken := self._near.broken():
            reasons["sqnr_db"] = f"{reasons['sqnr_db']}; {broken}" if "sqnr_db" in reasons else broken
        sqnr = None if broken else near.sqnr_db
        if sqnr is None and not broken and near.max_abs == 0:
            reasons["sqnr_db"] = NO_CHANGE
        local = self._local_sqnr(reasons)
        return SensitivityRow(
            kl=kl,
            agreement=agreement,
            sqnr_db=sqnr,
            local_sqnr_db=local,
            offset_rate=near.offset_rate,
            offset_rate_abs=near.offset_rate_abs,
            left_out=near.left_out,
            reasons=reasons,
        )

    def _local_sqnr(self, reasons: dict[str, str]) -> float | None:
        signal, noise = self._local
        if signal > 0 and noise > 0 and np.isfinite(noise):
            return float(10 * np.log10(signal / noise))
        if not np.isfinite(noise):
            reasons["local_sqnr_db"] = "what the unit gives became NaN or infinite"
        elif signal > 0:
            reasons["local_sqnr_db"] = "no change: what the unit gives is identical"
        return None
