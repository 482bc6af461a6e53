"""How edgetui is started, and how every failure ends (`error: what; fix`, an exit status, no traceback).

Apart from `cli.py`, whose commands and their parser the screen does without: a seventh of its first paint.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from .interrupts import interrupts_held
from .screen_start import workbench

if TYPE_CHECKING:
    from ..engine.errors import EdgetuiError

INTERRUPTED = 130
COMPLETE = "_EDGETUI_COMPLETE"
"""By this variable a shell asks how a line may go on."""


def run(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status."""
    from ..engine.errors import EdgetuiError, from_os_error

    words = sys.argv[1:] if argv is None else argv
    if "EDGETUI_LOG" in os.environ:
        _start_log(words)
    try:
        _refuse_odd_names(words)
        return _obey(words) if words or COMPLETE in os.environ else workbench()
    except KeyboardInterrupt:
        return INTERRUPTED
    except EdgetuiError as error:
        return _refused(words, error, error.exit_code)
    except (BrokenPipeError, SystemExit):  # click makes the second of the first
        # `edgetui show | head` is no failure; what is still buffered has nobody to read it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        # the engine names its files: what has no name is what was printed, and the work has been done
        return _refused(words, from_os_error(error, path="standard output", then="print it again"), 1)
    except Exception as error:
        what = f"a defect of edgetui ({type(error).__name__}: {str(error)[:200]})"
        return _refused(words, EdgetuiError(what, fix=f"report {_traceback_file()}"), 1)


def _obey(words: Sequence[str]) -> int:
    """A command; what the parser refuses is said in our form."""
    with interrupts_held():
        import re

        import click

        from .light_asyncio import import_asyncio

        import_asyncio()
        from ..engine.errors import UsageError
        from .cli import cli

    try:
        return int(cli.main(args=words, prog_name="edgetui", standalone_mode=False) or 0)
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "edgetui"
        what = error.format_message().rstrip(".").replace("'", "`")
        what, near, names = re.sub(r"\. \(?Did you mean (.*\?)\)?$", r"\n\1", what).partition("\n")
        what, meant = f"{what[:1].lower()}{what[1:]}", f"did you mean {names} " if near else ""
        return _refused(words, UsageError(what, fix=f"{meant}see `{path} --help`"), error.exit_code)
    except click.Abort:
        return INTERRUPTED


def _start_log(words: Sequence[str]) -> None:
    """Notes for whoever looks for a fault; loads the configuration's module, which most commands need anyway."""
    from ..engine.config import state_home
    from ..engine.system.log import logger, start_log

    start_log(state_home())
    logger(__name__).info("edgetui %s: %r", __version__, list(words))


def _refused(words: Sequence[str], error: EdgetuiError, status: int) -> int:
    """The error on standard error, and with --json as the one document on standard output, in one line; returns `status`."""
    from .commands.printing import echo_error

    echo_error(str(error))
    if "--json" in words:
        import msgspec

        from ..engine.schema.failure import Failure

        with contextlib.suppress(OSError):  # a reader that is gone
            sys.stdout.buffer.write(msgspec.json.encode({"error": Failure.of("", error)}) + b"\n")
            sys.stdout.buffer.flush()
    return status


def _refuse_odd_names(words: Sequence[str]) -> None:
    """Names are kept in files and documents, all of them UTF-8; Linux allows others. An empty one names nothing."""
    from ..engine.errors import UsageError

    for place, word in enumerate(words):
        if not word or (word.startswith("--") and word.endswith("=")):
            before = word.rstrip("=") or (words[place - 1] if place and words[place - 1].startswith("-") else "")
            what = f"`{before}` is given an empty value" if before else "an argument is empty"
            raise UsageError(what, fix="give it a value or leave it out; is a variable of your script unset?")
        if any("\ud800" <= letter <= "\udfff" for letter in word):
            shown = word.encode("utf-8", "replace").decode()
            raise UsageError(f"`{shown}` is not UTF-8", fix="rename it or make a link to it, or set LC_ALL=C.UTF-8")


def _traceback_file() -> Path:
    """Keep the traceback of a defect; returns its path."""
    from ..engine.config import state_home
    from ..engine.system.defects import keep_traceback

    return keep_traceback(state_home())
