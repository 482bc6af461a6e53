"""The man page edgetui(1), from the commands themselves: `make man` writes docs/edgetui.1, which the wheel carries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from edgetui import __version__
from edgetui.tui.cli import cli
from edgetui.tui.commands.examples import EXAMPLES
from reference import described, options, top, usage

PAGE = Path(__file__).resolve().parents[1] / "edgetui.1"
FILES = {
    "~/.config/edgetui/edgetui.toml": "Your settings, over those that ship; below $XDG_CONFIG_HOME.",
    "~/.config/edgetui/recipes/": "Your own recipes.",
    "~/.config/edgetui/fleet.toml": "Your boards.",
    "~/.local/state/edgetui/": "Runs, cache, index and notes; below $XDG_STATE_HOME.",
}
VARIABLES = {
    "EDGETUI_CONFIG": "Another file of settings.",
    "EDGETUI_FLEET": "Another file of boards.",
    "EDGETUI_LOG": "debug, info or warning: every process notes what it does in edgetui.log of the state folder.",
    "NO_COLOR": "No colours.",
}
STATUS = {
    "0": "Done.",
    "1": "It failed; one line on standard error says what happened and what to do.",
    "2": "The command is not valid.",
    "3": "monitor --until-alert saw an alert.",
    "130": "It was ended by Ctrl+C, or cancelled.",
}


def page() -> str:
    """All of it, as roff."""
    out = [f'.TH EDGETUI 1 "" "edgetui {__version__}" "User Commands"']
    out += [".SH NAME", f"edgetui \\- {escaped('compress a model on the device it will run on, and see which to deploy')}"]
    out += [".SH SYNOPSIS", ".B edgetui", ".br", ".B edgetui", ".I COMMAND", escaped("[OPTIONS] [ARGS]...")]
    out += [".SH DESCRIPTION", *paragraphs(described(cli)), ".PP", escaped(cli.epilog or "")]
    out += [".SH OPTIONS", *tagged(options(cli, top()))]
    out.append(".SH COMMANDS")
    for name, command in cli.commands.items():
        context, called = usage(name, command)
        out += [f'.SS "{escaped(called)}"', *paragraphs(described(command)), *tagged(options(command, context))]
        out += [".PP", ".EX", *map(verbatim, EXAMPLES[name]), ".EE"]
    for heading, rows in (("FILES", FILES), ("ENVIRONMENT", VARIABLES), ("EXIT STATUS", STATUS)):
        out += [f'.SH "{heading}"', *tagged(rows.items())]
    return "\n".join(out) + "\n"


def escaped(text: str) -> str:
    """Text of which roff obeys nothing."""
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")
    return f"\\&{text}" if text.startswith(".") else text


def verbatim(line: str) -> str:
    """A line that stands as it is."""
    return f"\\&{line}".replace("-", "\\-").replace('"', "\\(dq").replace("'", "\\(aq")


def paragraphs(text: str) -> list[str]:
    """Each paragraph below the other."""
    return [line for part in re.split(r"\n\s*\n", text) for line in (".PP", escaped(part))]


def tagged(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Words with what they mean."""
    return [line for tag, words in rows for line in (".TP", f"\\fB{escaped(tag)}\\fR", escaped(words) or "\\&")]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
