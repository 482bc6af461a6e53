"""`edgetui --web`: the workbench in a real browser, and who is turned away."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from edgetui.tui.start import run

pytest.importorskip("textual_serve", reason="needs the extra web")
import browser

UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "A" * 22 + "=="}


class Served(NamedTuple):
    process: subprocess.Popen[str]
    address: str
    port: int
    key: str

    def status(self, path: str, **headers: str) -> int:
        """What a request is answered with; `Host` is ours unless said."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as asking:
            asking.request("GET", path, headers=headers)
            with asking.getresponse() as answer:
                return answer.status


@pytest.fixture
def served() -> Iterator[Served]:
    argv = [sys.executable, "-m", "edgetui", "--web"]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    told = re.search(r"(http://127\.0\.0\.1:(\d+)/([\w-]{20,})/) ", line)
    assert told, line + process.communicate()[1]
    yield Served(process, told[1], int(told[2]), told[3])
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def until(true, limit_s: float = 30.0) -> None:
    end = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.long
async def test_a_browser_shows_the_workbench_and_a_key_changes_it(served: Served, tmp_path: Path):
    if browser.program() is None:
        pytest.skip("the program chromium is not here")
    async with browser.page(tmp_path / "profile", served.address) as page:
        await page.shows("Compression")
        await page.shows("digits")
        await page.press("?")
        await page.shows("Go to the pane Compression")
        pages = [address for address in page.asked if not address.startswith((served.address, "data:"))]
        assert [address for address in pages if not address.endswith("/favicon.ico")] == []
        drawing = psutil.Process(served.process.pid).children(recursive=True)
        assert drawing
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in drawing))


def test_who_does_not_know_the_key_is_refused(served: Served):
    assert served.status(f"/{served.key}/") == 200
    assert served.status(f"/{served.key}/static/js/textual.js") == 200
    for path in ("/", "/ws", "/static/js/textual.js", f"/{served.key[:-1]}/", f"/{served.key}x/", "/%FF/"):
        assert served.status(path) == 403, path


def test_a_page_of_somebody_elses_is_refused(served: Served):
    ours = f"http://127.0.0.1:{served.port}"
    assert served.status(f"/{served.key}/", Host=f"evil.example:{served.port}") == 403
    assert served.status(f"/{served.key}/ws", Origin="http://evil.example", **UPGRADE) == 403
    assert served.status(f"/{served.key}/ws", Origin="null", **UPGRADE) == 403
    assert served.status(f"/{served.key}/ws", Origin=ours, **UPGRADE) == 101


def test_no_other_interface_is_listened_on(served: Served):
    connections = psutil.Process(served.process.pid).net_connections(kind="inet")
    assert {each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
    with pytest.raises(OSError, match=r"refused|Cannot assign"):
        socket.create_connection(("127.0.0.2", served.port), timeout=5)


@pytest.mark.long
def test_a_killed_server_leaves_no_workbench_behind(served: Served):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)) as asking:
        asking.request("GET", f"/{served.key}/ws?width=80&height=24", headers=UPGRADE)
        with asking.getresponse() as answer:
            assert answer.status == 101
            first = answer.fp.read(4)  # a frame with what is drawn: it has begun
        assert first[:1] == b"\x82"
        drawing = psutil.Process(served.process.pid).children(recursive=True)
        assert drawing
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
    until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in drawing))
    # for the fixture, which expects an end of its own
    served.process.returncode = 0


def test_a_port_that_is_taken_is_said(capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["--web", "--port", str(taken.getsockname()[1])]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: port ")
    assert "--port" in said


def test_it_stands_alone(capsys: pytest.CaptureFixture[str]):
    assert run(["--web", "runs"]) == 2
    assert capsys.readouterr().err.startswith("error: --web stands alone; ")


def test_without_the_package_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(sys.modules, "textual_serve", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["--web"]) == 1
    assert capsys.readouterr().err == "error: --web needs the package textual-serve; pip install 'edgetui[web]'\n"
