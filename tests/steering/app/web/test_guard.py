"""Who may talk to the workbench: its own page under its own name, and whoever has the token where there is one."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from steering.app.web.guard import Guard

PAGE, SOCKET = "http", "websocket"
LOCAL, WIDE, NAMED = Guard(), Guard("0.0.0.0", "s3cret"), Guard("Box.Example", "s3cret")


def asked(kind: str, path: str = "/", query: str = "", **headers: str) -> dict[str, Any]:
    """A request as ASGI has it."""
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": kind, "path": path, "query_string": query.encode(), "headers": pairs}


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "[::1]:8000", "localhost", "LOCALHOST:80"])
def test_its_own_page_may(host: str) -> None:
    """Also by a tunnel, which has a port of its own."""
    assert LOCAL.complaint(asked(PAGE, host=host)) == ""
    assert LOCAL.complaint(asked(SOCKET, host=host, origin=f"http://{host}")) == ""


HOSTS = [
    "evil.example:8000",
    "127.0.0.1.evil.example",
    "",
    "localhost.evil.example:8000",
    "192.168.0.7:8000",
    "127.0.0.2",
]


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_for_this_address_is_refused(host: str) -> None:
    """A page elsewhere may let its own name point here, and would then be of one origin with the workbench."""
    for kind in (PAGE, SOCKET):
        assert "not the address" in LOCAL.complaint(asked(kind, host=host, origin=f"http://{host}"))


def test_no_host_or_two_are_refused() -> None:
    assert "not the address" in LOCAL.complaint(asked(PAGE))
    two = asked(PAGE)
    two["headers"] = [(b"host", b"localhost"), (b"Host", b"evil.example")]
    assert "not the address" in LOCAL.complaint(two)


ORIGINS = [
    "http://evil.example",
    "http://localhost:9999",
    "https://localhost:8000",
    "null",
    "http://localhost:8000.evil",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_page_is_refused(origin: str) -> None:
    for kind in (PAGE, SOCKET):
        assert "another page" in LOCAL.complaint(asked(kind, host="localhost:8000", origin=origin))


def test_a_socket_says_whose_it_is() -> None:
    assert "another page" in LOCAL.complaint(asked(SOCKET, host="localhost:8000"))


@pytest.mark.parametrize(
    "query", ["", "token=", "token=wrong", "token=s3cre", "token=s3cret&token=s3cret", "t=s3cret", "token=%FF"]
)
def test_other_machines_need_the_token(query: str) -> None:
    host = "10.0.0.5:8000"
    for kind, path in ((PAGE, "/"), (SOCKET, "/socket"), (PAGE, "/no-such")):
        wrong = asked(kind, path, query, host=host, origin=f"http://{host}")
        assert "lacks the token" in WIDE.complaint(wrong)
        right = asked(kind, path, "token=s3cret", host=host, origin=f"http://{host}")
        assert WIDE.complaint(right) == ""


def test_the_programs_own_text_is_no_secret() -> None:
    assert WIDE.complaint(asked(PAGE, "/workbench.js", host="10.0.0.5:8000")) == ""


def test_names_of_a_server_for_other_machines() -> None:
    """The name that it was given, this machine's, and any address in numbers; another name could point here."""
    for host in ("box.example:80", "[fe80::1]:80", "10.0.0.5", f"{socket.gethostname()}:80", "localhost:80"):
        assert NAMED.complaint(asked(PAGE, "/", "token=s3cret", host=host)) == ""
    for guard in (NAMED, WIDE):
        assert "not the address" in guard.complaint(asked(PAGE, "/", "token=s3cret", host="evil.example:80"))
