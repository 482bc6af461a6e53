"""The schemas that ship are those of the values, say what each field is, and refuse what is no such document."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from edgetui.engine.advice.compare import compare
from edgetui.engine.report.json_schemas import DOCUMENTS, FOLDER, path_of, schema_of, written
from edgetui.engine.schema import result as documents
from edgetui.engine.schema.field_docs import docs_of
from edgetui.engine.schema.figures import Metrics
from edgetui.engine.schema.result import Result


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_ships_is_what_the_values_are(name):
    mend = "python -m edgetui.engine.report.json_schemas"
    assert path_of(name).is_file(), f"run `{mend}`"
    assert path_of(name).read_text(encoding="utf-8") == written(name), f"a value has changed: run `{mend}`"


def test_no_other_ships():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(f"{name}.json" for name in DOCUMENTS)


def fields_in(schema: dict[str, Any], part: str) -> dict[str, Any]:
    return schema["$defs"][part]["properties"]


def test_the_sentence_below_a_field_describes_it():
    figures = fields_in(schema_of("result"), "Latency")
    assert figures["half_width"]["description"] == docs_of(type(Metrics().latency_ms))["half_width"]
    assert fields_in(schema_of("result"), "Payback")["by_energy"]["description"].startswith("The same in energy")


@pytest.mark.parametrize("kind", [Result, Metrics])
def test_every_field_of_a_value_is_in_its_schema(kind):
    schema = schema_of("result" if kind is Result else "metrics")
    assert set(fields_in(schema, kind.__name__)) == {field.encode_name for field in msgspec.structs.fields(kind)}


def test_a_point_of_a_comparison_has_all_axes(make):
    point = msgspec.to_builtins(compare([make()]).points[0])
    assert set(point) == set(fields_in(schema_of("comparison"), "ParetoPoint"))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_is_a_schema_of_its_draft(name):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    jsonschema.Draft202012Validator.check_schema(schema_of(name))


def test_a_result_is_valid_and_a_damaged_one_is_not(make):
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    check = jsonschema.Draft202012Validator(schema_of("result"))
    plain = json.loads(documents.encode(make()))
    assert list(check.iter_errors(plain)) == []
    for change in ({"state": "ended"}, {"run": None}, {"stages": [{}]}, {"difference": {"size_ratio": "0.3"}}):
        assert list(check.iter_errors(plain | change)), change
