"""A server of this test's own that speaks as much of MLflow's REST API as logging a run takes, and keeps what it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"


class Told:
    """What a client has said."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.refuses = ""
        """A path that is answered with an error."""


@contextmanager
def mlflow_server() -> Iterator[tuple[str, Told]]:
    """Its address on this machine, and what it was told."""
    told = Told()

    class Answers(BaseHTTPRequestHandler):
        """Requests."""

        def log_message(self, *words: object) -> None:
            """Nothing is printed."""

        def _answer(self, document: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == f"{API}/runs/get":
                run = urlsplit(self.path).query.partition("run_id=")[2].partition("&")[0]
                self._answer({"run": _run(run, told.runs[run])})
            elif path == f"{API}/experiments/get-by-name":
                self._answer({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such experiment"}, 404)
            else:
                self._answer({"error_code": "ENDPOINT_NOT_FOUND", "message": path}, 404)

        def do_PUT(self) -> None:
            told.files[urlsplit(self.path).path.removeprefix(FILES)] = self._body()
            self._answer({})

        def do_POST(self) -> None:
            path, said = urlsplit(self.path).path, json.loads(self._body() or b"{}")
            if told.refuses and path.endswith(told.refuses):
                self._answer({"error_code": "PERMISSION_DENIED", "message": "you may not"}, 403)
            elif path == f"{API}/experiments/create":
                self._answer({"experiment_id": "7"})
            elif path == f"{API}/runs/create":
                run = f"run{len(told.runs)}"
                told.runs[run] = {"name": said.get("run_name"), "metrics": {}, "params": {}, "tags": {}, "status": "RUNNING"}
                self._answer({"run": _run(run, told.runs[run])})
            elif path == f"{API}/runs/log-batch":
                for kind in ("metrics", "params", "tags"):
                    told.runs[said["run_id"]][kind] |= {one["key"]: one["value"] for one in said.get(kind, ())}
                self._answer({})
            elif path == f"{API}/runs/update":
                told.runs[said["run_id"]]["status"] = said["status"]
                self._answer({"run_info": _run(said["run_id"], told.runs[said["run_id"]])["info"]})
            else:
                self._answer({"error_code": "ENDPOINT_NOT_FOUND", "message": path}, 404)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _run(run: str, told: dict[str, Any]) -> dict[str, Any]:
    info = {"run_id": run, "run_uuid": run, "experiment_id": "7", "run_name": told["name"], "status": told["status"]}
    info |= {"artifact_uri": f"mlflow-artifacts:/7/{run}/artifacts", "lifecycle_stage": "active", "start_time": 1}
    return {"info": info, "data": {}}
