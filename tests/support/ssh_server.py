"""A real ssh server on the loopback address, with keys of its own."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

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
