"""What all tests share: where the real data lie, a state folder of the test's own, and no silent skips in CI."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from edgetui.engine.backends.trt_find import Found

REPO = Path(__file__).resolve().parents[1]
MAY_SKIP = (
    "needs a GPU",
    "needs a board",
    "needs torch",
    "needs a Python without torch",
    "needs root",
    "needs another user than root",
    "this onnxruntime has no",
    "without VNNI",
)


# How long an example takes says how busy the machine is.
settings.register_profile("edgetui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgetui")

# Under nohup every child would be deaf to the end of its terminal, which is what some tests are about.
signal.signal(signal.SIGHUP, signal.SIG_DFL)


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
def rtx() -> Found:
    """TensorRT-RTX, which builds for GPUs that are not here. Its bindings warn of their own deprecated parts when imported."""
    from edgetui.engine.backends.trt_find import every

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = next((one for one in every() if one.builds_for_others), None)
    if found is None:
        pytest.skip("the package tensorrt-rtx-cu13-bindings is not here")
    return found


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
