"""Studies as files: those that ship can be read, and a name that nothing has is refused with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from edgetui.engine.advice.metrics import METRICS
from edgetui.engine.errors import ConfigRefused
from edgetui.engine.library.studies import PACKAGED_STUDIES, find_study, list_studies, read_study, study_names

LEAST = """
title = "t"
[[model]]
name = "m"
file = "m.onnx"
weights = "w"
[[variant]]
name = "FP32"
[[variant]]
name = "INT8"
recipe = "int8"
[[experiment]]
name = "e"
"""
ROW = '[[row]]\nfigure = "f"\nexperiment = "e"\nmetric = "size"\n'


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_those_that_ship_can_be_read_and_say_what_they_are_of():
    assert [study.name for study in list_studies()] == ["filippou2024", "qin2018", "rachmanto2024", "zhang2023"]
    for study in list_studies():
        assert study.paper
        assert study.board
        assert study.row
        assert all(model.of and model.weights for model in study.model)
        assert {row.metric for row in study.row} <= {metric.key for metric in METRICS if metric.path}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (LEAST + ROW.replace('"e"', '"x"'), "no experiment `x`"),
        (LEAST + ROW + "paper = { INT4 = 1 }\n", "no variant `INT4`"),
        (LEAST + ROW + 'model = "n"\n', "no model `n`"),
        (LEAST + 'workloads = "cycle"\n', "unknown key `experiment.workloads`"),
        (LEAST + "repeats = 0\n", "`experiment.repeats = 0` is not valid"),
        (LEAST + '[[variant]]\nname = "INT8"\n', "two of its variants are called `INT8`"),
        ('title = "t"\n', "nothing to run"),
        ('title = "t', "not valid TOML"),
        ('like = "nothing"\n', "no study `nothing`"),
        ("like = 3\n", "`like` is no text"),
        ('like = "qin2018"\nmodels = "a.onnx"\n', "`models` is not a list"),
        ('like = "mine"\n', "like itself"),
        (LEAST + "# \x00\n", "not valid TOML"),
    ],
)
def test_what_is_not_valid_is_refused_with_its_place(tmp_path, text, what):
    with pytest.raises(ConfigRefused, match=re.escape(what)):
        read_study(written(tmp_path, text))


def test_studies_that_are_like_each_other_are_refused(tmp_path):
    written(tmp_path, 'like = "other.toml"\n')
    path = written(tmp_path, 'like = "mine.toml"\n', "other")
    with pytest.raises(ConfigRefused, match=re.escape(f"{path} is like itself, through mine.toml")):
        read_study(path)


def test_a_study_is_like_another_of_its_own_folder(tmp_path):
    base = written(tmp_path, LEAST + ROW, "base")
    path = written(tmp_path, 'like = "base.toml"\n')
    assert read_study(path).row == read_study(base).row


def test_a_study_that_is_not_there_names_the_nearest():
    with pytest.raises(ConfigRefused, match="zhang2023"):
        find_study("zhang2032")


def test_a_users_models_come_into_anothers_rows(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"")
    path = written(tmp_path, 'like = "zhang2023"\nmodels = ["a.onnx", "elsewhere"]\ndataset = "frames"\n')
    study, base = read_study(path), find_study("zhang2023")
    assert [model.name for model in study.model] == ["a", "elsewhere"]
    assert study.model[0].file == str(tmp_path / "a.onnx")
    assert study.model[1].file == "elsewhere", "a name of edgetui.toml is left as it is"
    assert {model.dataset for model in study.model} == {"frames"}
    assert study.row == base.row
    assert study.variant == base.variant
    assert (study.name, study.title, study.paper) == ("mine", base.title, base.paper)


def test_the_users_own_hide_those_that_ship_and_may_be_like_them(own_state):
    folder = own_state.parents[1] / "config" / "edgetui" / "studies"
    folder.mkdir(parents=True)
    written(folder, 'like = "qin2018"\ntitle = "ours"\nmodels = ["a.onnx"]\n', "qin2018")
    assert find_study("qin2018").title == "ours"
    assert study_names().count("qin2018") == 1
    assert find_study("qin2018").row == read_study(PACKAGED_STUDIES / "qin2018.toml").row
