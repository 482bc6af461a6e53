"""Recipes for mixes of formats, and the names that units have in them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from ..schema.search import UnitInfo
from ..schema.step import Step
from ..schema.steps import PrecisionFp16, QuantizeInt8, Recipe
from ..search.mixes import Mix


def recipe_of(mix: Mix, units: Sequence[UnitInfo], whole: Recipe, number: int) -> Recipe:
    """The recipe that puts each unit into the format that the mix says; `whole` puts all into integers.

    Its name has the number, and how many units are in integers.
    """
    integers, halves = mix.count("int8"), mix.count("fp16")
    steps: list[Step] = []
    for step in whole.step:
        if not isinstance(step, QuantizeInt8):
            steps.append(step)
        elif integers:
            steps.append(structs.replace(step, exclude=(*step.exclude, *_nodes(mix, units, ("fp32", "fp16")))))
    if halves:
        steps.append(PrecisionFp16(keep=_nodes(mix, units, ("fp32",))))
    words = [f"{count} in {form.upper()}" for form in ("int8", "fp16", "fp32") if (count := mix.count(form))]
    title = f"Of {len(mix)} units {', '.join(words)}, as a search chose them"
    return structs.replace(whole, name=f"mix-{number}-int8-{integers}-of-{len(mix)}", title=title, step=tuple(steps))


def excluded(mix: Mix, units: Sequence[UnitInfo]) -> tuple[str, ...]:
    """The nodes that stay in FP32."""
    return _nodes(mix, units, ("fp32",))


def _nodes(mix: Mix, units: Sequence[UnitInfo], forms: Sequence[str]) -> tuple[str, ...]:
    return tuple(node for unit, form in zip(units, mix, strict=True) if form in forms for node in unit.exclude)
