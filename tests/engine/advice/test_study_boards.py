"""One table of several boards' tables: each figure in its board's column, the paper's below each."""

from __future__ import annotations

from edgetui.engine.advice.study_boards import side_by_side
from edgetui.engine.schema.study_table import StudyCell, StudyTable, StudyTableRow


def row(figure: str, **values: float) -> StudyTableRow:
    here = {name: StudyCell(value=value) for name, value in values.items()}
    return StudyTableRow(
        figure=figure,
        unit="ms",
        experiment="one",
        paper={"INT8": 3.0},
        here=here,
        model="m",
        in_place_of="",
        weights="",
        data="",
        workload="flat-out",
    )


def table(board: str, *rows: StudyTableRow, done: int = 1) -> StudyTable:
    return StudyTable(
        study="s",
        id="",
        state="done" if done == 1 else "crashed",
        small=False,
        title="t",
        paper="",
        board="",
        here=f"the {board}",
        variants=("FP32", "INT8"),
        rows=rows,
        runs=("r1",),
        done=done,
        groups=1,
    )


def test_each_figure_is_in_the_column_of_its_board():
    orin = table("orin", row("time", FP32=2.0, INT8=1.0), row("size", FP32=8.0))
    nano = table("nano", row("time", FP32=20.0, INT8=15.0), done=0)
    found = side_by_side({"orin": orin, "nano": nano})
    assert found.variants == ("FP32, orin", "FP32, nano", "INT8, orin", "INT8, nano")
    time, size = found.rows
    assert {column: cell.value for column, cell in time.here.items()} == {
        "FP32, orin": 2.0,
        "FP32, nano": 20.0,
        "INT8, orin": 1.0,
        "INT8, nano": 15.0,
    }
    assert {column: value for column, value in time.paper.items() if value} == {"INT8, orin": 3.0, "INT8, nano": 3.0}
    assert list(size.here) == ["FP32, orin"]
    assert (found.state, found.done, found.groups) == ("crashed", 1, 2)
    assert found.runs == ("orin:r1", "nano:r1")
    assert found.here == "orin: the orin; nano: the nano"


def test_of_one_board_the_table_is_its_own():
    orin = table("orin", row("time", FP32=2.0))
    assert side_by_side({"orin": orin}) is orin
