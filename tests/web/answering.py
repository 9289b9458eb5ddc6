"""A small application behind the server's worker: says who answered or what came, waits for a file, or fails."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    path, body = environ["PATH_INFO"], environ["wsgi.input"].read()
    if path == "/fail/":
        raise ValueError("as asked")
    if path == "/end/":
        raise SystemExit("as asked")
    if path == "/wait/":
        folder = Path(os.environ["ANSWERING"])
        (folder / f"began-{threading.current_thread().name}").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
    if path.startswith("/hooks/"):
        said = json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()
    else:
        said = f"{path} {len(body)} {threading.current_thread().name}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(said)))])
    return _broken(said) if path == "/break/" else [said]


def _broken(said: bytes) -> Iterable[bytes]:
    yield said[:3]
    raise ValueError("in the middle of an answer")
