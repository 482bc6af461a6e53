"""Lines that a terminal broke at its width: the token across the border belongs to the line in which it began.

Without that `VDD_CPU_` and `GPU_CV 696mW/696mW` would make a rail that no board has, `NVENC 1` and `2%@115` a clock. Where
the rest of a line is lost (a log begins in the middle of one, a disk was full), what is left of a token is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKEN = re.compile(
    r"(?:I?RAM|SWAP) [0-9]+/[0-9]+[kM]B(?: ?\((?:lfb|cached) [0-9xkMB]+\))?(?![^ ])"
    r"|(?:CPU|cpu) \[[0-9%@,of]*\](?:@[0-9]+)?(?![^ ])"
    r"|MTS fg [0-9]+% bg [0-9]+%(?![^ ])"
    r"|(?<![^ ])[A-Za-z][A-Za-z0-9_-]*"
    r"(?:@-?[0-9.]+C(?:/-?[0-9.]+C)?| -?[0-9]+(?:mW)?/-?[0-9]+(?:mW)?(?:/-?[0-9]+mW)?"
    r"| (?:off|(?:[0-9]+%)?@[0-9]+|(?:[0-9]+%)?@\[[0-9,]+\]|[0-9]+%?))(?![^ ])",
)
_REACH = 400
"""Characters to both sides that a token can have."""


class Width:
    """Finds out at which width lines were broken, while they pass by."""

    def __init__(self) -> None:
        self._before, self._says = "", False
        self.characters = 0
        """0: no line was broken."""

    def see(self, text: str, *, begins: bool, says: bool) -> None:
        """One line. `begins`: as a line of tegrastats does; `says`: something is in it that only tegrastats prints."""
        goes_on = self._says and not begins and (says or _torn(self._before, text))
        if goes_on and len(self._before) > self.characters:
            self.characters = len(self._before)
        self._before, self._says = text, says or goes_on


def across(before: str, after: str) -> int:
    """How many characters of `after` belong to the token in which `before` ends."""
    found = _across(before, after)
    return found.end() - len(before) if found else 0


def _torn(before: str, after: str) -> bool:
    """A token lies across the border, and what `before` has of it is none."""
    found = _across(before, after)
    return found is not None and not _TOKEN.fullmatch(before, found.start())


def _across(before: str, after: str) -> re.Match[str] | None:
    border = len(before)
    joined, first = before + after, max(border - _REACH, 0)
    found = _TOKEN.finditer(joined, first, border + _REACH)
    return next((match for match in found if match.start() < border < match.end()), None)


_NAME = re.compile(r"(?<![^ ])[A-Za-z][\w-]*(?:@| (?!\[))")
_LAST = re.compile(r"(?<![^ ])(?:([A-Za-z][\w-]*) (?:[0-9]+%)?@?|[^ ]*\]@)[0-9]+$")


def may_be_cut(text: str, *, headless: bool) -> bool:
    """The first or the last token may be a piece of one; a rail `206/206` tells its power all the same."""
    return headless or (text[-1:].isdigit() and "/" not in text[text.rfind(" ") + 1 :])


def without_pieces(text: str, near: Iterable[str], *, headless: bool) -> str:
    """The line without the pieces of tokens at its ends, if the lines around it show that they are some: `DD_IN` where
    they have `VDD_IN`, `EMC_FREQ 18%@31` at the end where theirs go on behind it.
    """
    first, last, near = _NAME.match(text) if headless else None, _LAST.search(text), list(near)
    names = {name for other in near for name in _NAME.findall(other)}
    if last:
        ends = [found for other in near if (found := _LAST.search(other))]
        known = f"{last[1]} " in names if last[1] else any("]@" in other for other in near)
        if known and all(found[1] != last[1] for found in ends):
            clock = text.rfind("@", last.start())
            text = text[: clock if clock >= 0 else last.start()]
    if first and first[0] not in names and any(name.endswith(first[0]) for name in names):
        text = text[first.end() :]
    return text
