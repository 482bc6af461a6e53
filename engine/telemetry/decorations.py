r"""A line as tegrastats printed it, out of what others put around it and into it.

Colours of `grep --color`, Python's `b'...\n'`, JSON, quotes, tables, NULs of a serial console. What cuts tokens becomes a
blank, so that nothing is glued together that was apart; only escape sequences go without one, as `grep` puts them within words.
"""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _@%/(),.:\[\]+-]*")
"""Characters that tegrastats prints, a time and a log's name before it too."""
_ENDS = frozenset("mK.,:)]([/%@+-_")
"""Of a line with something around it: the end of a colour, a bracket or comma of a list."""
_SEQUENCE = r"\[[0-?]*[ -/]*[@-~]"
_ESCAPES = re.compile(
    r"(?:\x1b|\^\[|\\+(?:x1[bB]|033|e|u001[bB])|#033|ESC(?=\[[0-9;]*[mK]))(?:"
    + _SEQUENCE
    + r"|\][^\x07\x1b]{0,256}(?:\x07|\x1b\\))"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|\x1b(?:[ -/]+[0-~]|[78=>cDEHM])"
    r"|\[(?:[0-9;]+m|[mK](?![A-Za-z\]]))"  # the escape character itself was lost on the way
)
_RIGHT = re.compile(r"\x1b\[[0-9]*C")
"""The cursor goes to the right: a blank on the screen."""
_CUTS = re.compile(
    r"\\+(?:[nrt]|x[0-9A-Fa-f]{2}|[0-3][0-7]{2}|u[0-9A-Fa-f]{4})|#0[0-3][0-7]|&[a-z]{2,6};|\[/[A-Za-z]+\]"
    r"|[^\w @%/(),.:\[\]{}+#-]"
)
"""Control characters as others write them, ends of markup, and whatever tegrastats prints never."""
_CLOSED = re.compile(r"\((?:lfb|cached) [^()]*\)$|\[[^\[\] ]*\]$")
"""Brackets at the end that are tegrastats' own."""


def bare(text: str) -> str:
    """The line without decoration, with single blanks."""
    text = text.strip()
    plain = _PLAIN.fullmatch(text) and text[-1] not in _ENDS  # nearly all lines are so
    if not plain:
        text = _unwrapped(_CUTS.sub(" ", _ESCAPES.sub("", _RIGHT.sub(" ", text.replace("\\/", "/")))).strip())
    if "  " in text:
        text = " ".join(text.split())
    return text


def _unwrapped(text: str) -> str:
    """Without the brackets and commas of a list or a call around it."""
    text = text.lstrip(" [({,").rstrip(" ,.{")
    while text[-1:] in ("]", ")", "}") and not _CLOSED.search(text):
        text = text[:-1].rstrip(" ,.{")
    return text
