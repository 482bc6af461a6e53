"""`edgetui --web`: the workbench in a browser of this machine, through textual-serve (the extra `web`).

Whoever reaches it can do what its user can. So it listens on the loopback address alone; its address has a key that nobody
guesses; and what a page of somebody else's has the browser send (another Host, another Origin) is refused. The page fetches
nothing from elsewhere: textual-serve's asks a server of fonts, which is taken out, and its browser is told so.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import re
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..engine.errors import EdgetuiError

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Middleware

HOST = "127.0.0.1"
_FETCHED = re.compile(r"<link\s+rel=\"stylesheet\"\s+href=\"https://[^\"]*\"\s*/?>")
_KEYS = """
<style>html, body { overflow: hidden } .xterm-viewport { scrollbar-width: none }</style>
<script>
  const take = () => document.querySelector(".xterm-helper-textarea")?.focus();
  addEventListener("focus", take);
  addEventListener("load", () => {
    const look = new MutationObserver(() => {
      take();
      if (document.body.classList.contains("-first-byte")) look.disconnect();
    });
    look.observe(document.body, { attributes: true, childList: true, subtree: true });
  });
</script>
</head>"""
"""Keys go to the terminal from the first on, and it alone scrolls: textual-serve's page waits for a click, and has bars."""
_REFUSED = "refused: open the whole address that `edgetui --web` printed\n"


def serve(port: int, say: Callable[[str], None]) -> int:
    """Serve until Ctrl+C or SIGTERM; `port` 0: one that is free. Returns the exit status.

    Raises:
        EdgetuiError: textual-serve is not installed, or the port is taken.
    """
    if importlib.util.find_spec("textual_serve") is None:
        raise EdgetuiError("--web needs the package textual-serve", fix="pip install 'edgetui[web]'")
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise EdgetuiError(f"port {port} cannot be had ({error.strerror})", fix="name another, or none, with --port") from error
    with listening, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(listening, say))
    return 0


async def _serve(listening: socket.socket, say: Callable[[str], None]) -> None:
    from aiohttp import web

    key, port = secrets.token_urlsafe(16), listening.getsockname()[1]
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    runner = web.AppRunner(application(key, port), shutdown_timeout=3.0)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    say(f"the workbench is at http://{HOST}:{port}/{key}/ until Ctrl+C")
    say(f"from another machine, first there: ssh -L {port}:{HOST}:{port} THIS_MACHINE")
    await ended.wait()
    await runner.cleanup()


def application(key: str, port: int) -> web.Application:
    """textual-serve's pages below the key, behind the gate."""
    import aiohttp_jinja2
    import jinja2
    from aiohttp import web
    from textual_serve.server import Server

    command = shlex.join([sys.executable, "-m", "edgetui"])
    # the frames of a slow link, whatever textual-serve thinks; and a terminal that draws, whatever this one is
    made = Server(f"TEXTUAL_FPS=30 TERM=xterm-256color exec {command}", HOST, port, title="edgetui")
    page = _FETCHED.sub("", (made.templates_path / "app_index.html").read_text(encoding="utf-8")).replace("</head>", _KEYS)
    app = web.Application(middlewares=[_gate(key, port)])
    aiohttp_jinja2.setup(app, loader=jinja2.DictLoader({"app_index.html": page}))
    app.router.add_get(f"/{key}/", made.handle_index, name="index")
    app.router.add_get(f"/{key}/ws", made.handle_websocket, name="websocket")
    app.router.add_get(f"/{key}/download/{{key}}", made.handle_download, name="download")
    app.router.add_static(f"/{key}/static", made.statics_path, name="static")
    return app


_Handler = Callable[["web.Request"], Awaitable["web.StreamResponse"]]


def _gate(key: str, port: int) -> Middleware:
    """What comes from elsewhere, or does not know the key, learns nothing."""
    from aiohttp import web

    hosts = {f"{HOST}:{port}", f"localhost:{port}"}
    origins = {f"http://{host}" for host in hosts}
    sockets = " ".join(f"ws://{host}" for host in sorted(hosts))
    policy = (
        "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        f"font-src 'self' data:; connect-src 'self' {sockets}; frame-ancestors 'none'"
    )

    @web.middleware
    async def gate(request: web.Request, handler: _Handler) -> web.StreamResponse:
        said = request.path.lstrip("/").partition("/")[0]
        known = secrets.compare_digest(said.encode(), key.encode())
        ours = request.host in hosts and request.headers.get("Origin", f"http://{request.host}") in origins
        if not (known and ours):
            return web.Response(status=403, text=_REFUSED)
        answer = await handler(request)
        if not answer.prepared:
            answer.headers.update({"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})
        return answer

    return gate
