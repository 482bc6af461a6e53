"""From profiles of plans to a table of costs by unit."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.errors import BackendRefused
from edgetui.engine.schema.figures import Ratio
from edgetui.engine.schema.plan import LayerFacts, PlanFacts
from edgetui.engine.schema.search import CandidateMeasured
from edgetui.engine.schema.sensitivity import Sensitivity, SensitivityRow
from edgetui.engine.schema.steps import QuantizeInt8, Recipe
from edgetui.engine.work.mix_costs import costs_of, steady, table_of, units_of
from edgetui.engine.work.mix_recipes import excluded, recipe_of


def row(name: str, place: int, kl: float | None, *nodes: str) -> SensitivityRow:
    return SensitivityRow(unit=name, place=place, exclude=(name,), nodes=(name, *nodes), weights=1000 * (place + 1), kl=kl)


TOLD = Sensitivity(
    model="m.onnx",
    step="quantize.int8",
    ranked_by="kl",
    rows=(row("last", 2, 0.5), row("first", 0, 0.1, "first_relu"), row("middle", 1, None)),
)
FLOATS = PlanFacts(
    name="fp32",
    backend="onnxruntime",
    inference_ms=10.0,
    layers=(
        LayerFacts(name="a", milliseconds=4.0, origin=("first", "first_relu")),
        LayerFacts(name="b", milliseconds=2.0, origin=("middle",)),
        LayerFacts(name="c", milliseconds=3.0, origin=("last",)),
        LayerFacts(name="d", milliseconds=1.0, origin=("nobody",)),
    ),
)
INTEGERS = PlanFacts(
    name="int8",
    backend="onnxruntime",
    inference_ms=5.0,
    layers=(
        LayerFacts(name="q", milliseconds=0.5, reformat=True),
        LayerFacts(name="a", milliseconds=1.0, origin=("first",)),
        LayerFacts(name="b", milliseconds=2.0, origin=("middle",)),
        LayerFacts(name="c", milliseconds=1.5, origin=("last",)),
    ),
)


def measured(**figures: float) -> dict[str, CandidateMeasured]:
    ratio = {"latency_ms": Ratio(value=0.55, low=0.5, high=0.6)}
    return {
        "int8": CandidateMeasured(of=("int8",), ratios=ratio, figures={key: value / 2 for key, value in figures.items()}),
        "fp32": CandidateMeasured(of=("fp32",), ratios={}, figures=figures),
    }


def test_units_stand_in_the_models_order_and_those_that_stay_have_floats_alone():
    found = costs_of({"fp32": FLOATS, "int8": INTEGERS}, {"int8": TOLD}, measured())
    assert [unit.unit for unit in found.units] == ["first", "middle", "last"]
    assert [set(unit.costs) for unit in found.units] == [{"fp32", "int8"}, {"fp32"}, {"fp32", "int8"}]
    assert [unit.effects for unit in found.units] == [{"int8": 0.1}, {}, {"int8": 0.5}]
    assert found.border["latency_ms"] == 0.5
    assert units_of({"int8": TOLD})[1].exclude == ("middle",)


def test_a_profile_shares_out_what_the_measurement_says_of_the_whole():
    found = costs_of({"fp32": FLOATS, "int8": INTEGERS}, {"int8": TOLD}, measured())
    table = table_of(found)
    prices = table.prices("latency_ms")
    assert prices.of_mix(table.baseline) == pytest.approx(10.0)
    costs = [unit.costs["int8"]["latency_ms"] for unit in found.units if "int8" in unit.costs]
    assert costs[1] == pytest.approx(1.5 * costs[0]), "shares are the profile's"
    assert sum(costs) + found.fixed["latency_ms"] < 5.5, "the unit in the middle has its part of the 0.55"
    assert found.units[0].costs["int8"]["latency_ms"] == pytest.approx(4.5 / 4.5)


def test_memory_and_joules_of_whole_plans_come_out_as_they_were_measured():
    found = costs_of({"fp32": FLOATS, "int8": INTEGERS}, {"int8": TOLD}, measured(energy_j=2.0, memory_mb=80.0, size_mb=0.1))
    table = table_of(found)
    whole = ("int8", "fp32", "int8")
    assert table.prices("energy_j").of_mix(table.baseline) == pytest.approx(2.0)
    assert table.prices("memory_mb").of_mix(table.baseline) == pytest.approx(80.0)
    assert table.prices("size_mb").of_mix(table.baseline) == pytest.approx(0.1)
    assert table.prices("size_mb").of_mix(whole) == pytest.approx(0.1 - 3 * 4000 / 1e6)


def test_what_no_sensor_told_is_no_quantity_of_the_table():
    table = table_of(costs_of({"fp32": FLOATS, "int8": INTEGERS}, {"int8": TOLD}, measured()))
    assert table.quantities == {"latency_ms", "size_mb"}


def test_a_plan_that_tells_no_times_is_refused():
    blind = msgspec.structs.replace(FLOATS, layers=(), reason="it names no layers")
    with pytest.raises(BackendRefused, match="it names no layers"):
        costs_of({"fp32": blind, "int8": INTEGERS}, {"int8": TOLD}, measured())


def test_of_several_looks_the_median_counts():
    slow = msgspec.structs.replace(
        FLOATS, inference_ms=90.0, layers=tuple(msgspec.structs.replace(each, milliseconds=9.0) for each in FLOATS.layers)
    )
    assert steady([slow, FLOATS, FLOATS]) == FLOATS
    assert steady([slow, INTEGERS]) == slow, "other layers are no look at the same"


def test_a_mix_becomes_a_recipe_that_leaves_the_others():
    units = units_of({"int8": TOLD})
    whole = Recipe(name="int8", title="", step=(QuantizeInt8(exclude=("head",), samples=7),))
    found = recipe_of(("int8", "fp32", "fp32"), units, whole, 3)
    assert found.step == (QuantizeInt8(exclude=("head", "middle", "last"), samples=7),)
    assert found.name == "mix-3-int8-1-of-3"
    assert excluded(("int8", "fp32", "fp16"), units) == ("middle",)
    halves = recipe_of(("int8", "fp32", "fp16"), units, whole, 4)
    assert [step.method for step in halves.step] == ["quantize.int8", "precision.fp16"]
    assert halves.step[0].exclude == ("head", "middle", "last")
    assert halves.step[1].keep == ("middle",)
    assert [step.method for step in recipe_of(("fp16",) * 3, units, whole, 5).step] == ["precision.fp16"]
