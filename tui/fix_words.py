"""A fix in the words of the screen: who presses keys types no flags, so a setting is named by its row."""

from __future__ import annotations

from ..engine.errors import EdgetuiError, Fix, as_flag

_ROWS = {
    "backend": "backend",
    "calibration": "calibration",
    "dataset": "data",
    "device": "device",
    "mode": "mode",
    "workload": "workload",
    "per-input": "per input",
}
"""Settings that have a row in the settings pane, to what it is called there; an input's shape has one under its name."""


def on_screen(error: EdgetuiError) -> str:
    """What happened and what to do."""
    return error.refusal.said(as_row)


def as_row(fix: Fix) -> str:
    """The row of a fix's setting, with the value to choose, e.g. `the row "backend: onnxruntime"`; a flag where it has none."""
    if fix.setting == "shape":
        shapes = (fix.value,) if isinstance(fix.value, str) else fix.value
        return " and ".join(f"the row shape {shape.rpartition('=')[0]}" for shape in shapes)
    row = _ROWS.get(fix.setting)
    if row is None:
        return as_flag(fix)
    return f'the row "{row}: {fix.value}"' if fix.value else f"the row {row}"
