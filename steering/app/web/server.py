"""The server: the page's files, and one conversation for each WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect
from uvicorn.protocols.http.h11_impl import H11Protocol

from envs.errors import InputError, one_line
from steering.app.session.updates import problem
from steering.app.web.conversation import Computing, Conversation
from steering.app.web.frames import encode
from steering.app.web.guard import App, Guard, guarded
from steering.app.web.pieces import files

MOST_PAGES = 16  # that are open at a time
READ_BYTES = 1024 * 1024  # of a message; a longer one ends its connection
PATIENCE = 1.0  # seconds until the server is left, whatever still runs
MOST_CONNECTIONS = 256  # over HTTP, at a time
SILENCE = 10.0  # seconds until a connection without a whole request is closed
TRY_LATER = 1013  # WebSocket's code for a server that has too much to do


class Patient(H11Protocol):
    """HTTP/1.1 whose connections cannot pile up: so many at most, and not for long where nothing is asked."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it at once."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        else:
            self.loop.call_later(SILENCE, self._give_up)

    def _give_up(self) -> None:
        if self in self.connections and self.cycle is None:  # a WebSocket is no longer among them
            self.transport.abort()


def application(begin: Callable[[], Computing], guard: Guard) -> App:
    """Return the ASGI app.

    Args:
        begin: makes the session of one page.
        guard: who may talk to it.
    """
    open_pages: set[Conversation] = set()

    async def file(request: Request) -> Response:
        kind, text = files()[request.url.path]
        return Response(text, media_type=kind)

    async def plotly(_: Request) -> Response:
        from plotly.offline import get_plotlyjs

        return Response(get_plotlyjs(), media_type="text/javascript")

    async def talk(page: WebSocket) -> None:
        await page.accept()
        if len(open_pages) >= MOST_PAGES:
            full = InputError(f"{MOST_PAGES} pages are open already; close one and load this page again")
            await page.send_bytes(encode(problem(full, "message"), 0))
            await page.close(TRY_LATER)
            return
        loop, ready = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(ready.set)

        conversation = Conversation(begin, wake)
        open_pages.add(conversation)
        sending = asyncio.create_task(_send(page, conversation, ready))
        try:
            await _listen(page, conversation)
        finally:
            open_pages.discard(conversation)
            sending.cancel()
            conversation.close()
            await asyncio.to_thread(conversation.close, PATIENCE)  # a thread in the middle of a chunk would outlive us

    routes = [Route(path, file) for path in files()]
    return guarded(Starlette(routes=[*routes, Route("/plotly.js", plotly), WebSocketRoute("/socket", talk)]), guard)


async def _listen(page: WebSocket, conversation: Conversation) -> None:
    """Hand on what the page says until it leaves."""
    while True:
        message = await page.receive()
        if message["type"] == "websocket.disconnect":
            return
        if (frame := message.get("bytes")) is not None:
            conversation.hear(frame)
        else:
            conversation.refuse_text()


async def _send(page: WebSocket, conversation: Conversation, ready: asyncio.Event) -> None:
    """Send what the conversation has; a page that takes it slowly is waited for, and the conversation with it."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the page has left
        while True:
            await ready.wait()
            ready.clear()
            while (frame := conversation.take()) is not None:
                await page.send_bytes(frame)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0: any that is free.

    Raises:
        InputError: for an address that is not this machine's, and for a port that is taken.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        made = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host!r}: no address of this machine ({one_line(error)})") from None
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind(address)
        made.listen()
    except OSError as error:
        made.close()
        reason = one_line(error)
        raise InputError(f"--host {host} --port {port}: cannot be listened on ({reason}); try --port 0") from None
    return made


@contextlib.contextmanager
def serving(begin: Callable[[], Computing], place: socket.socket, guard: Guard) -> Iterator[threading.Thread]:
    """Serve inside, on a thread beside this one, which it yields; at the end at once, whoever is connected.

    Args:
        begin: makes the session of one page.
        place: where to listen; it is closed at the end.
        guard: who may talk to it.
    """
    settings: dict[str, Any] = {
        "log_level": "critical",
        "lifespan": "off",
        "http": Patient,
        "ws": "websockets-sansio",
        "ws_max_size": READ_BYTES,
        "ws_per_message_deflate": False,  # costs more time than it saves on the way to the same machine
        "timeout_graceful_shutdown": 1,
        "server_header": False,
        "proxy_headers": False,
    }
    server = uvicorn.Server(uvicorn.Config(application(begin, guard), **settings))
    thread = threading.Thread(target=server.run, args=([place],), name="server", daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        place.close()


def address_of(place: socket.socket, guard: Guard) -> str:
    """Return the address to open in a browser on this machine."""
    host, port = place.getsockname()[:2]
    if guard.host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}/" + (f"?token={guard.token}" if guard.token else "")
