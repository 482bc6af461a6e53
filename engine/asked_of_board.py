"""A process that a fleet's worker has plan and begin a search or sweep on its board, or tell what came of it.

`python -m edgetui.engine.asked_of_board HOME`; the order on standard input, the answer on standard output. It ends when it has
answered, so that a waiting worker stays small. Above `api.py`, which plans. Under the same key it begins nothing anew.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .api import Engine
from .config import load_config
from .front.driven_answers import answer


def main() -> int:
    """Answer the order on standard input."""
    said, answers = sys.stdin.buffer.read(), os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    os.umask(0o077)
    home = Path(sys.argv[1])
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    told = answer(lambda: Engine(load_config(), home), said)
    with os.fdopen(answers, "wb") as out:
        out.write(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
