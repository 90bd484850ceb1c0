"""The widget: the page's module in a notebook's cell, and frames as the buffers of its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anywidget
import traitlets

from envs.errors import InputError
from steering.app.session.state import read_state
from steering.app.session.updates import Update
from steering.app.web.conversation import Computing, Conversation
from steering.app.web.frames import decode_message, encode
from steering.app.web.pieces import module, styles


class WorkbenchWidget(anywidget.AnyWidget):
    """The workbench in a notebook; :func:`Workbench` makes it.

    Example:
        >>> bench = Workbench("region5", level=26)
        >>> bench.state = {**bench.state, "edits": []}
    """

    state = traitlets.Dict()
    """What the page shows: the maze, the edits and all that is chosen, as its link holds it."""

    def __init__(self, begin: Callable[[], Computing], state: dict[str, Any]) -> None:
        """Make the widget.

        Args:
            begin: makes the session.
            state: the state to begin with.
        """
        self._begin = begin
        self._conversation: Conversation | None = None
        self._hearing = False  # while the state that the page sent is taken over
        self._esm, self._css = module(), styles()
        super().__init__()
        self.state = state
        self.on_msg(self._listen)
        self.observe(self._tell, "state")

    @traitlets.validate("state")
    def _check(self, proposal: Any) -> dict[str, Any]:
        """Return a state as the page has it; raise :class:`InputError` for what is none."""
        return read_state(proposal["value"]).plain()

    def _listen(self, _: object, content: object, buffers: list[Any]) -> None:
        """Take a message of the page: one without a frame says that the page is there."""
        if not buffers:
            if self._conversation is not None:
                self._conversation.close()
            self._conversation = Conversation(self._begin, self._hand_out, self.state)
        elif self._conversation is not None:
            frame = bytes(buffers[0])
            self._take_over(frame)
            self._conversation.hear(frame)

    def _take_over(self, frame: bytes) -> None:
        """Keep the state in a message; of a message without a good one the conversation says what is wrong."""
        self._hearing = True
        try:
            message = decode_message(frame)
            if message["type"] == "state":
                self.state = message["state"]
        except InputError:
            pass
        finally:
            self._hearing = False

    def _tell(self, change: Any) -> None:
        """Hand a state that the notebook set to the page, which answers with it."""
        if not self._hearing:
            self.send({}, [encode(Update("state", {"state": change["new"]}), 0)])

    def _hand_out(self) -> None:
        """Send what is there; called from the conversation's thread."""
        while self._conversation is not None and (frame := self._conversation.take()) is not None:
            self.send({}, [frame])

    def close(self) -> None:
        """End the work and take the widget off its page."""
        if self._conversation is not None:
            self._conversation.close()
        super().close()
