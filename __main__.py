"""`edgetui` and `python -m edgetui`: the one way in.

Textual reads these settings when it is imported: over a slow SSH link an animation is bytes, not beauty.
"""

import os
import sys


def main() -> None:
    """Run the command line and leave with its exit status."""
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", "15")
    from .tui.cli import run

    sys.exit(run())


if __name__ == "__main__":
    main()
