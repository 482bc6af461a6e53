"""A study's table in words: whole cells at any width, the baseline beside every column, intervals that can be read."""

from __future__ import annotations

import pytest
from edgetui.engine.report.study_report import cell_text, study_report
from edgetui.engine.schema.study_table import StudyCell, StudyTable, StudyTableRow

NAMES = ("FP32", "PTQ FP16", "PTQ dynamic", "pruned 25 %", "pruned 75 %", "distilled")


def table(*columns: str) -> StudyTable:
    def row(figure: str, names: tuple[str, ...], cell: StudyCell) -> StudyTableRow:
        return StudyTableRow(
            figure=figure,
            unit="",
            experiment="e",
            paper=dict.fromkeys(names, 1.0),
            here=dict.fromkeys(names, cell),
            model="m",
            in_place_of="",
            weights="w",
            data="d",
            workload="flat-out",
        )

    rows = (
        row("accuracy", columns, StudyCell(value=0.97, low=0.957, high=0.983)),
        row("mean rank", columns[1:], StudyCell(value=2.75)),
    )
    return StudyTable(
        study="s",
        id="i",
        state="done",
        small=False,
        title="t",
        paper="p",
        board="b",
        here="h",
        variants=columns,
        rows=rows,
        runs=(),
        done=1,
        groups=1,
    )


@pytest.mark.parametrize("width", [78, 80, 120, 400])
def test_every_cell_stands_whole_and_the_baseline_in_every_table(width):
    text = study_report(table(*NAMES), width)
    assert all(len(line) <= width for line in text.split("\n"))
    cells = text.count("0.970 [0.957, 0.983]")
    heads = [line for line in text.split("\n") if "FP32" in line.split()]
    assert cells == len(NAMES) - 1 + len(heads), "each column once, the baseline in each table"
    assert text.count("2.75") == len(NAMES) - 1, "ranks have no baseline, and none of them stands twice"
    if width == 400:
        assert len(heads) == 1


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (StudyCell(value=-59.2, low=-100.0, high=2.01e11), "-59.2 [not known]"),
        (StudyCell(value=-0.0022, low=-100.0, high=9000.0), "0 [-100, 9000]"),
        (StudyCell(value=2.44, low=2.391, high=2.489), "2.440 [2.391, 2.489]"),
        (StudyCell(value=3.0, low=3.0, high=3.0), "3.00"),
        (StudyCell(value=182.3, reason="too few rounds"), "182 [not known]"),
        (StudyCell(reason="no sensor"), "–"),
        (StudyCell(value=0.0, choice="pruned"), "pruned 0"),
    ],
)
def test_a_cell_has_two_digits_of_its_interval(cell, text):
    assert cell_text(cell) == text
