"""`edgetui completion`: what a shell needs to complete commands, options, and the names of runs, recipes, datasets and studies.

Click completes; here is what it cannot know. A shell asks at each press of tab, so nothing heavy is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import click
from click.shell_completion import CompletionItem, get_completion_class

from .printing import echo, echo_json, json_option

SHELLS = ("bash", "zsh", "fish")
_VARIABLE = "_EDGETUI_COMPLETE"
_MOST_RUNS = 50
"""Of so many runs, the newest, names are offered."""


@click.command(short_help="What a shell needs to complete commands, options and names.")
@click.argument("shell", type=click.Choice(SHELLS))
@json_option
def completion(shell: str, as_json: bool) -> int:
    """Print the script that completes `edgetui` in a shell.

    bash: into ~/.local/share/bash-completion/completions/edgetui. zsh: into a file _edgetui of a folder of $fpath. fish: into
    ~/.config/fish/completions/edgetui.fish.
    """
    found = get_completion_class(shell)
    assert found is not None
    maker = found(cli=click.Command("edgetui"), ctx_args={}, prog_name="edgetui", complete_var=_VARIABLE)
    script = maker.source_template % maker.source_vars()  # not source(): that of bash starts a bash to ask its version
    script = script.replace('string split ","', 'string split --max 1 ","')  # fish: what an option does may have commas
    if as_json:
        import msgspec

        echo_json(msgspec.json.encode({"shell": shell, "script": script}))
    else:
        echo(script)
    return 0


def run_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """`last`, then ids of runs, the newest first."""
    del context, parameter
    return _fitting(("last", *_runs()), begun)


def run_or_file(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of runs, and files."""
    return [*_files(begun), *run_names(context, parameter, begun)]


def recipe_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Recipes that `edgetui recipes` lists, and files."""
    del context, parameter
    from ...engine.config import load_config
    from ...engine.errors import EdgetuiError
    from ...engine.library import recipes

    found: tuple[str, ...] = ()
    with contextlib.suppress(EdgetuiError, OSError):
        found = recipes.recipe_names(load_config())
    return [*_files(begun), *_fitting(found, begun)]


def dataset_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Datasets of edgetui.toml, and files."""
    del context, parameter
    from ...engine.config import load_config
    from ...engine.errors import EdgetuiError

    found: Iterable[str] = ()
    with contextlib.suppress(EdgetuiError, OSError):
        found = load_config().datasets
    return [*_files(begun), *_fitting(found, begun)]


def study_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Studies that ship or are the user's, and files."""
    del context, parameter
    from ...engine.library import studies

    return [*_files(begun), *_fitting(studies.study_names(), begun)]


def document_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Documents that have a schema."""
    del context, parameter
    from ...engine.report.json_schemas import DOCUMENTS

    return _fitting(DOCUMENTS, begun)


def setting_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Settings that `edgetui config` prints."""
    del context, parameter
    from ...engine.errors import EdgetuiError
    from ...engine.library.setting_origins import settings

    with contextlib.suppress(EdgetuiError, OSError):
        return _fitting((each.key for each in settings().settings), begun)
    return []


def board_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Boards and resources of fleet.toml, behind those that are typed already."""
    from ...engine.fleet.fleet_file import known_names

    del context, parameter
    before, comma, last = begun.rpartition(",")
    return [CompletionItem(f"{before}{comma}{name}") for name in known_names() if name.startswith(last)]


def place_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Folders here, and boards of fleet.toml."""
    del context, parameter
    return [*_files(begun), *_fitting((f"{name}:" for name in _boards()), begun)]


def artifact_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What the run of the same line made."""
    del parameter
    import asyncio

    from ...engine.api import Engine
    from ...engine.config import load_config

    run = str(context.params.get("run") or "last")
    names = [name for name in _runs() if run in (name, "last") or run in name]
    made = asyncio.run(Engine(load_config()).result(names[0])).artifacts if names else ()
    return _fitting(made, begun)


def workload_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Workloads, with a colon where a number follows."""
    del context, parameter
    from ...engine.schema.workloads import WORKLOADS

    return _fitting((f"{name}:" if kind.number else name for name, kind in WORKLOADS.items()), begun)


def field_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What runs can be sorted by."""
    del context, parameter
    from ...engine.advice.run_fields import NAMES

    return _fitting(NAMES, begun)


def source_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What can be read from, were it here."""
    del context, parameter
    from ...engine.telemetry.source_choice import ORDER

    return _fitting(("auto", *ORDER), begun)


def files(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Whatever the shell finds."""
    del context, parameter
    return _files(begun)


def _files(begun: str) -> list[CompletionItem]:
    """Files come first: bash forgets what stood before them, and offers them where no name fits."""
    return [CompletionItem(begun, type="file")]


def _boards() -> Iterator[str]:
    from ...engine.errors import EdgetuiError
    from ...engine.fleet.fleet_file import fleet_file, read_fleet

    with contextlib.suppress(EdgetuiError, OSError):
        if fleet_file().is_file():
            yield from (board.name for board in read_fleet())


def _runs() -> Iterator[str]:
    from ...engine.config import state_home

    folder = state_home() / "runs"
    with contextlib.suppress(OSError):
        names = sorted((each.name for each in folder.iterdir() if each.is_dir()), reverse=True)
        yield from (name for name in names[:_MOST_RUNS] if not name.startswith("."))


def _fitting(names: Iterable[str], begun: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
