"""The workbench in a real terminal: how it leaves, what it writes when nothing changes, what poor terminals get."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from laid_boards import lay_out_board

ESCAPES = re.compile(rb"\x1b(\[[0-?]*[ -/]*[@-~]|[PX^_\]].*?(\x1b\\|\x07)|[@-Z\\-_])", re.DOTALL)
COLOURS = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")


class Terminal:
    """`edgetui` on a pseudo-terminal."""

    def __init__(self, environ: dict[str, str], *words: str, size: tuple[int, int] | None = None) -> None:
        """`size`: rows and columns that the terminal itself tells; None: the environment says them."""
        self.master, slave = pty.openpty()
        env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30", **environ}
        if size is not None:
            self.resize(*size)
            env = {key: value for key, value in env.items() if key not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edgetui", *words], stdin=slave, stdout=slave, stderr=slave, env=env, start_new_session=True
        )
        os.close(slave)
        self.output = b""

    def resize(self, rows: int, columns: int) -> None:
        """Tell another size."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds: float) -> int:
        """Take what is written for so long; how many bytes that was."""
        end, count = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0:
            if select.select([self.master], [], [], left)[0]:
                try:
                    data = os.read(self.master, 1 << 16)
                except OSError:  # the other end is closed
                    break
                count += len(data)
                self.output += data
        return count

    def wait_for(self, *words: bytes, limit_s: float = 60) -> None:
        """Until all words have been written."""
        end = time.monotonic() + limit_s
        while not all(word in self.output for word in words):
            assert time.monotonic() < end, self.plain()[-3000:]
            self.read(0.1)

    def quiet(self, still_s: float = 1.0, limit_s: float = 60) -> None:
        """Until nothing has been written for a while."""
        end = time.monotonic() + limit_s
        while self.read(still_s):
            assert time.monotonic() < end, "never quiet"

    def ended(self) -> int:
        """The exit status."""
        end = time.monotonic() + 60
        while self.process.poll() is None:
            assert time.monotonic() < end, "does not end"
            self.read(0.05)
        self.read(0.05)
        return self.process.returncode

    def plain(self) -> bytes:
        """What was written, without escape sequences."""
        return ESCAPES.sub(b"", self.output)


@pytest.fixture
def terminal(model: Path, own_state: Path, tmp_path: Path) -> Iterator[type[Terminal]]:
    (tmp_path / "edgetui.toml").write_text('[models]\nfolders = ["~/models"]\n')
    os.environ["EDGETUI_CONFIG"] = str(tmp_path / "edgetui.toml")
    opened: list[Terminal] = []

    class Mine(Terminal):
        def __init__(self, *words: str, size: tuple[int, int] | None = None, **environ: str) -> None:
            super().__init__(environ, *words, size=size)
            opened.append(self)

    yield Mine
    del os.environ["EDGETUI_CONFIG"]
    for one in opened:
        one.process.kill()
        one.process.wait()
        os.close(one.master)


@pytest.mark.long
def test_when_nothing_changes_nothing_is_written(terminal):
    screen = terminal()
    screen.wait_for(b"tiny", b"reads it")
    for _ in range(5):  # the header's clock, or on a busy machine a late answer, may fall into one window, not into each
        screen.quiet()
        if not (written := screen.read(3.0)):
            break
    assert written == 0
    assert "_psutil" not in Path(f"/proc/{screen.process.pid}/maps").read_text(), "psutil was imported to show a screen"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_end_it_cleanly(terminal, number: signal.Signals, status: int):
    screen = terminal()
    screen.wait_for(b"tiny")
    screen.process.send_signal(number)
    assert screen.ended() == status
    assert b"\x1b[?1049l" in screen.output  # the terminal is given back


def test_q_ends_it_with_0(terminal):
    screen = terminal()
    screen.wait_for(b"tiny")
    os.write(screen.master, b"q")
    assert screen.ended() == 0


def test_a_recording_that_ends_with_the_screen_is_said_on_the_terminal(terminal, own_state: Path, shared: Path, tmp_path: Path):
    board = lay_out_board(shared / "sysfs" / "orin_nano_super_r36.json", tmp_path)[1]
    path = tmp_path / "flight.jsonl"
    screen = terminal("monitor", "--field", "--record", str(path), **board)
    screen.wait_for("● recording".encode(), limit_s=20)
    os.write(screen.master, b"q")
    assert screen.ended() == 0
    assert f"recorded {path}, ".encode() in screen.output.partition(b"\x1b[?1049l")[2].replace(b"\r\n", b"")


def test_a_terminal_that_takes_nothing_for_a_while_is_told_what_is_and_not_all_that_was(terminal):
    screen = terminal()
    screen.wait_for(b"tiny", b"reads it")
    screen.quiet()
    before = len(screen.output)
    for n in range(40):  # 140 kB of frames, where the kernel holds 20
        os.write(screen.master, b"?" if n % 2 == 0 else b"q")
        time.sleep(0.05)
    os.write(screen.master, b"R")
    time.sleep(0.5)
    screen.quiet(0.5)
    assert len(screen.output) - before < 100_000
    shown = _pictured(screen.output)
    assert any("Runs" in row for row in shown.display)
    screen.output = b""
    os.write(screen.master, b"\x0c")
    screen.wait_for(b"Runs")
    screen.quiet(0.5)
    assert _pictured(screen.output).display == shown.display


@pytest.mark.parametrize("stopped", [True, False])
def test_one_that_is_stopped_and_continued_from_outside_goes_on_and_ends(terminal, stopped: bool):
    screen = terminal()
    modes = termios.tcgetattr(screen.master)
    screen.wait_for(b"tiny", b"reads it")
    screen.quiet()
    threads = set[int]()
    for _ in range(3):
        screen.output = b""
        if stopped:
            screen.process.send_signal(signal.SIGSTOP)
            time.sleep(0.1)
        screen.process.send_signal(signal.SIGCONT)
        screen.wait_for(b"tiny", b"reads it")  # drawn again
        screen.quiet()
        threads.add(len(list(Path(f"/proc/{screen.process.pid}/task").iterdir())))
    assert len(threads) == 1, "one that reads keys"
    os.write(screen.master, b"R")
    screen.wait_for(b"Runs")
    os.write(screen.master, b"\x1b")
    time.sleep(0.3)
    os.write(screen.master, b"q")
    assert screen.ended() == 0
    assert termios.tcgetattr(screen.master)[:4] == modes[:4], "the terminal is given back as it was"


def test_a_terminal_that_tells_its_size_in_the_same_line_is_asked_to(terminal):
    screen = terminal(TEXTUAL_SMOOTH_SCROLL="1")
    screen.wait_for(b"tiny")
    os.write(screen.master, b"\x1b[?2048;2$y")  # it can, and does not yet
    screen.wait_for(b"\x1b[?2048h")
    os.write(screen.master, b"q")
    assert screen.ended() == 0


def _pictured(output: bytes) -> pyte.Screen:
    """What a terminal of 100x30 shows that was told this."""
    screen = pyte.Screen(100, 30)
    pyte.ByteStream(screen).feed(re.sub(rb"\x1b\[[<>=?][0-9;$]*[a-zA-Z]", b"", output))  # pyte prints what it does not know
    return screen


def test_esc_alone_is_a_key_and_bytes_that_are_no_letters_end_nothing(terminal):
    screen = terminal()
    screen.wait_for(b"tiny", b"reads it")
    os.write(screen.master, b"\xff\xfe\xc3")
    os.write(screen.master, b"o")
    screen.wait_for(b"Open a model or data")
    screen.output = b""
    os.write(screen.master, b"\x1b")
    screen.wait_for(b"Compression")  # the page is gone
    os.write(screen.master, b"q")
    assert screen.ended() == 0


def test_it_is_stopped_and_goes_on_and_hears_keys_again(terminal):
    screen = terminal()
    screen.wait_for(b"tiny", b"reads it")
    for _ in range(2):
        os.write(screen.master, b"\x1a")
        screen.wait_for(b"\x1b[?1049l")
        while Path(f"/proc/{screen.process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            screen.read(0.05)
        screen.output = b""
        screen.process.send_signal(signal.SIGCONT)
        screen.wait_for(b"\x1b[?1049h", b"tiny", b"reads it")
    os.write(screen.master, b"q")
    assert screen.ended() == 0


def test_a_locale_without_utf8_gets_ascii(terminal):
    screen = terminal(LANG="C", LC_ALL="C", PYTHONUTF8="1", COLUMNS="160", LINES="45")
    screen.wait_for(b"tiny", b"Models", b"reads it")
    assert screen.plain().isascii()
    assert b"+- Models -" in screen.plain()


def test_no_color_means_none(terminal):
    screen = terminal(NO_COLOR="1")
    screen.wait_for(b"tiny", b"Models")
    assert not COLOURS.findall(screen.output)


@pytest.mark.parametrize("size", [(0, 0), *(pytest.param(odd, marks=pytest.mark.long) for odd in ((0, 80), (24, 0), (1, 1)))])
def test_a_terminal_that_tells_no_size_or_hardly_any_is_drawn_once(terminal, size: tuple[int, int]):
    screen = terminal(size=size)
    screen.wait_for(b"\x1b[?1049h" if size == (1, 1) else b"tiny")
    screen.quiet()


@pytest.mark.long
def test_a_terminal_that_loses_its_size_is_drawn_once_more(terminal):
    screen = terminal(size=(30, 100))
    screen.wait_for(b"tiny")
    for size in ((0, 0), (40, 120), (0, 120), (0, 0)):
        screen.resize(*size)
        screen.process.send_signal(signal.SIGWINCH)  # it has no controlling terminal that would tell it
    screen.quiet()
    os.write(screen.master, b"q")
    assert screen.ended() == 0


@pytest.mark.parametrize("name", ["", "dumb", "unknown", "vt52"])
def test_a_terminal_that_cannot_be_drawn_on_gets_lines(terminal, name: str):
    screen = terminal(TERM=name)
    assert screen.ended() == 0
    assert b"\x1b" not in screen.output
    assert b"instead of the workbench" in screen.output
    assert b"tiny.onnx" in screen.output
    assert b"no runs yet" in screen.output


def test_the_monitor_falls_back_to_lines_as_well(terminal):
    screen = terminal("monitor", "--interval", "0.1", TERM="dumb", EDGETUI_ROOT="/")
    screen.wait_for(b"lines instead of a screen", b"\n")
    screen.process.send_signal(signal.SIGINT)
    assert screen.ended() == 130
    assert b"\x1b" not in screen.output


def test_the_start_imports_nothing_heavy():
    code = (
        "import sys, edgetui.tui.app\n"
        "heavy = ('numpy', 'onnx', 'onnxruntime', 'torch', 'sqlite3', 'tomlkit', 'edgetui.engine.api')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_screen_that_has_hashed_nothing_has_no_openssl_and_no_archives():
    code = (
        "import sys\n"
        "from edgetui.tui.light_asyncio import import_asyncio\n"
        "import_asyncio()\n"
        "import edgetui.tui.app, edgetui.engine.api, edgetui.tui.runview, edgetui.engine.telemetry.client\n"
        "from edgetui.engine.system.hashing import short_hash\n"
        "short_hash(b'')\n"
        "heavy = ('ssl', '_ssl', 'hashlib', '_hashlib', 'zipfile', 'email', 'importlib.metadata', 'html.entities', 'csv')\n"
        "print([name for name in heavy if name in sys.modules])\n"
        "import asyncio, ssl\n"
        "print(asyncio.run(asyncio.sleep(0, 'goes')), ssl.create_default_context().verify_mode.name)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines() == ["[]", "goes CERT_REQUIRED"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("words", "shown"),
    [((), b"reads it"), (("monitor",), b"1 Sensors"), (("monitor", "--field"), b"RAM")],
    ids=["workbench", "monitor", "field"],
)
def test_no_screen_loads_openssl(terminal, words, shown):
    screen = terminal(*words)
    screen.wait_for(shown)
    assert "libssl" not in Path(f"/proc/{screen.process.pid}/maps").read_text()


@pytest.mark.long
def test_a_terminal_that_claims_more_than_any_has_is_drawn_in_part(terminal):
    shown = terminal(size=(65535, 2000))
    shown.wait_for(b"the terminal claims 2000x65535: 1000x500 of it are drawn")
    peak = Path(f"/proc/{shown.process.pid}/status").read_text().split("VmHWM:")[1].split()[0]
    assert int(peak) < 400_000, "kB at most"
    shown.quiet()
    os.write(shown.master, b"q")
    assert shown.ended() == 0
