"""The screen, from nothing. Apart, because the command line starts it too, and imports none of it before."""

from __future__ import annotations

import gc
import sys


def workbench() -> int:
    """The screen; refused where nobody could see it."""
    from ..engine.errors import UsageError
    from .terminal import draws, is_served

    if not (is_served() or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise UsageError("the workbench needs a terminal", fix="run it in one (ssh -t), or use a command: `edgetui --help`")
    if not draws():
        from .commands.query import overview

        return overview()
    gc.disable()  # an eighth of the start; on again after the first paint
    from .light_asyncio import import_asyncio

    import_asyncio()
    from ..engine.config import load_config
    from .app import run_app

    return run_app(load_config())
