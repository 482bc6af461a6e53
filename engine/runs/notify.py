"""Telling that a run has ended: the words, and the user's own command, which needs nobody who watches."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from ..advice.verdict import verdict_words
from ..config import load_config
from ..errors import EdgetuiError
from ..schema.result import Result
from ..schema.spec import RunRequest
from ..system.log import logger

LIMIT_S = 60
TOLD = "told"
"""A file in the folder of a run that did not tell of its end itself, once somebody has."""
_STARTED: list[subprocess.Popen[bytes]] = []
"""Nobody waits for them; without a reference Python would complain of that."""
_log = logger(__name__)


def ending_words(model: str, recipe: str, result: Result) -> str:
    """`resnet20 int8: done, faster; smaller`, on one line."""
    words = verdict_words(result.verdict, differing=True) or (result.error.what if result.error else "")
    return " ".join(f"{model} {recipe}: {result.state}{', ' if words else ''}{words}".split())


def run_command(asked: RunRequest, result: Result, log: Path) -> None:
    """Start the command of edgetui.toml, and wait for nothing: one that hangs is ended after a minute, and that one cannot be
    started is noted.
    """
    try:
        command = load_config().notify.command
    except EdgetuiError as error:
        _log.warning("%s: nobody is told: %s", asked.run, error)
        return
    if not command:
        return
    told = {
        "RUN": asked.run,
        "STATE": result.state,
        "MODEL": Path(asked.spec.model).stem,
        "RECIPE": asked.spec.recipe.name,
        "VERDICT": verdict_words(result.verdict),
        "TEXT": ending_words(Path(asked.spec.model).stem, asked.spec.recipe.name, result),
    }
    limited = ["timeout", "-k", "5", str(LIMIT_S)] if shutil.which("timeout") else []
    try:
        with log.open("ab") as out:
            started = subprocess.Popen(
                [*limited, "/bin/sh", "-c", command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/",
                env=os.environ | {f"EDGETUI_{name}": text.replace("\0", "") for name, text in told.items()},
            )
            _STARTED.append(started)
    except OSError as error:
        _log.warning("%s: the command of [notify] was not started: %s", asked.run, error)
        with suppress(OSError), log.open("a") as out:
            out.write(f"the command of [notify] was not started: {error.strerror}\n")
