"""What a search found, as values, and the sentence that says so.

Apart from the search itself: a screen and a document read this and nothing else of it.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .asked import Bounds, Checked
from .corrected import Liar
from .front import FrontPoint
from .mixes import FORMATS, CostTable, Mix

Why = Literal["found", "dearer", "not shown", "none passes", "refuted", "none"]
"""A mix was found, held on half B and was measured; no mix is foretold to cost less than FP32; none was shown to; none that
costs less passes on half A; half B did not bear out what A did; no mix and not FP32 either keeps the goal's limits."""


class MixAnswer(Struct, frozen=True, kw_only=True):
    """What serves the goal."""

    mix: Mix | None
    """All FP32 where nothing else is shown to be better; None: none keeps the limits."""
    why: Why
    quantity: str
    """What was to be least."""
    nearest: Mix | None = None
    """Where none keeps the limits: the mix that is least beyond the limit it is farthest beyond."""
    beyond: float = 0.0
    """How far that one is, as a share of that limit."""
    short_of: tuple[str, ...] = ()
    """The goal's words (`top1`, `latency_ms`, `drop`) that the nearest does not keep, by its figures or by their intervals."""
    cost: Bounds | None = None
    """Of the mix over all FP32, from a measurement that chose nothing; None: it was not measured."""
    figures: dict[str, float] = {}
    """Measured then, by the words of goals."""
    beside: tuple[tuple[Mix, Bounds], ...] = ()
    """Mixes of one format throughout that are good enough too, and what each costs over this one, measured in turns with it."""
    held_out: Checked | None = None
    """What half B says of the mix; it was used for nothing else. None: it was not asked."""
    refuted: tuple[Mix, ...] = ()
    """Mixes that half A bore out and half B did not."""
    front: tuple[FrontPoint, ...] = ()
    """Cost foretold over sensitivity, with the table as measurements left it."""
    table: CostTable
    """That table."""
    exact: bool = True
    """The front is the true one of the table."""
    liars: tuple[Liar, ...] = ()
    """Entries of the table that were wrong."""
    checks: int = 0
    """Passes over a half of the labelled data."""
    builds: int = 0
    """Measurements on the board."""

    @property
    def sentence(self) -> str:
        """The answer in words."""
        what = self.quantity
        if self.why == "found" and self.cost is not None and self.mix is not None:
            low, high = (f"{end:.3g}" for end in self.cost[1:])
            found = f"{mix_words(self.mix)}: {self.cost.value:.3g} of FP32's {what} (95 %: {low} to {high})"
            others = [
                f", {1 / ratio.value:.3g} of that of {mix_words(mix)} ({1 / ratio.high:.3g} to {1 / ratio.low:.3g})"
                for mix, ratio in self.beside
            ]
            return found + "".join(others)
        if self.why == "none":
            near = "" if self.nearest is None else f"; nearest is {mix_words(self.nearest)}"
            by = f", {100 * self.beyond:.3g} % beyond" if self.beyond else ", but not shown to keep"
            short = f"{by} {' and '.join(self.short_of)}" if self.short_of and near else ""
            return f"none reaches it{near}{short}"
        said = {
            "dearer": f"by the table of costs no other mix has less {what}",
            "not shown": f"no mix is shown to have less {what}",
            "none passes": f"no mix with less {what} is shown to be as good as the goal wants",
            "refuted": "what one half of the data bore out the other half did not",
        }
        return f"all FP32: {said.get(self.why, '')}"


def mix_words(mix: Mix) -> str:
    """How many units have which format."""
    counts = [(form, mix.count(form)) for form in FORMATS if form in mix]
    return f"all {mix[0].upper()}" if len(counts) == 1 else ", ".join(f"{many} units {form.upper()}" for form, many in counts)
