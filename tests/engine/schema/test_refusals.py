"""A refusal is a value: it is worded when it is said, and a document of before has its sentence alone."""

from __future__ import annotations

import msgspec
from edgetui.engine.errors import (
    ELSEWHERE,
    ON_THE_CPU,
    WITHOUT,
    BackendRefused,
    Fix,
    ModelRefused,
    Refusal,
    first_line,
    nearest,
)
from edgetui.engine.schema import events
from edgetui.engine.schema.failure import Failure
from edgetui.engine.schema.model_facts import ModelFacts

REFUSAL = Refusal.of("TensorRT has no Det", *WITHOUT).at("/head/det")


def test_a_refusal_is_said_with_its_node_and_every_fix():
    reader = Fix("run with {}", "backend", "torch")
    assert (
        str(REFUSAL.with_elsewhere(reader)) == "/head/det: TensorRT has no Det; export without it, or run with --backend torch"
    )
    assert str(REFUSAL.with_elsewhere(None)) == "/head/det: TensorRT has no Det; export without it"
    assert str(Refusal("the run failed")) == "the run failed"
    assert REFUSAL.node == "/head/det"


def test_several_values_are_several_flags():
    error = ModelRefused("open axes", fix=Fix("give each `?` a number: {}", "shape", ("ids=1x?", "mask=1x?")))
    assert error.fix == "give each `?` a number: --shape ids=1x? --shape mask=1x?"


def test_braces_in_words_without_a_setting_stay():
    assert Refusal.of("x", "write {} around it").said() == "x; write {} around it"


def test_a_way_that_leads_nowhere_is_left_out():
    error = BackendRefused("there is no GPU", fix=("run it where there is one", ON_THE_CPU))
    error.narrow(lambda target: target != "onnxruntime")
    assert error.fix == "run it where there is one"


def test_what_travels_as_json_comes_back_the_same():
    error = BackendRefused("x", fix=("mend it", ON_THE_CPU), node="/a")
    failed = events.decode(events.encode(events.StageFailed.of("build", error)))
    assert isinstance(failed, events.StageFailed)
    assert failed.refusal == error.refusal
    kept = Failure.of("build", error)
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Failure) == kept
    facts = ModelFacts(name="m", refusals={"tensorrt": (REFUSAL,), "torch": ()})
    again = msgspec.json.decode(msgspec.json.encode(facts), type=ModelFacts)
    assert again.refusals == facts.refusals
    assert again.refused == {"tensorrt": (str(REFUSAL),), "torch": ()}


def test_documents_of_before_have_sentences_alone():
    facts = msgspec.json.decode(
        b'{"name":"m","refused":{"tensorrt":["/n: no Det; export without it"],"torch":[]}}', type=ModelFacts
    )
    assert facts.refusals == {"tensorrt": (Refusal("/n: no Det; export without it"),), "torch": ()}
    failure = msgspec.json.decode(b'{"stage":"build","what":"it ended","fix":"try again"}', type=Failure)
    assert str(failure.refusal) == "it ended; try again"
    failed = events.decode(b'{"kind":"stage-failed","stage":"build","what":"it ended","fix":"try again"}')
    assert isinstance(failed, events.StageFailed)
    assert str(failed.refusal) == "it ended; try again"


def test_elsewhere_is_no_backend_yet():
    assert (ELSEWHERE.setting, ELSEWHERE.value) == ("backend", "")


def test_a_library_s_error_is_one_line_or_its_type() -> None:
    assert first_line(ValueError("\n  bad shape \nin 40 frames\n")) == "bad shape "
    assert first_line(ValueError("x" * 500), 120) == "x" * 120
    assert first_line(KeyError()) == "KeyError"


def test_of_many_names_a_refusal_lists_a_few_that_are_near_and_says_how_many_there_are():
    """Two thousand models took ten rows of the screen, and the end was cut."""
    names = [f"net-{n:04}" for n in range(2000)]
    assert nearest("net-0816", names) == "did you mean `net-0816`?"
    assert nearest("zzz", names).endswith("net-0005 and 1 994 more")
    assert "known: qr, " in nearest("qqq", [*names, "qr"])
    assert nearest("zzz", ("a", "b")) == "known: a, b"
