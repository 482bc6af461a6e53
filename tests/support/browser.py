"""A real browser without a window, driven by its own protocol (Chrome DevTools): a page, keys, what its terminal was sent."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pyte


class Page:
    """One page, and the terminal that its web socket draws."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)
        self.asked: list[str] = []
        """Every address that the page asked for."""
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if (number := told.get("id")) in self._answers:
                self._answers.pop(number).set_result(told.get("result", {}) | {"error": told.get("error")})
            elif told.get("method") == "Network.requestWillBeSent":
                self.asked.append(told["params"]["request"]["url"])
            elif told.get("method") == "Network.webSocketCreated":
                asked = parse_qs(urlsplit(told["params"]["url"]).query)
                self._screen.resize(int(asked["height"][0]), int(asked["width"][0]))
            elif told.get("method") == "Network.webSocketFrameSent":
                kind, *sent = json.loads(told["params"]["response"]["payloadData"])
                if kind == "resize":
                    self._screen.resize(sent[0]["height"], sent[0]["width"])
            elif told.get("method") == "Network.webSocketFrameReceived":
                frame = told["params"]["response"]
                if frame["opcode"] == 2:
                    # pyte does not know the answer to what a terminal is asked, and draws it
                    self._stream.feed(re.sub(rb"\x1b\[\?2026\$p", b"", base64.b64decode(frame["payloadData"])))

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One method of the protocol."""
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, 30)

    async def value(self, script: str) -> Any:
        """What a script in the page comes to; None where it fails."""
        told = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        return told.get("result", {}).get("value")

    async def press(self, letter: str) -> None:
        """A key that writes a letter, wherever the page has its keys."""
        for kind in ("keyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, text=letter if kind == "keyDown" else "", key=letter)

    async def picture(self, path: Path) -> None:
        """The page as a PNG."""
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))

    def text(self) -> str:
        """The rows of the terminal."""
        return "\n".join(row.rstrip() for row in self._screen.display)

    async def shows(self, word: str, limit_s: float = 60.0) -> None:
        """Wait until the terminal shows a word."""
        for _ in range(round(limit_s / 0.1)):
            if word in self.text():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"never showed {word!r}:\n{self.text()}")

    async def close(self) -> None:
        """Stop listening."""
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)


def program() -> str | None:
    """Chromium, or a browser that is made of it."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.asynccontextmanager
async def page(folder: Path, address: str) -> AsyncIterator[Page]:
    """A browser that has opened an address; it ends with the block."""
    argv = [program() or "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    argv += [
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "--window-size=1600,1000",
        "--no-first-run",
        "about:blank",
    ]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        loop = asyncio.get_running_loop()
        while not (
            found := re.search(rb"listening on (ws://\S+)", line := await loop.run_in_executor(None, process.stderr.readline))
        ):
            assert line, "the browser ended"
        port = found[1].decode().split("/")[2]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{port}/json/list") as told:
                targets = json.loads(await told.text())
            target = next(each["webSocketDebuggerUrl"] for each in targets if each["type"] == "page")
            async with session.ws_connect(target, max_msg_size=0) as socket:
                made = Page(socket)
                for domain in ("Page", "Network", "Runtime"):
                    await made.call(f"{domain}.enable")
                await made.call("Page.navigate", url=address)
                yield made
                await made.close()
    finally:
        process.kill()
        process.communicate()
