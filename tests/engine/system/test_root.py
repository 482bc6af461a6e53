"""Every system path is looked up below EDGETUI_ROOT: what describes the board comes from there and from nowhere else."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from edgetui.engine.runs.stages import KEYS, plan_stages
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe
from laid_boards import write_files

PACKAGE = Path(__file__).resolve().parents[3]
OWN = "status|clear_refs|task.*|autogroup"
"""Of /proc/self: what concerns this very process, and no board."""
WATCHED = f"""
import json, os, re, sys
from pathlib import Path
import numpy, onnx, onnxruntime, psutil  # what these open as they are imported is theirs
from edgetui.engine.config import PACKAGE, load_config

opened = set()
own = re.compile(f"/proc/(self|{{os.getpid()}})/({OWN})")

def note(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.fsdecode(arguments[0])
        if re.match("/(proc|sys)(/|$)", path) and not own.fullmatch(path):
            opened.add(path)

home = Path(sys.argv[2])
model = PACKAGE / "profiles" / "demo" / "digits.onnx"
sys.addaudithook(note)
exec(sys.argv[1])
print(json.dumps(sorted(opened)))
"""
PLAN = """
from edgetui.engine.runs.stages import plan_stages
from edgetui.engine.schema.spec import RunRequest, RunSpec
from edgetui.engine.schema.steps import Recipe, QuantizeInt8
spec = RunSpec(model=str(model), recipe=Recipe(name="r", step=(QuantizeInt8(),)))
told = {"run": "r", "ticket": 1, "wall": "", "edgetui": "", "python": "", "versions": {}}
plan_stages(RunRequest(**told, model_sha256="", dataset_hash="", spec=spec))
"""
LOWER = """
from edgetui.engine.compress.annotations import Int8, write_int8
from edgetui.engine.compress.lower import lower
from edgetui.engine.graph.load import load, save
from edgetui.engine.system.reporter import NullReporter
marked = load(model)
names = {name for node in marked.graph.node for name in (*node.input, *node.output)}
write_int8(marked, Int8(ranges={name: (0.0, 1.0) for name in names}))
save(marked, home / "marked.onnx")
lower(home / "marked.onnx", home / "lowered.onnx", "onnxruntime-x86", NullReporter())
"""
PROBE = """
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.measure.probe import probe
from edgetui.engine.schema.settings import BackendSettings
image = onnx.load(model).graph.input[0]
feeds = {image.name: numpy.zeros([size.dim_value or 1 for size in image.type.tensor_type.shape.dim], numpy.float32)}
assert probe(OnnxRuntime(), model, BackendSettings(), feeds).memory.system_drop is None, "the memory of another machine"
"""
DOCTOR = """
from edgetui.engine.doctor.check import examine
examine(load_config(), home)
"""
BOARD = """
from edgetui.engine.system import boards
from edgetui.engine.telemetry.board_stamp import stamp
assert boards.detect().memory_mb == 8192.0
assert stamp().memory_free_mb == 4096.0
"""
SOUND = {
    "/proc/cpuinfo": "processor\t: 0\nmodel name\t: Laid CPU\nflags\t\t: fpu avx2\n",
    "/proc/meminfo": "MemTotal: 8000000 kB\nMemFree: 1 kB\nMemAvailable: 4000000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n",
    "/proc/stat": "cpu 9 0 9 99 0 0 0 0\ncpu0 9 0 9 99 0 0 0 0\nbtime 1700000000\n",
    "/sys/devices/system/cpu/online": "0\n",
}


@pytest.fixture
def opened_past(tmp_path: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Files of /proc and /sys that some work opened although a board is laid out elsewhere."""
    write_files(tmp_path / "board", SOUND)
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path / "board"))
    (tmp_path / "home").mkdir()

    def do(work: str) -> list[str]:
        command = [sys.executable, "-c", WATCHED, work, str(tmp_path / "home")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return do


@pytest.mark.parametrize(
    "work", [PLAN, LOWER, PROBE, DOCTOR, BOARD], ids=["stage planning", "lower", "probe", "doctor", "boards"]
)
def test_nothing_of_the_system_is_opened_past_the_root(opened_past: Callable[[str], list[str]], work: str) -> None:
    assert opened_past(work) == []


def test_what_is_opened_past_the_root_is_noticed(opened_past: Callable[[str], list[str]]) -> None:
    work = "Path('/proc/meminfo').read_text(); os.listdir('/sys/class'); Path('/proc/self/status').read_text()"
    assert opened_past(work) == ["/proc/meminfo", "/sys/class"]


def test_one_file_reads_the_variable() -> None:
    reading = re.compile(r"""(environ|getenv)[^\n]*["']EDGETUI_ROOT["']""")
    files = [*PACKAGE.glob("engine/**/*.py"), *PACKAGE.glob("tui/**/*.py")]
    assert [file.name for file in files if reading.search(file.read_text())] == ["root_files.py"]


@pytest.fixture
def lower_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The key of `lower` on a processor with these flags."""
    monkeypatch.setenv("EDGETUI_ROOT", str(tmp_path))
    spec = RunSpec(model="/m.onnx", recipe=Recipe(name="r"))
    asked = RunRequest(
        run="r",
        ticket=1,
        wall="",
        edgetui="",
        python="",
        versions={},
        model_sha256="",
        dataset_hash="",
        spec=spec,
        keys=KEYS,
    )

    def key(flags: str) -> str:
        write_files(tmp_path, {"/proc/cpuinfo": f"processor\t: 0\nmodel name\t: Laid CPU\nflags\t\t: {flags}\n"})
        return next(stage.key for stage in plan_stages(asked) if stage.name == "lower")

    return key


def test_a_kernel_that_names_another_mitigation_makes_nothing_anew(lower_key: Callable[[str], str]) -> None:
    before = lower_key("fpu avx2")
    assert lower_key("fpu avx2 ibpb_exit_to_user flush_l1d") == before
    assert lower_key("fpu avx2 avx512_vnni") != before
