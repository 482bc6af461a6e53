"""`edgetui` and `python -m edgetui`: the one way in.

Textual reads these settings when it is imported: over a slow SSH link an animation is bytes, not beauty.
"""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    _open_streams()
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", "15")
    from .tui.cli import run

    sys.exit(run())


def _open_streams() -> None:
    """Give what was closed (`edgetui runs >&-`) a place that swallows it, before a file of ours gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))


if __name__ == "__main__":
    main()
