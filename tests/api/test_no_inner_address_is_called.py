"""Addresses that a tenant names lead to the public internet or nowhere: 80 inner targets, no connection."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from comp.api import sending
from comp.core.errors import ProblemsError

ADDRESSES = [
    "127.0.0.1", "127.1", "127.0.1.3", "127.255.255.254", "0.0.0.0", "0", "2130706433", "0x7f000001", "0x7f.1",
    "0177.0.0.1", "017700000001", "10.0.0.1", "10.255.255.255", "10.1", "0xa000001", "172.16.0.1", "172.31.255.254",
    "192.168.0.1", "192.168.1.254", "192.168.257", "0xc0a80001", "3232235521", "169.254.169.254", "169.254.1.1",
    "2852039166", "0xa9fea9fe", "100.64.0.1", "100.100.100.200", "100.127.255.254", "192.0.0.1", "192.0.0.192",
    "192.0.2.1", "198.18.0.1", "198.19.255.254", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250",
    "240.0.0.1", "255.255.255.255", "localhost", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]", "[::ffff:169.254.169.254]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]", "[64:ff9b:1::1]", "[2002:7f00:1::]", "[2002:a00:1::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]", "[2001:db8::1]", "[2001:10::1]", "[3fff::1]", "[fe80::1]", "[febf::1]",
    "[fec0::1]", "[fc00::1]", "[fd00::1]", "[fd12:3456:789a::1]", "[fd00:ec2::254]", "[ff02::1]", "[ff05::2]",
    "[ff0e::1]", "[100::1]", "[5f00::1]", "[::2]",
]  # fmt: skip
#: Names that lead inside, alone or beside a public address, whatever is said of them next time.
NAMES = {
    "inner.example": ["10.1.2.3"],
    "metadata.example": ["169.254.169.254"],
    "both.example": ["93.184.216.34", "127.0.0.1"],
    "six.example": ["2606:2800:220:1::1", "::1"],
    "mapped.example": ["::ffff:192.168.0.1"],
    "nowhere.example": [],
}
URLS = [
    "http://example.com/", "ftp://example.com/", "https://user:word@example.com/", "https://example.com@127.0.0.1/",
    "https://example.com/#@127.0.0.1", "https:///path", "https://", "//example.com/", "https://exa mple.com/",
    "https://example.com:0/", "https://example.com:70000/", "https://example.com\\@127.0.0.1/", "https://127。0。0。1/",
    "https://①②⑦.0.0.1/", "https://example.com/\r\nHost: inner", "file:///etc/passwd", "https://[::1", "gopher://x/",
]  # fmt: skip


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    real = socket.getaddrinfo

    def resolve(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in NAMES:
            kinds = [(socket.AF_INET6 if ":" in at else socket.AF_INET, at) for at in NAMES[host]]
            return [(kind, socket.SOCK_STREAM, 6, "", (at, port)) for kind, at in kinds]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: made.append(address))
    return made


def test_there_are_enough_of_them() -> None:
    assert len(ADDRESSES) + len(NAMES) >= 75 and len({*ADDRESSES}) == len(ADDRESSES)
    assert len(ADDRESSES) + len(NAMES) + len(URLS) >= 80


@pytest.mark.parametrize("host", [*ADDRESSES, *NAMES])
def test_an_inner_target_is_never_connected_to(connected: list[Any], host: str) -> None:
    with pytest.raises(sending.SendError):
        sending.post(f"https://{host}/hook", b"{}", {})
    assert connected == []


@pytest.mark.parametrize("url", URLS)
def test_an_address_of_another_form_is_refused(connected: list[Any], url: str) -> None:
    with pytest.raises(ProblemsError, match="cannot be called"):
        sending.post(url, b"{}", {})
    assert connected == []


@pytest.mark.parametrize("address", ["93.184.216.34", "1.1.1.1", "2606:4700:4700::1111"])
def test_what_is_public_is_called(address: str) -> None:
    assert sending.is_public(address)


def test_a_name_is_asked_once_and_that_answer_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers for the name may say something else the next time (DNS rebinding)."""
    said = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    made: list[Any] = []

    def resolve(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(said), port))]

    def connect(self: socket.socket, address: Any) -> None:
        made.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(sending.SendError, match="no network"):
        sending.post("https://rebinding.example/hook", b"{}", {})
    assert made == [("93.184.216.34", 443)]
