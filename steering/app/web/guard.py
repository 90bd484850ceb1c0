"""Who may talk to the workbench: its own page, under its own name, with its token where there is one."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

LOOPBACK = "127.0.0.1"
LOCAL = (LOOPBACK, "localhost", "::1")
OPEN = ("/workbench.js", "/workbench.css", "/start.js", "/plotly.js", "/icon.svg")  # the program's own text, no data

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Guard:
    """The rules for one server."""

    host: str = LOOPBACK
    """Address that it listens on."""
    token: str = ""
    """What the page's address must carry; empty: nothing."""

    def complaint(self, scope: Scope) -> str:
        """Return what is wrong with a request in one line; empty if nothing is.

        A page elsewhere that lets its name point here (DNS rebinding) sends that name as Host. A page elsewhere that
        talks to this address sends its own Origin.
        """
        headers = _headers(scope)
        host = headers.get("host", "")
        if not self._own(_name_of(host)):
            return "this is not the address of the workbench; open the one that it printed"
        origin = headers.get("origin")
        if origin not in (f"http://{host}", None) or (origin is None and scope["type"] == "websocket"):
            return "another page may not talk to the workbench"
        if self.token and scope["path"] not in OPEN:
            given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
            if len(given) != 1 or not hmac.compare_digest(given[0].encode(), self.token.encode()):
                return "the address lacks the token; open the one that the workbench printed"
        return ""

    def _own(self, name: str) -> bool:
        """Return whether a host's name is one of this server's.

        A server for other machines has the name that it was given, this machine's name, and every address in numbers,
        which no DNS server can turn to something else.
        """
        if name in LOCAL:
            return True
        if self.host in LOCAL:
            return False
        return name in (self.host.lower(), socket.gethostname().lower()) or _is_number(name)


def guarded(app: App, guard: Guard) -> App:
    """Return an ASGI app that refuses what the guard complains of, and sends safe headers with all else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await app(scope, receive, send)
            return
        host = _headers(scope).get("host", "")

        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), *_safe(host)]}
            await send(message)

        complaint = guard.complaint(scope)
        if not complaint:
            await app(scope, receive, sent)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": complaint})
        else:
            plain = [(b"content-type", b"text/plain; charset=utf-8")]
            host = ""
            await sent({"type": "http.response.start", "status": 403, "headers": plain})
            await send({"type": "http.response.body", "body": f"{complaint}\n".encode()})

    return answer


def _safe(host: str) -> list[tuple[bytes, bytes]]:
    """Return headers that let a page load only what is this server's, and no other page hold it in a frame."""
    talks = f"'self' ws://{host}" if host else "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"media-src blob:; connect-src {talks}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return [
        (b"content-security-policy", policy.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"cache-control", b"no-store"),
    ]


def _headers(scope: Scope) -> Mapping[str, str]:
    """Return a request's headers; one that is there twice is as one that is not allowed."""
    found: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        found[key] = "twice" if key in found else value.decode("latin-1")
    return found


def _name_of(host: str) -> str:
    """Return the name in a Host header, without its port and brackets."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or not port.isdecimal():
        name = host.lower()
    return name[1:-1] if name.startswith("[") and name.endswith("]") else name


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
