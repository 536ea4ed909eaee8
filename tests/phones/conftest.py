"""A provider that answers what the test says, on a port of its own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Provider(ThreadingHTTPServer):
    """`answers`: {path: (status, body)}; `asked`: the headers of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.asked: list[dict[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked.append(dict(self.headers))
        status, body = self.server.answers.get(self.path, (404, {"message": "What?"}))
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """Stand where the simulated provider stands, for every simulator phone."""
    server = Provider()
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    server.answers["/health"] = (200, {})
    server.answers["/balance"] = (200, {"amount": 12_340_000, "currency": "EUR"})
    settings.PHONE_SETTINGS = {"simulator": {"base_url": server.url}}
    yield server
    server.shutdown()
    server.server_close()
