"""The command line: which commands there are. How they begin and end is in `start.py`.

Light on purpose: `edgetui --help` must answer at once over a slow link, so nothing here imports textual, numpy or the engine.
"""

from __future__ import annotations

import click

from .. import __version__
from .commands.build import bench, build
from .commands.completion import completion
from .commands.config import config
from .commands.dataset import dataset
from .commands.deploy import deploy
from .commands.doctor import doctor
from .commands.examples import at_the_end
from .commands.fleet import fleet
from .commands.keep import delete, note, restore, tag
from .commands.monitor import monitor
from .commands.query import compare, export, inspect, recipes, runs, show
from .commands.queue import queue
from .commands.run import cancel, demo, resume, run_command, watch
from .commands.schema import schema
from .commands.search import search
from .commands.sensitivity import sensitivity
from .commands.study import study
from .commands.sweep import sweep
from .screen_start import workbench


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
    return 0 if context.invoked_subcommand else workbench()


_WORK = (
    demo, inspect, dataset, recipes, run_command, watch, cancel, resume, queue, runs, show, delete, restore, tag, note,
    compare, export, deploy, study, build, bench, sensitivity, search, sweep, fleet,
)  # fmt: skip
for _command in (*_WORK, monitor, doctor, config, schema, completion):
    cli.add_command(_command)
for _name, _command in cli.commands.items():
    _command.epilog = at_the_end(_name)
