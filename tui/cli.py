"""The command line: which commands there are, and how every failure ends (`error: what; fix`, an exit status, no traceback).

Light on purpose: `edgetui --help` must answer at once over a slow link, so nothing here imports textual, numpy or the engine.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .. import __version__
from .commands.build import bench, build
from .commands.completion import completion
from .commands.config import config
from .commands.dataset import dataset
from .commands.deploy import deploy
from .commands.doctor import doctor
from .commands.fleet import fleet
from .commands.keep import delete, note, restore, tag
from .commands.monitor import monitor
from .commands.printing import echo_error
from .commands.query import compare, export, inspect, overview, recipes, runs, show
from .commands.queue import queue
from .commands.run import cancel, demo, resume, run_command, watch
from .commands.schema import schema
from .commands.search import search
from .commands.sensitivity import sensitivity
from .commands.study import study
from .commands.sweep import sweep
from .terminal import draws

if TYPE_CHECKING:
    from ..engine.errors import EdgetuiError

INTERRUPTED = 130


class InOrder(click.Group):
    """A group whose help lists commands as they were added: in the order in which one needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of adding."""
        del ctx
        return list(self.commands)


@click.group(
    cls=InOrder,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="RUN is a run's id, any part of it that only one run has, or `last`. State lies in $XDG_STATE_HOME/edgetui.",
)
@click.version_option(__version__, prog_name="edgetui")
@click.option("--web", is_flag=True, help="The workbench in a browser of this machine, on the loopback address alone.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="With --web: the port; without it one that is free.")
@click.pass_context
def cli(context: click.Context, web: bool, port: int) -> int:
    """Compress a model on the device it will run on, measure it beside the original, and see which to deploy.

    Without a command: the workbench, a screen for all of this.
    """
    if web and context.invoked_subcommand:
        raise click.UsageError("--web stands alone", context)
    if web:
        from .web import serve

        return serve(port, click.echo)
    return 0 if context.invoked_subcommand else _workbench()


_WORK = (
    demo, inspect, dataset, recipes, run_command, watch, cancel, resume, queue, runs, show, delete, restore, tag, note,
    compare, export, deploy, study, build, bench, sensitivity, search, sweep, fleet,
)  # fmt: skip
for _command in (*_WORK, monitor, doctor, config, schema, completion):
    cli.add_command(_command)


def _workbench() -> int:
    """The screen; refused where nobody could see it."""
    from ..engine.errors import UsageError
    from .web import is_served

    if not (is_served() or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise UsageError("the workbench needs a terminal", fix="run it in one (ssh -t), or use a command: `edgetui --help`")
    if not draws():
        return overview()
    gc.disable()  # an eighth of the start; on again after the first paint
    from ..engine.config import load_config
    from .app import run_app

    return run_app(load_config())


def run(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments say; returns the exit status."""
    from ..engine.errors import EdgetuiError, UsageError, from_os_error

    words = sys.argv[1:] if argv is None else argv
    if "EDGETUI_LOG" in os.environ:
        _start_log(words)
    try:
        _refuse_odd_names(words)
        return int(cli.main(args=words, prog_name="edgetui", standalone_mode=False) or 0)
    except click.UsageError as error:
        what, fix = _usage(error)
        return _refused(words, UsageError(what, fix=fix), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
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


def _start_log(words: Sequence[str]) -> None:
    """Notes for whoever looks for a fault; loads the configuration's module, which most commands need anyway."""
    from ..engine.config import state_home
    from ..engine.system.log import logger, start_log

    start_log(state_home())
    logger(__name__).info("edgetui %s: %r", __version__, list(words))


def _refused(words: Sequence[str], error: EdgetuiError, status: int) -> int:
    """The error on standard error, and with --json as the one document on standard output, in one line; returns `status`."""
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


def _usage(error: click.UsageError) -> tuple[str, str]:
    """Click's own words in our form: what, and what to do."""
    path = error.ctx.command_path if error.ctx else "edgetui"
    what = error.format_message().rstrip(".").replace("'", "`")
    return f"{what[:1].lower()}{what[1:]}", f"see `{path} --help`"


def _traceback_file() -> Path:
    """Keep the traceback of a defect; returns its path."""
    from ..engine.config import state_home
    from ..engine.system.defects import keep_traceback

    return keep_traceback(state_home())
