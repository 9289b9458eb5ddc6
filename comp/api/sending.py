"""Calling an address that a tenant named: https, to a public address alone, that very address connected to, no redirect
followed, bounded in time and in what is read."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from comp.core.errors import CompError, refused

#: Seconds to connect and for each answer's part; seconds for all of it; bytes of the answer that are read.
PART, WHOLE, READ = 5, 15, 2_000
URL_LIMIT = 500
_URL = re.compile(r"[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)  # visible ASCII but quotes, <, >, \ and the like
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+")
#: What Python's is_global lets through in some versions: protocol assignments (a cloud's metadata among them), relays.
_V4_NOT = [ipaddress.ip_network(net) for net in ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")]
#: The part of IPv6 that is handed out, and what in it leads elsewhere: Teredo and its neighbours, 6to4, examples.
_V6 = ipaddress.ip_network("2000::/3")
_V6_NOT = [ipaddress.ip_network(net) for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]


class SendError(CompError):
    """There is no answer, and why."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str


@dataclass(frozen=True, slots=True)
class Target:
    host: str
    port: int
    path: str


def target(url: str) -> Target:
    """The parts of an address that may be called. Raises ProblemsError."""
    allowed = f"https://host/path, at most {URL_LIMIT} characters, without a user and a fragment"
    try:
        parts = urlsplit(url) if _URL.fullmatch(url) and len(url) <= URL_LIMIT else None
        port = (parts.port or 443) if parts and parts.port != 0 else 0
    except ValueError:
        parts, port = None, 0
    host = (parts.hostname or "") if parts else ""
    good = parts and parts.scheme == "https" and "@" not in parts.netloc and "#" not in url
    if not parts or not good or not port or not _HOST.fullmatch(host):
        raise refused("url", url[:80], allowed, f"This address cannot be called; allowed is {allowed}.")
    return Target(host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet's."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        return found in _V6 and not any(found in net for net in _V6_NOT)
    return found.is_global and not found.is_multicast and not any(found in net for net in _V4_NOT)


def post(url: str, body: bytes, headers: dict[str, str]) -> Answer:
    """Posts once. Raises SendError where no answer comes."""
    to = target(url)
    try:
        where = _resolved(to)
        return _posted(to, where, body, headers)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise SendError(f"{type(error).__name__}: {error}"[:300]) from None


def _resolved(to: Target) -> tuple[socket.AddressFamily, tuple[object, ...]]:
    """Where to connect. All that the name stands for has to be public, or none of it is called."""
    found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM)
    inner = sorted({str(at[0]) for *_, at in found if not is_public(str(at[0]))})
    if inner or not found:
        raise SendError(f"{to.host} leads to {', '.join(inner) or 'nothing'}, which is no public address")
    return found[0][0], found[0][4]


def _posted(
    to: Target, where: tuple[socket.AddressFamily, tuple[object, ...]], body: bytes, headers: dict[str, str]
) -> Answer:
    plain = socket.socket(where[0], socket.SOCK_STREAM)
    plain.settimeout(PART)
    connection = http.client.HTTPConnection(to.host, to.port)
    # One that answers a byte at a time would pass every limit of a part.
    late = threading.Timer(WHOLE, _cut, [plain, connection])
    late.start()
    try:
        plain.connect(where[1])
        connection.sock = _tls().wrap_socket(plain, server_hostname=to.host)
        connection.request("POST", to.path, body, {**headers, "Connection": "close"})
        response = connection.getresponse()
        return Answer(response.status, response.read(READ).decode(errors="replace").replace("\0", ""))
    finally:
        late.cancel()
        connection.close()
        plain.close()


def _cut(plain: socket.socket, connection: http.client.HTTPConnection) -> None:
    for each in (connection.sock, plain):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            continue


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
