"""`edgetui` and `python -m edgetui`: the one way in.

Textual reads these settings when it is imported: over a slow SSH link an animation is bytes, not beauty.
"""

import os
import sys

ASKING = (["run"], ["demo"], ["inspect"])
"""Commands that have a model looked at first of all: the process that does imports while we import."""


def main() -> None:
    """Run the command line and leave with its exit status."""
    _open_streams()
    os.environ.setdefault("TEXTUAL_ANIMATIONS", "none")
    os.environ.setdefault("TEXTUAL_SMOOTH_SCROLL", "0")
    os.environ.setdefault("TEXTUAL_FPS", "30")
    os.environ.setdefault("ESCDELAY", "50")  # of Textual's 100 ms each `esc` waited; a key's bytes come together, over SSH too
    from .tui.interrupts import interrupts_held, keep_interrupts

    keep_interrupts()
    try:
        if sys.argv[1:2] in ASKING and not {"-h", "--help"} & set(sys.argv):
            from .engine.api import Engine

            Engine.expect_question()
        with interrupts_held():
            from .tui.start import run
        status = run()
    except KeyboardInterrupt:  # while it imports, or between two of its own handlers
        status = 130
    # An interrupt within a text that was being executed (a dataclass is made of one) leaves a mark by which Python ends as if
    # nobody had handled it, of SIGINT; the next text that is executed takes it away.
    exec("")  # noqa: S102
    sys.exit(status)


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
