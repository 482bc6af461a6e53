"""A real ssh server on the loopback address, with keys of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import wait_until


class SshServer:
    """Serves until it is closed; who has `key` may come in."""

    def __init__(self, folder: Path, tool: Callable[[str], str]) -> None:
        keygen, self.ssh, self._sshd = tool("ssh-keygen"), tool("ssh"), tool("sshd")
        for name in ("host", "user"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._folder, self.port, self.key = folder, 0, folder / "user"
        for _ in range(5):  # another program may take a port that was free
            if self.serve():
                return
        raise AssertionError((folder / "log").read_text())

    def serve(self) -> bool:
        """Start the server, on the port that it had, else a free one; whether it came to listen there."""
        folder = self._folder
        if not self.port:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                self.port = free.getsockname()[1]
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
            f"PidFile {folder}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
        )
        command = [self._sshd, "-D", "-e", "-f", str(folder / "config")]
        with (folder / "log").open("wb") as log:
            self.server = subprocess.Popen(command, stderr=log, start_new_session=True)
        wait_until(lambda: "Server listening" in (folder / "log").read_text() or self.server.poll() is not None)
        if self.server.poll() is not None:
            self.port = 0
        return self.server.poll() is None

    def close(self) -> None:
        """End it."""
        self.server.terminate()
        self.server.wait(10)


@contextlib.contextmanager
def known_as_orin(at: Path, tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[SshServer]:
    """An ssh server, and an `ssh` that knows it as `orin`, as somebody's ~/.ssh/config would."""
    folder, bin_ = at / "ssh", at / "bin"
    folder.mkdir()
    bin_.mkdir()
    made = SshServer(folder, tool)
    know(folder, made.port, (folder / "host.pub").read_text())
    (folder / "client").write_text(
        f"Host orin\n HostName 127.0.0.1\n Port {made.port}\n User {getpass.getuser()}\n IdentityFile {folder}/user\n"
        f" IdentitiesOnly yes\n UserKnownHostsFile {folder}/known\n GlobalKnownHostsFile /dev/null\n"
    )
    (bin_ / "ssh").write_text(f'#!/bin/sh\nexec {made.ssh} -F {folder}/client "$@"\n')
    (bin_ / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    try:
        yield made
    finally:
        made.close()


def know(folder: Path, port: int, key: str) -> None:
    """Let the client know this key as the server's."""
    (folder / "known").write_text(f"[127.0.0.1]:{port} {' '.join(key.split()[:2])}\n")
