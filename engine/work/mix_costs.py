"""The table of costs that a search begins with: what each unit takes in each plan, as the plans' own profiles say.

Apart from `search/`, which corrects the table by mixes that were measured: here layers of plans become units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import cast

from msgspec import structs

from ..errors import BackendRefused
from ..schema.plan import PlanFacts
from ..schema.search import CandidateMeasured, CostsFound, UnitInfo
from ..schema.sensitivity import Sensitivity
from ..search.mixes import FORMATS, CostTable, Format, Reformat, UnitCost

TIME = "latency_ms"
_SHARED_OUT = (("energy_j", TIME), ("memory_mb", "size_mb"))
"""What only whole plans have, and what shares it out among units."""
QUANTITIES = (TIME, "size_mb", *(key for key, _ in _SHARED_OUT))
"""What a table may know."""
_WEIGHT_BYTES: dict[Format, int] = {"fp32": 4, "fp16": 2, "int8": 1}


def costs_of(
    plans: Mapping[Format, PlanFacts], told: Mapping[Format, Sensitivity], measured: Mapping[Format, CandidateMeasured]
) -> CostsFound:
    """The table.

    Args:
        plans: what is inside the plan that has all units in a format; `fp32` is the baseline's.
        told: how far each unit moves the outputs, by format.
        measured: mixes of one format that were measured, whose figures beside the baseline's say what plans take as a whole.

    Raises:
        BackendRefused: a plan does not say what its layers take.
    """
    units = units_of(told)
    owner = {node: row.unit for each in told.values() for row in each.rows for node in row.nodes}
    weights = {row.unit: row.weights or 0 for each in told.values() for row in each.rows}
    times = {form: _times(plan, owner) for form, plan in plans.items()}
    base_ms = plans["fp32"].inference_ms or sum(times["fp32"].values())
    fixed_ms = max(base_ms - sum(times["fp32"].values()), 0.0)
    for form, own in times.items():  # a profile says how layers share what the measurement says of the whole
        whole = measured[form].ratios.get(TIME) if form != "fp32" else None
        if whole is not None and whole.value is not None and sum(own.values()) > 0:
            scale = max(whole.value * base_ms - fixed_ms, 0.01 * base_ms) / sum(own.values())
            times[form] = {unit: scale * took for unit, took in own.items()}
    priced = [
        structs.replace(
            unit,
            costs={
                form: {TIME: times[form].get(unit.unit, 0.0), "size_mb": weights[unit.unit] * _WEIGHT_BYTES[form] / 1e6}
                for form in FORMATS
                if form == "fp32" or form in unit.effects
            },
        )
        for unit in units
    ]
    reformats = [layer.milliseconds for layer in plans["int8"].layers if layer.reformat and layer.milliseconds is not None]
    found = CostsFound(
        units=tuple(priced),
        border={TIME: fmean(reformats) if reformats else 0.0},
        fixed={TIME: fixed_ms},
    )
    return _with_wholes(found, measured)


def steady(looks: Sequence[PlanFacts]) -> PlanFacts:
    """Several looks into one plan as one: the median of what each layer took, for a machine that was busy meanwhile."""
    first = looks[0]
    names = [layer.name for layer in first.layers]
    if any([layer.name for layer in look.layers] != names for look in looks):
        return first
    layers = []
    for place, layer in enumerate(first.layers):
        told = [look.layers[place].milliseconds for look in looks]
        known = [each for each in told if each is not None]
        layers.append(structs.replace(layer, milliseconds=median(known) if known else None))
    whole = [look.inference_ms for look in looks if look.inference_ms is not None]
    return structs.replace(first, layers=tuple(layers), inference_ms=median(whole) if whole else None)


def units_of(told: Mapping[Format, Sensitivity]) -> tuple[UnitInfo, ...]:
    """The units in the model's order, with how far each moves the outputs; what they cost is not known yet."""
    rows = {row.unit: row for each in told.values() for row in each.rows}
    effects: dict[str, dict[str, float]] = {name: {} for name in rows}
    for form, each in told.items():
        for row in each.rows:
            if (effect := each.moved(row)) is not None:
                effects[row.unit][form] = effect
    order = sorted(rows.values(), key=lambda row: row.place)
    return tuple(
        UnitInfo(unit=row.unit, exclude=row.exclude, effects=effects[row.unit], signature=row.signature) for row in order
    )


def _times(plan: PlanFacts, owner: Mapping[str, str]) -> dict[str, float]:
    """What each unit takes of an inference: a layer of several units is shared out among them.

    Raises:
        BackendRefused: nobody says.
    """
    timed = [layer for layer in plan.layers if layer.milliseconds is not None]
    if not timed:
        raise BackendRefused(
            f"{plan.backend} does not say what its layers take ({plan.reason or 'the plan has no times'})",
            fix="search with another backend, or measure a few recipes beside each other with `edgetui run`",
        )
    profiled = sum(layer.milliseconds or 0.0 for layer in timed)
    scale = plan.inference_ms / profiled if plan.inference_ms and profiled else 1.0  # a profiler slows every layer down
    found: dict[str, float] = {}
    for layer in timed:
        mine = {owner[node] for node in layer.origin if node in owner}
        for name in mine:
            found[name] = found.get(name, 0.0) + scale * (layer.milliseconds or 0.0) / len(mine)
    return found


def _with_wholes(found: CostsFound, measured: Mapping[Format, CandidateMeasured]) -> CostsFound:
    """With quantities that only whole plans have, shared out by time (joules) or by weights (memory): plans of one format come
    out as they were measured. A file has bytes beside its weights.
    """
    units, fixed, base = list(found.units), dict(found.fixed), measured["fp32"].figures
    for key, by in _SHARED_OUT:
        if not all(key in each.figures for each in measured.values()):
            continue
        sums = {form: sum(unit.costs.get(form, unit.costs["fp32"])[by] for unit in units) for form in measured}
        fixed[key] = 0.0 if by == TIME else max(min(each.figures[key] - sums[form] for form, each in measured.items()), 0.0)
        a_unit = {form: max(each.figures[key] - fixed[key], 0.0) / (sums[form] or 1.0) for form, each in measured.items()}
        units = [
            structs.replace(
                unit,
                costs={form: {**own, key: own[by] * a_unit.get(cast("Format", form), 0.0)} for form, own in unit.costs.items()},
            )
            for unit in units
        ]
    fixed["size_mb"] = max(base.get("size_mb", 0.0) - sum(unit.costs["fp32"]["size_mb"] for unit in units), 0.0)
    return structs.replace(found, units=tuple(units), fixed=fixed)


def table_of(found: CostsFound) -> CostTable:
    """As the search reads it."""
    forms = [form for form in FORMATS if any(form in unit.costs for unit in found.units)]
    between: dict[tuple[Format, Format], dict[str, float]] = {
        (one, other): found.border for one in forms for other in forms if one != other
    }
    return CostTable(
        units=tuple(
            UnitCost(name=unit.unit, costs={cast("Format", form): own for form, own in unit.costs.items()})
            for unit in found.units
        ),
        borders=tuple(Reformat(costs=between) for _ in found.units[1:]),
        fixed=found.fixed,
    )
