"""What a command imports, in a fresh process: help and lists must answer at once over a slow link."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("textual", "rich", "numpy", "onnx", "onnxruntime", "onnxscript", "torch", "tensorrt", "PIL", "psutil")
SCRIPT = """
import contextlib, io, sys
from edgetui.tui.start import run
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    run(sys.argv[1:])
print(*(name for name in {heavy!r} if name in sys.modules))
"""


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["runs"], ["show", "x"], ["doctor"], ["recipes"]])
def test_light_commands_import_nothing_heavy(words):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(heavy=HEAVY), *words], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(done.stdout.split()) <= ({"psutil"} if words == ["doctor"] else set()), "psutil tells doctor what memory is free"
