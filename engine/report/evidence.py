"""What a report is made of: results as documents, and what was asked of their raw samples and plans. Values only."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..advice.compare import Comparison, compare
from ..advice.recomputed import Recomputed
from ..schema.plan import PlanFacts
from ..schema.result import Result


class PlanInside(Struct, frozen=True):
    """The layers of one plan of a run."""

    run: str
    side: str
    facts: PlanFacts


class Evidence(Struct, frozen=True, kw_only=True):
    """All of one report."""

    results: tuple[Result, ...]
    """With the figures that their samples give, where there are samples."""
    stored: tuple[Result, ...]
    """As `result.json` has them."""
    comparison: Comparison
    recomputed: tuple[Recomputed, ...] = ()
    plans: tuple[PlanInside, ...] = ()
    version: str = ""
    """Of edgetui, that wrote the report."""

    def recomputed_of(self, run: str) -> Recomputed | None:
        """What the samples of a run say; None: they were not asked."""
        return next((found for found in self.recomputed if found.run == run), None)


def evidence(results: Sequence[Result], goal: str = "") -> Evidence:
    """Of documents alone: nothing is computed again."""
    results = tuple({result.run: result for result in results}.values())
    return Evidence(results=results, stored=results, comparison=compare(results, goal))


def said_of_samples(found: Recomputed | None) -> tuple[list[str], list[str]]:
    """What is said of figures and their samples: (what is wrong, what is well)."""
    if found is None:
        return [], ["The figures are those of result.json; the raw samples were not read."]
    wrong = []
    if found.different:
        listed = [
            f"{f.path} is {_figure(f.stored)} there and {_figure(f.computed)} by the samples" for f in found.different[:8]
        ]
        more = f", and {len(found.different) - 8} more" if len(found.different) > 8 else ""
        wrong.append(
            f"{len(found.different)} of {len(found.figures)} figures of result.json are not what the raw samples give, and "
            f"this report shows what they give: {'; '.join(listed)}{more}."
        )
    same = len(found.figures) - len(found.different)
    well = [f"{same} figures were computed again from the raw samples, and are equal to those of result.json."] if same else []
    well += [f"Nothing was computed again from {name}.npz: {why}." for name, why in found.reasons.items()]
    return wrong, well


def _figure(value: float | None) -> str:
    return "not there" if value is None else f"{value:.6g}"
