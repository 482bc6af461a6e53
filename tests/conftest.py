"""What all tests share: where the real data lie, a state folder of the test's own, and no silent skips in CI."""

from __future__ import annotations

import faulthandler
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from edgetui.engine.backends.tensorrt.installed import Installation

REPO = Path(__file__).resolve().parents[1]
CRASHES = "EDGETUI_TESTS_CRASHES"
MAY_SKIP = (
    "needs a GPU",
    "needs a board",
    "needs torch",
    "needs the extra docs",
    "needs the extra web",
    "needs the package index",
    "needs a Python without torch",
    "needs root",
    "needs another user than root",
    "this onnxruntime has no",
    "without VNNI",
)


# How long an example takes says how busy the machine is.
settings.register_profile("edgetui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("edgetui"), max_examples=25)
# In CI a hundred examples each, or as many as a test says; where somebody waits for it a quarter of that.
settings.load_profile("edgetui" if os.environ.get("CI") else "quick")

# As `edgetui` sets them before Textual is imported: a screen is drawn 15 times a second at most, and nothing moves by itself.
os.environ.update(TEXTUAL_ANIMATIONS="none", TEXTUAL_SMOOTH_SCROLL="0", TEXTUAL_FPS="15")

# Under nohup every child would be deaf to the end of its terminal, which is what some tests are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.hookimpl(trylast=True)  # pytest's own handler writes a dump of which only the end is seen
def pytest_configure() -> None:
    """What workers were at that a signal ended is kept for the session's end."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        faulthandler.enable(Path(os.environ[CRASHES], worker).open("w"))  # noqa: SIM115 - until the process ends
    else:
        os.environ[CRASHES] = tempfile.mkdtemp()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The first lines of it."""
    if "PYTEST_XDIST_WORKER" in os.environ:  # it is asked too
        return
    folder = Path(os.environ.pop(CRASHES))
    for told in sorted(folder.iterdir()):
        if lines := told.read_text(errors="replace").splitlines():
            terminalreporter.section(f"{told.name} crashed")
            terminalreporter.line("\n".join(lines[:25]))
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def nothing_wraps(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What commands print into a pipe stands on one line: where it wraps follows from figures that differ each time."""
    if "screen" not in request.path.parts:
        monkeypatch.setenv("COLUMNS", "500")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared/data` beside the checkout, with real models, images, captures and board trees."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder ../shared/data is not here")
    return folder


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """The path of a program, or a skip that names it."""

    def find(name: str) -> str:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        if found is None:
            pytest.skip(f"the program {name} is not here")
        return found

    return find


@pytest.fixture(scope="session")
def rtx() -> Installation:
    """TensorRT-RTX, which builds for GPUs that are not here. Its bindings warn of their own deprecated parts when imported."""
    from edgetui.engine.backends.tensorrt.installed import every

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = next((one for one in every() if one.builds_for_others), None)
    if found is None:
        pytest.skip("the package tensorrt-rtx-cu13-bindings is not here")
    return found


@pytest.fixture(autouse=True)
def psutil_at_home() -> Iterator[None]:
    """psutil looks at this machine again after a test that had it look below a root."""
    yield
    if "psutil" in sys.modules:
        sys.modules["psutil"].PROCFS_PATH = "/proc"


@pytest.fixture(autouse=True)
def own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State and configuration in a folder that goes with the test."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.delenv("EDGETUI_CONFIG", raising=False)
    monkeypatch.delenv("EDGETUI_ROOT", raising=False)
    return home / "state" / "edgetui"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """`disk("12m")`: a disk of that size, gone after the test."""
    mounted = []

    def mount(size: str) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("needs root and the right to mount")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def tiny_disk(disk: Callable[[str], Path]) -> Path:
    """A disk of 1 MB."""
    return disk("1m")


@pytest.fixture
def somebody_else() -> Iterator[None]:
    """From here on we are a user without rights."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    os.seteuid(65534)
    yield
    os.seteuid(0)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: no collection of garbage walks through it again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skip for want of data or of a program that can be installed is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None or hasattr(session.config, "workerinput"):
        return
    for report in reporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not reason.removeprefix("Skipped: ").startswith(MAY_SKIP):
            reporter.write_line(f"CI may not skip: {report.nodeid}: {reason}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
