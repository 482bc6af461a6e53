"""Load one plan of a run alone in this process, and print what that cost as JSON: `HOME RUN baseline|candidate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec

from .errors import EdgetuiError
from .lineage import die_with_parent
from .pipeline import Job
from .rundir import RunDir
from .say import Silent


def main() -> int:
    """Probe; 0 when figures were printed."""
    home, run, side = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    die_with_parent()
    fd = os.dup(1)
    os.dup2(2, 1)
    asked = RunDir(home / "runs" / run).asked()
    try:
        figures = Job(home, asked, "measure", home, Silent()).probe(side)
    except EdgetuiError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.write(fd, msgspec.json.encode(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
