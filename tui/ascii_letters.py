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
    **str.maketrans("▸▶▾✓✗·•●○◌◆★↑↓←→‹›…–±×µ°²▲▼≥≤αä", ">>v+x..*o.**^v<><>~-~xuo2+-><aa"),
}
"""Of the same width each, so that rows of the screen keep theirs. A cut text ends with `~`: a dot looked like its end."""
_LONGER = {"·": "|", "╸": "=", "→": "->", "←": "<-", "≥": ">=", "≤": "<=", "…": "...", "±": "+-", "°": ""}
WORDS: dict[int, str | int] = LETTERS | {ord(letter): text for letter, text in _LONGER.items()}
"""Where lines may grow: what the command line prints."""
_WITH_BLANK = {" …": "..", "°C": " C", "≥ ": ">=", "≤ ": "<=", "± ": "+-", "  ±": " +-", "→ ": "->"}
"""Signs whose usual twin has two columns, with a blank that they can have for it."""
_ARROW_KEYS = str.maketrans({"←": "left", "→": "right", "↑": "up", "↓": "down"})


def of_same_width(text: str) -> str:
    """A row of the screen without the signs that are known here, as wide as it was."""
    for sign, twin in _WITH_BLANK.items():
        text = text.replace(sign, twin)
    return text.translate(LETTERS)


def of_lines(text: str) -> str:
    """What the command line prints without our signs: what a twin is wider by, the next blanks between columns give."""
    return text if text.isascii() else "\n".join(map(_of_line, text.split("\n")))


def _of_line(line: str) -> str:
    written, owed = [], 0
    for letter, following in zip(line, f"{line[1:]}\n", strict=False):
        twin = WORDS.get(ord(letter), letter)
        shown = twin if isinstance(twin, str) else chr(twin)
        owed += len(shown) - 1
        if letter == following == " " and owed:  # one blank stays of each gap
            shown = "" if owed > 0 else " " * (1 - owed)
            owed = max(0, owed - 1) if owed > 0 else 0
        written.append(shown)
    return "".join(written)


def keys_in_words(text: str, graph: str) -> str:
    """What helps, with words for arrow keys where there are no arrows: `<` and `>` are other keys. `graph`: what the terminal
    can show.
    """
    return text.translate(_ARROW_KEYS) if graph == "ascii" else text
