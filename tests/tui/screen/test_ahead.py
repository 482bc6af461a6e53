"""What is imported while nobody waits: the screens that are opened most, one at a tick, and nothing heavy with them."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import json, sys
from types import SimpleNamespace
from edgetui.tui import app
from edgetui.tui.ahead import FIRST_TICKS, OPENED_MOST, Ahead

def there():
    return [name for name in OPENED_MOST if f"edgetui.tui.screens.{name}" in sys.modules]

pace = SimpleNamespace(hush=False)
ahead = Ahead(pace)
told = [there()]
for _ in range(FIRST_TICKS):
    ahead.tick()
told.append(there())
pace.hush = True
ahead.tick()
told.append(there())
pace.hush = False
for _ in range(30):
    before = len(there())
    ahead.tick()
    assert len(there()) - before <= 3, there()
told.append(there())
print(json.dumps([told, [name for name in ("numpy", "onnx", "onnxruntime", "psutil", "torch") if name in sys.modules]]))
"""


def test_screens_come_one_at_a_tick_when_the_workbench_stands_and_nothing_measures():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    (first, stands, measures, last), heavy = json.loads(done.stdout)
    assert first == stands == measures
    assert set(first) < set(last)
    assert len(last) == 6
    assert heavy == []
