"""What the terminal obeys: whether escape codes may be written at all.

The command line asks as well as the screen, so nothing of Textual is in here.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache

NONE = frozenset(["", "dumb", "unknown", "network", "dialup", "emacs-dumb", "vt52"])
"""Values of TERM that name no terminal of the usual kind, also where the terminal database is not installed."""
USUAL = frozenset(["xterm", "tmux", "screen", "linux", "rxvt", "alacritty", "kitty", "foot", "wezterm", "ghostty"])
"""First words of names that need no look into the database, which takes 2 ms."""
_DRIVER = "textual.drivers.web_driver:WebDriver"


def is_served() -> bool:
    """Whether this process draws for a browser: its streams are pipes, and yet somebody looks."""
    return os.environ.get("TEXTUAL_DRIVER") == _DRIVER


def draws() -> bool:
    """Whether the terminal that TERM names can be drawn on: places the cursor by `ESC [ row ; column H`, as all do that are not
    older than the standard. One that the database does not know (a new one, met over ssh) is taken for one that does.
    """
    return _draws(os.environ.get("TERM", ""))


@lru_cache
def _draws(name: str) -> bool:
    if name in NONE:
        return False
    if name.partition("-")[0] in USUAL:
        return True
    with suppress(ImportError):
        import curses

        with suppress(curses.error):
            curses.setupterm(name, 1)
            return (curses.tigetstr("cup") or b"").startswith(b"\x1b[")
    return True


def told(text: str) -> str:
    """The codes with which a terminal is told something: its bell, and a message of its desktop (OSC 9) where it knows such.

    tmux hands them on where `allow-passthrough` is on. The console of Linux would print a part of them.
    """
    name = os.environ.get("TERM", "")
    if not _draws(name):
        return ""
    clean = "".join(letter for letter in text if letter.isprintable())[:200]
    message = f"\x1b]9;edgetui: {clean}\x07"
    if os.environ.get("TMUX"):
        message = f"\x1bPtmux;{message.replace(chr(27), chr(27) * 2)}\x1b\\"
    return "\x07" + ("" if name in ("linux", "vt100", "vt220") else message)


def no_drawing() -> str:
    """Why there is no screen, for a sentence: `TERM is dumb`, `TERM is not set`."""
    name = os.environ.get("TERM", "")
    return f"TERM is {name}, which cannot be drawn on" if name else "TERM is not set"
