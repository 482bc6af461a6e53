"""One light process a study: submits its groups one after another, each when the one before has ended.

`python -m edgetui.engine.runs.study_driver HOME ID`, detached from any terminal. A group whose supervisor was killed meanwhile
is resumed when all others are through.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .carrying import Carrier, drive_detached
from .study_folder import StudyDir

MODULE = "runs.study_driver"


def drive(folder: StudyDir) -> None:
    """Take a study through its groups: to the end of the last, or until it is asked to end.

    Raises:
        StorageRefused: another process drives it.
    """
    carrier = Carrier(folder)
    with carrier.holding("follow it with `edgetui study`"):
        groups = folder.asked().groups
        for number, group in enumerate(groups):
            if not carrier.to_end():
                carrier.carry(number, group.specs)
        for number, group in enumerate(groups):  # a supervisor was killed, and nothing says that its runs cannot be done
            if carrier.interrupted(number) and not carrier.to_end():
                carrier.carry(number, group.specs)


def main() -> int:
    """Drive the study named on the command line."""
    folder = StudyDir(Path(sys.argv[1]) / "studies" / sys.argv[2])
    return drive_detached(folder, lambda: drive(folder))


if __name__ == "__main__":
    sys.exit(main())
