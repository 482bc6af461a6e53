"""How far the candidate's outputs are from the baseline's on the same samples; no labels are needed.

Apart from `accuracy.py`, which needs them. Quantities are compared by their size, labels by whether they are equal, rows in an
order that the data choose after they were matched. Everything is a sum that grows by one batch at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import PlanRefused
from ..graph.output_meaning import Meaning, Part
from ..schema import output_figures
from ..tasks.decoder import Layout
from . import ranked
from .doubts import too_few_equal, too_few_rows
from .following import Following
from .sums import MOST_CLASSES, Equal, Sums, fidelity_sentence, no_ratio

Array = NDArray[np.generic]

NEAR_ZERO = 1e-3
"""An element is too near zero to divide by when it is below this share of the largest of its own sample in that output.

The paper leaves out what is near zero and prints bounds of float32's smallest numbers; with those, ten scores of 1e-9 outweigh
everything else. A share of the sample's own largest neither depends on the output's unit nor on how samples are batched."""
PRINTED_BELOW, PRINTED_ABOVE = -1.4e-45, 3.4e-38
"""What Zhang et al. print as bounds of the elements that the rate is over."""
_NO_SIZE = "its elements are labels: they are equal or they are not"
_NO_QUANTITY = "no output is a quantity: see agreement"
_QUANTITIES = ("offset_rate", "offset_rate_abs", "offset_rate_printed", "left_out", "cosine", "sqnr_db", "max_abs")


WHOLE = -1
_Key = tuple[str, int]
"""An output and one of its parts, or WHOLE."""
_Take = Callable[[Array], Array]
"""Some of an output's elements."""


class FidelityMeter:
    """Add batches of both sides' outputs, then ask for `figures()`."""

    def __init__(self, meanings: Mapping[str, Meaning] | None = None, *, chance: bool = False) -> None:
        """`meanings`: what the outputs hold, by `graph.meaning`; without, floats are quantities and all else is labels.
        `chance`: also find out how near chance alone would bring them, for `doubts`.
        """
        self._meanings = dict(meanings or {})
        self._chance = chance
        self._groups = ranked.groups(self._meanings)
        self._found = [ranked.RowMatches() for _ in self._groups]
        self._sums: dict[_Key, Sums] = {}
        self._equal: dict[_Key, Equal] = {}
        self._following: dict[_Key, Following] = {}
        """Of quantities that have their places, each part by itself; only with `chance`."""
        self._names: dict[str, None] = {}
        """All outputs in the model's order."""
        self._samples = 0
        self._broken = [0, 0]
        self._uneven: set[str] = set()
        self._foreign: set[str] = set()
        """Outputs that are no tensors and no lists of them."""

    def read_as(self, layout: Layout) -> None:
        """What a decoder says of an output, before outputs are added: boxes must not drown scores where the graph does not tell
        them apart (YOLOv5's lie in parts along another axis).
        """
        said = self._meanings.get(layout.output, Meaning())
        if said.orders or (said.parts and said.parts_axis == layout.axis):
            return
        parts = tuple(Part(word, size, word == "classes") for word, size in layout.parts)
        self._meanings[layout.output] = said._replace(parts=parts, parts_axis=layout.axis, labels=False)

    def add(self, baseline: Mapping[str, Array], candidate: Mapping[str, Array], n: int = 1, of: int | None = None) -> None:
        """Outputs of one inference, by name. `n` samples lie along the first axis of length `of` (None: `n`; rows past `n` are
        padding); an output without such an axis, or of a batch of one, counts as one sample whatever its shape.

        Raises:
            PlanRefused: the candidate lacks an output.
        """
        self._samples += n
        batch = of or n
        taken: set[str] = set()
        pairs: dict[str, tuple[Array, Array]] = {}
        for name, a in baseline.items():
            if name not in candidate:
                raise PlanRefused(f"the candidate has no output {name}", fix="this should not be; run the lint on its graph")
            pairs.update(self._arrays(name, a, candidate[name]))
        self._names.update(dict.fromkeys(pairs))
        for names, found in zip(self._groups, self._found, strict=True):
            mine = {name: pairs[name] for name in names if name in pairs}
            taken.update(mine)
            self._add_ranked(mine, found, n, batch)
        for name, (a, b) in pairs.items():
            if name not in taken:
                self._add_placed(name, a, b, n, batch)

    def _arrays(self, name: str, a: object, b: object) -> dict[str, tuple[Array, Array]]:
        """An output's tensors on both sides: itself, or those of a sequence, `name[0]` first."""
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            return {name: (a, b)}
        ours, theirs = (side if isinstance(side, list) else [side] for side in (a, b))
        if not all(isinstance(each, np.ndarray) for each in (*ours, *theirs)):
            self._foreign.add(name)
            return {}
        if len(ours) != len(theirs):
            self._uneven.add(name)
            return {}
        return {f"{name}[{n}]": pair for n, pair in enumerate(zip(ours, theirs, strict=True))}

    def _add_placed(self, name: str, a: Array, b: Array, n: int, batch: int) -> None:
        """An output whose elements have their places."""
        if a.shape != b.shape:
            self._uneven.add(name)
            return
        plain = a.dtype.kind in "fiub" and b.dtype.kind in "fiub"
        for one, other in _samples(a, b, n, batch):
            quantities, labels = _parted(one, self._meanings.get(name))
            if quantities is not None and plain:
                first, second = quantities(one), quantities(other)
                if one.dtype.kind != "f":
                    self._add_labels((name, WHOLE), first, second)
                apart = _quantities_apart(one, self._meanings.get(name))
                if self._chance or len(apart) < 2:  # rounding alone may move a part of little size by more than it is
                    self._add_sample((name, WHOLE), first, second)
                else:  # boxes of 0 to 640 pixels would drown scores of 0 to 1
                    for part, take in apart.items():
                        self._add_sample((name, part), take(one), take(other))
                for part, take in apart.items() if self._chance else ():
                    self._following.setdefault((name, part), Following()).add(take(one), take(other))
            for part, taken in labels.items():
                self._add_labels((name, part), taken(one), taken(other))

    def _add_ranked(self, pairs: Mapping[str, tuple[Array, Array]], found: ranked.RowMatches, n: int, batch: int) -> None:
        """Outputs of one choice; a sample each where the batch is not what rows are counted along."""
        split: dict[str, list[tuple[Array, Array]]] = {}
        for name, (a, b) in pairs.items():
            along_batch = a.ndim + self._meanings[name].orders[0].axis == 0
            split[name] = [(a, b)] if along_batch else list(_samples(a, b, n, batch))
        for count in {len(samples) for samples in split.values()}:
            names = [name for name, samples in split.items() if len(samples) == count]
            for place in range(count):
                one = {name: split[name][place] for name in names}
                for a, b in one.values():
                    ours, theirs = (_not_finite(side) for side in (a, b))
                    self._broken[0] += ours
                    self._broken[1] += max(0, theirs - ours)
                blocks, uneven = ranked.compare(one, self._meanings, found, chance=self._chance)
                self._uneven.update(uneven)
                for block in blocks:
                    key = (block.name, block.part)
                    if not block.labels:
                        finite = np.isfinite(block.a.astype(np.float64)) & np.isfinite(block.b.astype(np.float64))
                        self._add_sample(key, block.a[finite], block.b[finite])
                    if block.labels or block.a.dtype.kind != "f":
                        self._add_labels(key, block.a, block.b, block.rows * block.a.shape[1])

    def _add_sample(self, key: _Key, first: Array, second: Array) -> None:
        """One sample of one output. What is not finite on either side is counted and left out of every figure."""
        a, b = first.astype(np.float64).ravel(), second.astype(np.float64).ravel()
        finite_a, finite_b = np.isfinite(a), np.isfinite(b)
        self._broken[0] += int((~finite_a).sum())
        self._broken[1] += int((~finite_b & finite_a).sum())
        kept = finite_a & finite_b
        if not kept.all():
            a, b = a[kept], b[kept]
        if a.size == 0:
            return
        difference, size = a - b, np.abs(a)
        sums = self._sums.setdefault(key, Sums())
        signal, other = float(a @ a), float(b @ b)
        if signal > 0 and other > 0:
            sums.cosines += float(a @ b) / math.sqrt(signal) / math.sqrt(other)
        elif signal == other:  # both all zero: the same direction as far as anyone can tell
            sums.cosines += 1.0
        sums.signal += signal
        sums.noise += float(difference @ difference)
        sums.max_abs = max(sums.max_abs, float(np.abs(difference).max()))
        sums.samples += 1
        far = size > NEAR_ZERO * size.max()
        rates = difference[far] / a[far]
        sums.signed += float(rates.sum())
        sums.absolute += float(np.abs(rates).sum())
        sums.compared += rates.size
        sums.left_out += a.size - rates.size
        printed = (a < PRINTED_BELOW) | (a > PRINTED_ABOVE)
        sums.printed += float((difference[printed] / a[printed]).sum())
        sums.printed_many += int(printed.sum())

    def _add_labels(self, key: _Key, a: Array, b: Array, elements: int | None = None) -> None:
        """`elements`: how many there should be, where rows without a match are not among those given."""
        sums = self._equal.setdefault(key, Equal())
        sums.elements += a.size if elements is None else elements
        sums.equal += int(np.count_nonzero(a == b))
        if self._chance and elements is None:
            for seen, side in zip(sums.seen, (a, b), strict=True):
                values, counts = np.unique(side.astype(str) if side.dtype.kind == "O" else side, return_counts=True)
                if len(seen) + len(values) <= MOST_CLASSES:
                    seen.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))

    def figures(self) -> output_figures.Fidelity:
        """Offset rates over all elements of all quantities; cosine (mean over samples), SQNR and largest error of the quantity
        that fares worst; the least share of equal labels and of rows that have a twin.
        """
        every = [sums for sums in self._sums.values() if sums.samples]
        compared = sum(sums.compared for sums in every)
        printed = sum(sums.printed_many for sums in every)
        shares = self._shares(labels=True) or self._shares(labels=False)
        return output_figures.Fidelity(
            offset_rate=sum(sums.signed for sums in every) / compared if compared else None,
            offset_rate_abs=sum(sums.absolute for sums in every) / compared if compared else None,
            offset_rate_printed=sum(sums.printed for sums in every) / printed if printed else None,
            left_out=sum(sums.left_out for sums in every) if every else None,
            cosine=min((sums.cosine() for sums in every), default=None),
            sqnr_db=min((db for sums in every if (db := sums.sqnr_db()) is not None), default=None),
            max_abs=max((sums.max_abs for sums in every), default=None),
            agreement=min(shares, default=None),
            rows_matched=min((each.matched / each.rows for each in self._found if each.rows), default=None),
            score_matched=min((each.matched_weight / each.weight for each in self._found if each.weight), default=None),
            samples=self._samples,
            outputs=tuple(self._output(key) for key in self._keys()),
        )

    def _keys(self) -> list[_Key]:
        order = {name: place for place, name in enumerate(self._names)}
        return sorted({*self._sums, *self._equal}, key=lambda key: (order[key[0]], key[1]))

    def _shares(self, *, labels: bool) -> list[float]:
        """Shares of equal elements, of outputs that are labels or of the others."""
        found = [each.share() for key, each in self._equal.items() if (key not in self._sums) == labels]
        return [share for share in found if share is not None]

    def _output(self, key: _Key) -> output_figures.OutputFidelity:
        name, part = key
        sums, equal = self._sums.get(key, Sums()), self._equal.get(key, Equal())
        meaning = self._meanings.get(name)
        group = next((found for names, found in zip(self._groups, self._found, strict=True) if name in names), None)
        named = meaning is not None and part >= 0 and len(meaning.parts) > part
        return output_figures.OutputFidelity(
            name=name,
            part=meaning.parts[part].name if meaning is not None and named else "",
            kind="quantity" if key in self._sums else "labels",
            ranked=group is not None,
            offset_rate=sums.signed / sums.compared if sums.compared else None,
            offset_rate_abs=sums.absolute / sums.compared if sums.compared else None,
            cosine=sums.cosine() if sums.samples else None,
            sqnr_db=sums.sqnr_db(),
            max_abs=sums.max_abs if sums.samples else None,
            agreement=equal.share(),
            rows_matched=group.matched / group.rows if group is not None and group.rows else None,
        )

    def reasons(self) -> dict[str, str]:
        """Why figures are missing, by field name."""
        found = self._whole_reasons()
        for place, key in enumerate(self._keys()):
            sums = self._sums.get(key)
            gone = (
                {}
                if sums is not None
                else dict.fromkeys(("offset_rate", "offset_rate_abs", "cosine", "sqnr_db", "max_abs"), _NO_SIZE)
            )
            if sums is not None and sums.sqnr_db() is None:
                gone["sqnr_db"] = no_ratio([sums])
            if sums is not None and not sums.compared:
                gone.update(dict.fromkeys(("offset_rate", "offset_rate_abs"), "every element is zero"))
            if key not in self._equal:
                gone["agreement"] = "its elements are quantities"
            if not any(key[0] in names for names in self._groups):
                gone["rows_matched"] = "its elements have their places"
            found.update({f"outputs.{place}.{name}": why for name, why in gone.items()})
        return found

    def _whole_reasons(self) -> dict[str, str]:
        every = [sums for sums in self._sums.values() if sums.samples]
        found: dict[str, str] = {}
        if not every:
            found = dict.fromkeys(_QUANTITIES, _NO_QUANTITY if self._equal else "no output could be compared")
        elif not any(sums.compared for sums in every):
            found = dict.fromkeys(("offset_rate", "offset_rate_abs", "offset_rate_printed"), "every element is zero")
        if every and all(sums.sqnr_db() is None for sums in every):
            found["sqnr_db"] = no_ratio(every)
        if not self._equal:
            found["agreement"] = "no output is of whole numbers, truth values or texts"
        if not any(each.rows for each in self._found):
            why = "no sample has a row" if self._groups else "no output has rows in an order that the data choose"
            found.update(dict.fromkeys(("rows_matched", "score_matched"), why))
        return found

    def broken(self) -> str:
        """Why the candidate cannot be trusted at all; empty: it can."""
        if self._broken[1]:
            return f"{self._broken[1]} output elements are NaN or infinite in the candidate and finite in the baseline"
        return ""

    def doubts(self, least_cosine: float) -> str:
        """Why these cannot be the outputs of one computation rounded in two ways; empty: they can. Needs `chance`."""
        figures = self.figures()
        if figures.cosine is not None and figures.cosine < least_cosine:
            return fidelity_sentence(figures)
        for key, following in self._following.items():
            why = following.doubt(least_cosine)
            if why:
                return f"{why} of {self._called(key)}"
        ranks = {name for names in self._groups for name in names}
        for key, equal in self._equal.items():  # of rows, those that are there have equal labels
            why = "" if key in self._sums or key[0] in ranks else too_few_equal(equal)
            if why:
                return f"{why} of {self._called(key)}"
        for names, found in zip(self._groups, self._found, strict=True):
            why = too_few_rows(found)
            if why:
                return f"{why} of {', '.join(names)}"
        return ""

    def _called(self, key: _Key) -> str:
        """The output, and its part where it has several: `output0 (scores)`."""
        name, part = key
        meaning = self._meanings.get(name)
        return f"{name} ({meaning.parts[part].name})" if meaning is not None and 0 <= part < len(meaning.parts) else name

    def warnings(self) -> list[str]:
        """What must be known before the figures are trusted, a sentence each."""
        said = [self.broken()] if self._broken[1] else []
        if self._broken[0]:
            said.append(f"{self._broken[0]} output elements are NaN or infinite in the baseline itself; they are left out")
        said.extend(f"output {name} differs in shape between the sides and is not compared" for name in sorted(self._uneven))
        said.extend(f"output {name} holds no tensors and is not compared" for name in sorted(self._foreign))
        return said


def _samples(a: Array, b: Array, n: int, batch: int) -> Iterator[tuple[Array, Array]]:
    """The samples of one output on both sides; the whole where no axis is theirs."""
    by_sample = batch > 1 and a.ndim > 0 and b.ndim > 0 and a.shape[0] == b.shape[0] == batch
    yield from zip(a[:n], b[:n], strict=True) if by_sample else [(a, b)]


def _parted(array: Array, meaning: Meaning | None) -> tuple[_Take | None, dict[int, _Take]]:
    """How to take the quantities of an output, and each part of labels."""
    numbers = array.dtype.kind in "fiu"
    if meaning is None or not meaning.varies:
        return (_all, {}) if array.dtype.kind == "f" else (None, {WHOLE: _all})
    axis = array.ndim + meaning.parts_axis
    labels = [part.labels for part in meaning.parts]
    places = _places(array, meaning)
    if not places or all(labels) or not any(labels) or not numbers:
        return (None, {WHOLE: _all}) if meaning.labels or not numbers else (_all, {})
    sized = np.concatenate([each for each, is_label in zip(places, labels, strict=True) if not is_label])
    found = {n: _taker(each, axis) for n, each in enumerate(places) if labels[n]}
    return _taker(sized, axis), found


def _places(array: Array, meaning: Meaning) -> list[NDArray[np.intp]]:
    """Where each part lies along their axis; none where the array is not as the graph says."""
    axis = array.ndim + meaning.parts_axis
    sizes = [part.size for part in meaning.parts]
    if not 0 <= axis < array.ndim or sum(sizes) != array.shape[axis]:
        return []
    return [np.arange(end - size, end) for end, size in zip(np.cumsum(sizes), sizes, strict=True)]


def _quantities_apart(array: Array, meaning: Meaning | None) -> dict[int, _Take]:
    """How to take each part that is a quantity, or the whole of an output that has no parts."""
    places = _places(array, meaning) if meaning is not None else []
    if meaning is None or not places:
        return {WHOLE: _all}
    axis = array.ndim + meaning.parts_axis
    return {n: _taker(each, axis) for n, each in enumerate(places) if not meaning.parts[n].labels}


def _taker(places: NDArray[np.intp], axis: int) -> _Take:
    return lambda array: np.take(array, places, axis)


def _not_finite(array: Array) -> int:
    """How many elements are NaN or infinite."""
    return int((~np.isfinite(array)).sum()) if array.dtype.kind == "f" else 0


def _all(array: Array) -> Array:
    return array
