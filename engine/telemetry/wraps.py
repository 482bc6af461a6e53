"""Lines that a terminal broke at its width: the token across the border belongs to the line in which it began.

Without that `VDD_CPU_` and `GPU_CV 696mW/696mW` would make a rail that no board has, `NVENC 1` and `2%@115` a clock.
"""

from __future__ import annotations

import re

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
        self._before = ""
        self.characters = 0
        """0: no line was broken."""

    def see(self, text: str, *, begins: bool, says: bool) -> None:
        """One line. `begins`: as a line of tegrastats does; `says`: something is in it that only tegrastats prints."""
        if len(self._before) > self.characters and not begins and (says or across(self._before, text)):
            self.characters = len(self._before)
        self._before = text


def across(before: str, after: str) -> int:
    """How many characters of `after` belong to the token in which `before` ends."""
    border = len(before)
    joined, first = before + after, max(border - _REACH, 0)
    found = _TOKEN.finditer(joined, first, border + _REACH)
    return next((match.end() - border for match in found if match.start() < border < match.end()), 0)
