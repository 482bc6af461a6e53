"""Letters for terminals without UTF-8: what stands for each of ours.

The command line asks as well as the screen, so nothing of Textual is in here.
"""

from __future__ import annotations

LETTERS: dict[int, str | int] = {
    **dict.fromkeys(range(0x2500, 0x2580), "+"),  # frames: corners and crossings, then
    **dict.fromkeys(map(ord, "─┄┈╌╴╶╼╾═╸╺▔▀"), "-"),
    **dict.fromkeys(map(ord, "━┅┉╍"), "="),  # the frame of what has the focus, where there is no colour
    **dict.fromkeys(map(ord, "│┆┊╎╵╷╽╿┃┇┋╏╹╻║‖▌▐▍▎▏▕┤├"), "|"),
    **dict.fromkeys(map(ord, "▓▰▉▊▋■"), "#"),
    **dict.fromkeys(map(ord, "░▒▱"), "."),
    **str.maketrans("▁▂▃▄▅▆▇█", "_.,-=+*#"),
    **str.maketrans("▸▶▾✓✗·•●○◌◆★↑↓←→‹›…–±×µ°²▲▼≥≤αä", ">>vvx..*oo**^v<><>.-~xuo2+-><aa"),
}
"""Of the same width each, so that rows of the screen keep theirs."""
_LONGER = {"·": "|", "╸": "=", "→": "->", "←": "<-", "✓": "+", "≥": ">=", "≤": "<=", "…": "...", "–": "-"}
WORDS: dict[int, str | int] = LETTERS | {ord(letter): text for letter, text in _LONGER.items()}
"""Where lines may grow: what the command line prints."""
