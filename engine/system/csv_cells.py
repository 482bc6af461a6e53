"""Words as cells of a CSV: names and notes may come from elsewhere, and a spreadsheet computes what looks like a formula.

Apart from reports and recordings because both write tables for spreadsheets.
"""

from __future__ import annotations

_COMPUTED = ("=", "+", "-", "@", "\t", "\r")


def as_cell(value: object) -> object:
    """A word that a spreadsheet would compute with an apostrophe before it (CWE-1236); None is empty, numbers as they are."""
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(_COMPUTED) else value
