"""A caller of the service, and what came of its requests."""

import asyncio
import json
import time
from dataclasses import dataclass

# Beyond it a caller has hung: no turn takes longer here.
PATIENCE = 60


@dataclass
class Turn:
    """One request and what came of it."""

    words: str
    session: str
    began: float
    machine: str = ""
    turn_id: str = ""
    status: int = 0
    text: str = ""
    finish: str = ""
    is_done: bool = False
    error: str = ""
    first: float | None = None
    ended: float = 0.0

    @property
    def is_whole(self):
        return self.status == 200 and self.is_done and bool(self.text) and not self.error

    @property
    def is_cut(self):
        """Something was being said, and it broke off."""
        return self.status == 200 and not self.is_whole


class Talk:
    """Says turns to one address."""

    def __init__(self, house, port=None):
        self.house = house
        self.port = port or house.ports["lb"]

    async def say(self, session, words, in_body=False):
        turn = Turn(words, session, time.monotonic())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._say(turn, in_body)
        except (OSError, EOFError, asyncio.IncompleteReadError, ValueError) as error:
            turn.error = turn.error or type(error).__name__
        except TimeoutError:
            turn.error = "it hung"
        turn.ended = time.monotonic()
        return turn

    async def _say(self, turn, in_body):
        body = {"stream": True, "messages": [{"role": "user", "content": turn.words}]}
        head = [
            "POST /v1/chat/completions HTTP/1.1", "Host: clm", "Content-Type: application/json",
            f"Authorization: Bearer {self.house.caller_key}", "x-clm-errors: signal", "Connection: close",
        ]
        if in_body:
            body["metadata"] = {"session_id": turn.session}
        else:
            head.append(f"x-clm-session: {turn.session}")
        body = json.dumps(body).encode()
        head.append(f"Content-Length: {len(body)}")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
            await self._hear(turn, reader)
        finally:
            writer.close()

    async def _hear(self, turn, reader):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        turn.status = int(head[0].split()[1])
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        turn.machine = headers.get("x-clm-machine", "")
        turn.turn_id = headers.get("x-clm-turn-id", "")
        if turn.status != 200:
            return
        text = b""
        while size := int(await reader.readline() or b"z", 16):
            text += (await reader.readexactly(size + 2))[:-2]
            *events, text = text.split(b"\n\n")
            for event in events:
                self._take(turn, event.decode())

    def _take(self, turn, event):
        if not event.startswith("data: "):
            return
        if event == "data: [DONE]":
            turn.is_done = True
            return
        chunk = json.loads(event[6:])
        if "error" in chunk:
            turn.error = "told"
            return
        for choice in chunk["choices"]:
            turn.text += choice["delta"].get("content") or ""
            turn.finish = choice.get("finish_reason") or turn.finish
            if turn.text and turn.first is None:
                turn.first = time.monotonic()
