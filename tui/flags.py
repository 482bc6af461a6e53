"""What an error says of the command line's flags, said with the rows of the screen instead: who presses keys types no flags."""

from __future__ import annotations

import re

_ROWS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?:run|again) with `?--backend (\w+)`?"), r"choose \1 in the row backend"),
    (re.compile(r"give it with --shape (\S+?)=\S+"), r"type it in the row shape \1"),
    (re.compile(r"`?--shape ([^\s=`]+)=[^\s`;,]+`?"), r"a size in the row shape \1"),
    (re.compile(r"run with --workload (\S+)"), r"choose \1 in the row workload"),
    (re.compile(r" \(--(?:mode|device) \w+\)"), ""),
    (re.compile(r"--dataset(?: D\b)?"), "the row data"),
    (re.compile(r"--calibration(?: D\b)?"), "the row calibration"),
)


def rows_for_flags(text: str) -> str:
    """The text with each flag that has a row in the settings pane named by that row; other flags stay."""
    for pattern, words in _ROWS:
        text = pattern.sub(words, text)
    return text
