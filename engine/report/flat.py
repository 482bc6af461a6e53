"""Results as CSV: one line a figure, so that spreadsheets and scripts need not know the document's shape."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import msgspec

from ..schema.result import Result
from ..system.csv_cells import as_cell

LEFT_OUT = frozenset({"histogram"})
"""Lists of a hundred counts are in result.json."""


def csv_text(results: Sequence[Result]) -> str:
    """`run,field,value,reason`; the field is the path in the JSON document, an unknown value is empty and says why."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("run", "field", "value", "reason"))
    for result in results:
        for path, value in leaves(msgspec.to_builtins(result), ""):
            if path not in ("run", "reasons"):
                writer.writerow(map(as_cell, (result.run, path, value, result.reasons.get(path, ""))))
    return out.getvalue()


def leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """Every figure and word below a value with its dotted path; lists of LEFT_OUT are left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in LEFT_OUT and not (path == "" and key == "reasons"):
                yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from leaves(inner, f"{path}.{place}")
    else:
        yield path, value
