"""What one search leaves to the next: taken over for the same layers here, and for nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.compress.unit_signature import signatures
from edgetui.engine.compress.units import units_of
from edgetui.engine.config import PACKAGE
from edgetui.engine.graph.load import load
from edgetui.engine.inspection.inspect import inspect
from edgetui.engine.runs.search_folder import SearchDir, create_search
from edgetui.engine.schema.search import CostsFound, LearntLayers, SearchLine, SearchRequest, UnitInfo
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import QuantizeInt8, Recipe
from edgetui.engine.work.learnt_layers import known_costs, stamp_here
from onnx import numpy_helper

SPEC = RunSpec(model="/m.onnx", recipe=Recipe(name="int8", step=(QuantizeInt8(),)))
TIME = frozenset({"latency_ms"})
DIGITS = PACKAGE / "profiles" / "zoo" / "digits-resnet20.onnx"


def unit(name: str, signature: str, int8_ms: float = 1.0) -> UnitInfo:
    costs = {"fp32": {"latency_ms": 2.0}, "int8": {"latency_ms": int8_ms}}
    return UnitInfo(unit=name, exclude=(name,), costs=costs, effects={"int8": 0.1}, signature=signature)


def wanted(name: str, signature: str) -> UnitInfo:
    return msgspec.structs.replace(unit(name, signature), costs={}, effects={"int8": 0.7})


def searched(home: Path, *units: UnitInfo, mix: tuple[str, ...] = (), stamp: str = "here") -> SearchDir:
    folder = create_search(home, SearchRequest(goal="fastest", spec=SPEC, builds=8))
    costs = CostsFound(units=units, border={"latency_ms": 0.1}, fixed={"latency_ms": 0.2})
    folder.add(SearchLine(learnt=LearntLayers(stamp=stamp, costs=costs, mix=mix)))
    return folder


def next_search(home: Path) -> SearchDir:
    return create_search(home, SearchRequest(goal="fastest", spec=SPEC, builds=8))


def test_layers_are_known_by_what_they_are_and_not_by_their_names(tmp_path: Path):
    before = searched(tmp_path, unit("a", "conv"), unit("b", "conv", 1.5), unit("c", "gemm"), mix=("int8", "fp32", "int8"))
    now = (wanted("x", "conv"), wanted("y", "conv"), wanted("z", "gemm"))
    found, said = known_costs(next_search(tmp_path), now, "here", TIME)
    assert found is not None
    assert [each.unit for each in found.units] == ["x", "y", "z"]
    assert [each.costs["int8"]["latency_ms"] for each in found.units] == [1.0, 1.5, 1.0]
    assert [each.effects["int8"] for each in found.units] == [0.7] * 3, "what weights do is not taken over"
    assert found.taken is not None
    assert (found.taken.search, found.taken.first) == (before.id, ("int8", "fp32", "int8"))
    assert before.id in said
    assert "3 units" in said


def test_another_board_or_version_takes_nothing_and_says_so(tmp_path: Path):
    before = searched(tmp_path, unit("a", "conv"), stamp="elsewhere")
    found, said = known_costs(next_search(tmp_path), (wanted("x", "conv"),), "here", TIME)
    assert found is None
    assert before.id in said
    assert "nothing is taken over" in said


@pytest.mark.parametrize(("signature", "needed"), [("gemm", TIME), ("", TIME), ("conv", frozenset({"latency_ms", "energy_j"}))])
def test_layers_or_quantities_that_nobody_knows_are_found_anew(tmp_path: Path, signature: str, needed: frozenset[str]):
    searched(tmp_path, unit("a", "conv"), unit("b", ""))
    assert known_costs(next_search(tmp_path), (wanted("x", signature),), "here", needed) == (None, "")


def test_a_format_that_a_unit_has_no_more_is_left_out(tmp_path: Path):
    searched(tmp_path, unit("a", "conv"), mix=("int8",))
    stays = msgspec.structs.replace(wanted("x", "conv"), effects={})
    found, _ = known_costs(next_search(tmp_path), (stays,), "here", TIME)
    assert found is not None
    assert set(found.units[0].costs) == {"fp32"}
    assert found.taken is not None
    assert found.taken.first == ()


def test_the_newest_search_that_knows_all_is_taken(tmp_path: Path):
    searched(tmp_path, unit("a", "conv", 1.0))
    newest = searched(tmp_path, unit("a", "conv", 1.2))
    searched(tmp_path, unit("a", "gemm"))
    found, _ = known_costs(next_search(tmp_path), (wanted("x", "conv"),), "here", TIME)
    assert found is not None
    assert found.taken is not None
    assert found.taken.search == newest.id


def test_a_stamp_is_of_settings_and_step_too():
    here = stamp_here(SPEC)
    assert stamp_here(msgspec.structs.replace(SPEC, model="/other.onnx", seed=3)) == here
    assert stamp_here(msgspec.structs.replace(SPEC, backend=BackendSettings(threads=1))) != here
    assert stamp_here(msgspec.structs.replace(SPEC, recipe=Recipe(step=(QuantizeInt8(per_channel=False),)))) != here


def test_a_signature_is_of_operators_and_shapes_and_not_of_weights_or_names(tmp_path: Path):
    model, shapes = load(DIGITS), inspect(DIGITS, {}).shapes
    units = units_of(model)
    told = signatures(model, shapes, units)
    assert len(set(told.values())) > 10
    other = onnx.load(DIGITS)
    for tensor in other.graph.initializer:
        array = numpy_helper.to_array(tensor)
        if array.dtype == np.float32 and array.ndim > 1:
            tensor.CopyFrom(numpy_helper.from_array(array * 1.1 + 0.01, tensor.name))
    for node in other.graph.node:
        node.name = f"again_{node.name}" if node.name else ""
    onnx.save(other, tmp_path / "again.onnx")
    again = load(tmp_path / "again.onnx")
    assert list(signatures(again, shapes, units_of(again)).values()) == list(told.values())
    strided = onnx.load(DIGITS)
    first = next(node for node in strided.graph.node if node.op_type == "Conv")
    next(each for each in first.attribute if each.name == "group").i = 1
    first.attribute.extend([onnx.helper.make_attribute("auto_pad", "NOTSET")])
    found = signatures(strided, shapes, units_of(strided))
    changed = [one != other for one, other in zip(found.values(), told.values(), strict=True)]
    assert changed[0]
    assert not any(changed[1:])
