"""A sensitivity in words: what is the same of many rows is said once, and no line is wider than the terminal."""

from __future__ import annotations

from edgetui.engine.report.sensitivity_table import sensitivity_report
from edgetui.engine.schema.sensitivity import UNITS, Sensitivity, SensitivityRow, WeightHistogram

LEFT = "stays as it is: `only` and `exclude` leave no weights to prune"
NO_CLASSES = "nothing says that the outputs are classes: labels, `classes` in the dataset's TOML file or a softmax would"


def row(name: str, sqnr: float | None) -> SensitivityRow:
    reasons = {"kl": NO_CLASSES} if sqnr is not None else {"sqnr_db": LEFT, "kl": LEFT}
    return SensitivityRow(unit=name, sqnr_db=sqnr, offset_rate_abs=None if sqnr is None else 0.03, reasons=reasons)


FOUND = Sensitivity(
    model="m.onnx",
    step="prune.magnitude",
    over=UNITS,
    settings={"only": ("Conv",), "exclude": ("/head/*", "n1"), "scope": "layer"},
    state="done",
    samples=8,
    rows=(row("conv2", 17.1), row("conv1", None), row("linear", None)),
    warnings=("inputs are made up (normal noise): what they say of real ones is not known, and this is longer than a row",),
    reasons={"kl": NO_CLASSES},
)


def test_the_same_reason_of_several_rows_is_said_once():
    text = sensitivity_report(FOUND, "m.onnx", 80)
    assert " ".join(text.split()).count(LEFT) == 1
    assert "conv1, linear: stays as it is" in text
    assert " ".join(text.split()).count(NO_CLASSES) == 1


def test_which_layers_the_step_takes_and_leaves_is_said():
    assert "prune.magnitude, only Conv, without /head/*, n1, 8 made-up inputs" in sensitivity_report(FOUND, "m.onnx", 120)


def test_no_line_is_wider_than_the_terminal():
    counted = WeightHistogram(
        setting="threshold",
        value=1e-3,
        low=-1,
        high=1,
        before=(1,) * 40,
        after=(1,) * 40,
        zeros_before=0,
        zeros_after=25242,
        beyond=7,
    )
    swept = Sensitivity(
        model="m.onnx", step="prune.magnitude", over="threshold", rows=(SensitivityRow(value=1e-3),), histogram=counted
    )
    for found in (FOUND, swept):
        assert all(len(line) <= 80 for line in sensitivity_report(found, "m.onnx", 80).splitlines())
    text = sensitivity_report(swept, "m.onnx", 80)
    assert "25 242 zeros" in text
    assert "7 beyond" in text
