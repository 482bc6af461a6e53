"""`edgetui study`: lists, says what it would do and for how long, refuses what cannot be."""

from __future__ import annotations

import json

import pytest
from edgetui.engine.config import PACKAGE
from edgetui.engine.report.json_schemas import schema_of

DEMO = PACKAGE / "profiles" / "demo"


def test_without_a_name_the_studies_are_listed(tell):
    said = tell("study")
    assert said.code == 0
    assert all(name in said.out for name in ("zhang2023", "filippou2024", "rachmanto2024", "qin2018"))
    listed = json.loads(tell("study", "--json").out)
    assert [each["study"] for each in listed] == ["filippou2024", "qin2018", "rachmanto2024", "zhang2023"]
    assert {tuple(each["here"]) for each in listed} == {()}


def test_before_it_starts_it_says_how_long_and_what_is_left_out(tell):
    said = tell("study", "rachmanto2024", "--small", "--dry-run")
    assert said.code == 0, said.err
    assert "for 30 runs in 5 groups" in said.out
    assert "--small trains nothing" in said.out or "no recipe" in said.out
    assert "techniques (5)" in said.out
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed here")
    document = json.loads(tell("study", "rachmanto2024", "--small", "--dry-run", "--json").out)
    jsonschema.validate(document, schema_of("study_time"))
    assert document["most_s"] <= 900


@pytest.mark.parametrize("name", ["zhang2023", "filippou2024", "rachmanto2024", "qin2018"])
def test_small_is_promised_within_a_quarter_of_an_hour(tell, name):
    document = json.loads(tell("study", name, "--small", "--dry-run", "--json").out)
    assert 0 < document["most_s"] <= 900
    assert document["training"] == 0


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("study", "zhang"), "there is no study `zhang`"),
        (("study", "--small"), "no study is named"),
        (("study", "--on", "orin"), "no study is named"),
        (("study", "/nowhere/x.toml"), "there is no study file"),
        (("study", "zhang2023", "--tiny"), "--tiny"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(tell, words, what):
    said = tell(*words)
    assert said.code in (1, 2)
    assert said.err.startswith("error: ")
    assert what in said.err
    assert "; " in said.err


def test_one_that_was_begun_is_known_to_show_cancel_and_resume(tell, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        f'title = "t"\n[[model]]\nname = "digits"\nfile = "{DEMO / "digits.onnx"}"\ndataset = "{DEMO / "digits.toml"}"\n'
        'weights = "w"\n[[variant]]\nname = "one"\nrecipe = "prune-5"\n[[experiment]]\nname = "e"\nworkload = "flat-out"\n'
    )
    begun = tell("study", str(file), "--detach").out.splitlines()[-1]
    ended = tell("cancel", "mine")
    assert ended.code == 0, ended.err
    assert ended.out.strip() == f"study {begun} is cancelled; `edgetui resume {begun}` takes it up again"
    shown = tell("show", begun)
    assert shown.code == 1
    assert "mine  cancelled  " in shown.out
    assert shown.err.startswith(f"error: study {begun} is not done: ")
    assert f"`edgetui resume {begun}` takes it up again" in shown.err
    watched = tell("watch", "mine")
    assert (watched.code, watched.out, watched.err) == (shown.code, shown.out, shown.err), "over at once, and said the same"
    assert f"error: study {begun} is not running; " in tell("cancel", begun).err
    assert tell("resume", begun, "--detach").err.startswith(f"study {begun} goes on")
    assert f"error: study {begun} is running; begin it anew" in tell("resume", begun).err
    assert tell("cancel", begun, "--json").code == 0


def test_a_study_of_nothing_that_is_here_says_why(tell, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('like = "qin2018"\nmodels = ["nowhere.onnx"]\n')
    said = tell("study", str(file))
    assert said.code == 2
    assert "nowhere.onnx is not here" in said.err


def test_reasons_why_nothing_is_run_stand_in_lines_of_their_own(tell, tmp_path):
    model, data = DEMO / "digits.onnx", DEMO / "digits.toml"
    variants = "".join(f'[[variant]]\nname = "{name}"\nrecipe = "no-{name}"\n' for name in ("one", "two"))
    variants += '[[variant]]\nname = "three"\nrecipe = "qin-quantise"\n'
    file = tmp_path / "mine.toml"
    file.write_text(
        f'title = "t"\n[[model]]\nname = "digits"\nfile = "{model}"\ndataset = "{data}"\nweights = "w"\n{variants}'
        '[[experiment]]\nname = "e"\nworkload = "flat-out"\n'
    )
    said = tell("study", str(file))
    assert said.code == 2
    *why, error = said.err.splitlines()
    assert why == [
        "  ! one: there is no recipe `no-one`",
        "  ! two: there is no recipe `no-two`",
        "  ! three: there is no recipe `qin-quantise`; did you mean `qin-quantize`?",
    ]
    assert error.startswith("error: nothing of mine can be run here; ")
    told = json.loads(tell("study", str(file), "--json").out)["error"]["what"]
    assert all(f"`no-{name}`" in told for name in ("one", "two"))
