"""What measures nothing stands back behind other programs, and comes forward again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GROUP = Path("/proc/self/autogroup")
SCRIPT = """
from pathlib import Path
from edgetui.engine.runs.standing_back import group_stands_back, process_stands_back
import os
for back in (True, True, False, True, False):
    group_stands_back(back=back)
    print(Path("/proc/self/autogroup").read_text().split()[-1])
process_stands_back()
print(os.nice(0))
"""


@pytest.mark.skipif(not GROUP.is_file(), reason="this kernel does not group processes by session")
def test_a_session_stands_back_and_comes_forward():
    ours = nice_of_our_group()
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, start_new_session=True)
    assert done.stdout.split() == ["10", "10", "0", "10", "0", "10"]
    assert nice_of_our_group() == ours, "only its own session"


def nice_of_our_group() -> list[str]:
    """Empty in the first session of a machine or a container: that one is in no group."""
    return GROUP.read_text().split()[2:]
