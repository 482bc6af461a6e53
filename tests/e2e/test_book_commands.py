"""Every command of the book is run: as a reader would, page by page, in a folder with a model and samples.

What wants a board, root, a network or patience says so above its block (`<!-- not here: why -->`): its edgetui commands are
read by the command line, which knows each option and value, and the rest by the shell.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
from book_blocks import BOOK, ShellBlock, shell_blocks
from edgetui.engine.config import PACKAGE
from edgetui.tui.cli import cli
from edgetui.tui.commands.examples import EXAMPLES
from live_runs import end_all
from measuring import short_elsewhere
from PIL import Image

DEMO = PACKAGE / "profiles" / "demo"
BLOCKS = shell_blocks()
RUN = [block for block in BLOCKS if block.kind != "not here"]
NOT_HERE = [block for block in BLOCKS if block.kind == "not here"]


def name_of(block: ShellBlock) -> str:
    return f"{block.page}:{block.line}"


def images(path: Path, count: int = 200) -> None:
    """Digits of the demo as class folders of pictures."""
    found = np.load(DEMO / "digits.npz")
    with zipfile.ZipFile(path, "w") as archive:
        for number, (digit, label) in enumerate(zip(found["image"][:count], found["labels"], strict=False)):
            picture = io.BytesIO()
            Image.fromarray((digit[0] * 255).astype(np.uint8)).save(picture, "PNG")
            archive.writestr(f"{label}/{number}.png", picture.getvalue())


@pytest.fixture
def desk(tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder with what the book takes for granted: model.onnx, images.zip, and the program on PATH."""
    shutil.copy(DEMO / "digits.onnx", tmp_path / "model.onnx")
    images(tmp_path / "images.zip")
    program = tmp_path / "bin" / "edgetui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edgetui "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    short_elsewhere(monkeypatch)
    yield tmp_path
    end_all(own_state)


def run_blocks(page: str, desk: Path, *kinds: str) -> str:
    """All blocks of a page after each other, so that later ones find what earlier ones made."""
    shown = []
    for block in (each for each in RUN if each.page == page and each.kind in kinds):
        argv = ["bash", "-e", "-u", "-o", "pipefail", "-c", block.text]
        done = subprocess.run(
            argv, cwd=desk, capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL, check=False
        )
        assert done.returncode == 0, f"{name_of(block)}\n{block.text}\n{done.stdout[-2000:]}{done.stderr}"
        shown.append(done.stdout)
    return "".join(shown)


@pytest.mark.long
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_commands_of_a_page_do_what_it_says(page: str, desk: Path):
    # A page that looks at `last` begins with a reader who has a run, one that looks at a recording with one who has made it.
    if page != "first-run.md" and "last" in "".join(block.text for block in RUN if block.page == page):
        made = ["edgetui", "run", "model.onnx", "--recipe", "int8", "--dataset", "images.zip"]
        subprocess.run(made, cwd=desk, capture_output=True, check=True, timeout=300)
    if any("--replay" in block.text for block in RUN if block.page == page):
        recording = ["edgetui", "monitor", "--plain", "--interval", "0.2", "--record", "flight.jsonl"]
        with subprocess.Popen(recording, cwd=desk, stdout=subprocess.PIPE) as going:
            assert going.stdout is not None
            assert [going.stdout.readline() for _ in range(4)][-1], "a line a sample"
            going.send_signal(signal.SIGINT)
    run_blocks(page, desk, "run", "long")


def parsed(words: list[str]) -> None:
    """What click says of a command without doing it.

    Raises:
        click.UsageError: there is no such command or option, or its value is not valid.
    """
    with click.Context(cli, info_name="edgetui", **cli.context_settings) as context:
        _, rest, _ = cli.make_parser(context).parse_args(words)
        if not rest:
            return
        name, command, rest = cli.resolve_command(context, rest)
        assert command is not None
        command.make_context(name, rest, parent=context)


def edgetui_commands(line: str) -> list[list[str]]:
    """The words behind each `edgetui` of a line of shell: what stands alone, after ssh, or behind a path."""
    found = []
    for part in re.split(r"\s(?:&&|\|\||\||;|>)\s?|;\s", line):
        words = shlex.split(part)
        for place, word in enumerate(words):
            program = word == "edgetui" or word.endswith("/bin/edgetui")
            if program and (place == 0 or words[0] in ("ssh", "docker", "systemd-run", "man") or "=" in words[place - 1]):
                found.append(words[place + 1 :])
                break
    return found


@pytest.mark.parametrize("block", NOT_HERE, ids=name_of)
def test_commands_that_cannot_be_run_here_are_valid(block: ShellBlock):
    assert block.reason, "say why"
    subprocess.run(["bash", "-n", "-c", block.text], check=True, timeout=30)
    for line in block.commands:
        for words in edgetui_commands(line):
            try:
                parsed(words)
            except click.UsageError as error:
                pytest.fail(f"{name_of(block)}: {line}: {error.format_message()}")


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "examples/README.md"])
def test_commands_outside_the_book_are_valid(file: str):
    blocks = re.findall(r"^```\w*\n(.*?)^```", (PACKAGE / file).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [re.sub(r"\s+# .*$", "", line) for block in blocks for line in block.splitlines() if re.match(r"\s*edgetui ", line)]
    for line in lines:
        for words in edgetui_commands(line.strip()):
            parsed(words)
    assert lines or file != "README.md"


def test_commands_within_a_sentence_are_valid():
    wrong = []
    for page in sorted(BOOK.glob("*.md")):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for said in re.findall(r"`(edgetui [a-z][^`]*)`", text):
            line = re.sub(r" (>|\.\.\.).*", "", said)
            name, command, rest = cli.resolve_command(click.Context(cli), shlex.split(line)[1:])
            known = {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
            wrong += [f"{page.name}: {said}" for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
            assert name in cli.commands
    assert wrong == []


@pytest.mark.parametrize("name", cli.commands)
def test_examples_of_a_commands_help_are_valid_and_fit_a_narrow_screen(name: str):
    for line in EXAMPLES[name]:
        (words,) = edgetui_commands(line)
        assert words[0] == name
        assert len(line) <= 77
        parsed(words)
    assert str(cli.commands[name].epilog).endswith(f"  {EXAMPLES[name][-1]}")


@pytest.mark.parametrize(
    "line",
    [
        "edgetui run model.onnx --recepi int8",
        "ssh board edgetui shwo last",
        "edgetui monitor --interval soon",
        "X=1 edgetui -x",
    ],
)
def test_a_command_that_is_not_valid_is_found(line: str):
    (words,) = edgetui_commands(line)
    with pytest.raises(click.UsageError):
        parsed(words)


def test_no_command_of_the_book_escapes():
    """Each fenced block is a block of shell that is run or marked, or of something else, which it names."""
    for page in sorted(BOOK.glob("*.md")):
        fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(fences[::2]) <= {"sh", "toml", "text"}, page.name
        assert set(fences[1::2]) <= {""}, page.name
    assert len(RUN) > 15
