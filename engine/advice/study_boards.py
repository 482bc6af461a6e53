"""Tables of one study from several boards as one: a column for each variant on each board, the paper's figures below."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ..schema.result import State
from ..schema.study_table import StudyTable


def side_by_side(tables: Mapping[str, StudyTable]) -> StudyTable:
    """One table of those of boards, by their names. Of rows that not all have, the boards that have them."""
    first = next(iter(tables.values()))
    if len(tables) == 1:
        return first

    def named(variant: str, board: str) -> str:
        return f"{variant}, {board}"

    rows = []
    for row in first.rows:
        mine = {
            board: same
            for board, table in tables.items()
            for same in table.rows
            if (same.figure, same.experiment, same.model) == (row.figure, row.experiment, row.model)
        }
        here = {named(v, board): same.here[v] for v in row.here for board, same in mine.items() if v in same.here}
        paper = {named(v, board): row.paper.get(v) for v in row.here for board in mine}
        rows.append(replace(row, here=here, paper={column: paper[column] for column in here}))
    states = {table.state for table in tables.values()}
    state: State = next(iter(states)) if len(states) == 1 else "crashed"
    notes = dict.fromkeys(note for table in tables.values() for note in table.notes)
    return replace(
        first,
        state=state,
        here="; ".join(f"{board}: {table.here}" for board, table in tables.items() if table.here),
        variants=tuple(named(variant, board) for variant in first.variants for board in tables),
        rows=tuple(rows),
        runs=tuple(f"{board}:{run}" for board, table in tables.items() for run in table.runs),
        failed=tuple(f"{board}:{run}" for board, table in tables.items() for run in table.failed),
        done=sum(table.done for table in tables.values()),
        groups=sum(table.groups for table in tables.values()),
        notes=tuple(notes),
    )
