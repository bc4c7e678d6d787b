"""Keeps what a program sends to an HTTP sink or puts into an S3 bucket: a file a request, the body as it came."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar


class Receiver:
    """The server: POST /sink lands in `folder/sink/`, PUT /bucket/a/b.json in `folder/bucket/a/b.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._received = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"receiver": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def files(self, below: str) -> list[Path]:
        """Return what was received below a path, by name."""
        return sorted(path for path in (self.folder / below).rglob("*") if path.is_file())

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, path: str, content: bytes, *, named: bool) -> None:
        """Write one body; a POST has no name of its own and gets a number."""
        with self._lock:
            self._received += 1
            target = self.folder / path.strip("/")
            target = target if named else target / f"{self._received:04}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


class _Handler(BaseHTTPRequestHandler):
    receiver: ClassVar[Receiver]

    def do_POST(self) -> None:
        self._keep(named=False)

    def do_PUT(self) -> None:
        self._keep(named=True)

    def _keep(self, *, named: bool) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.receiver.keep(self.path.partition("?")[0], content, named=named)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing: what came is in the folder."""
