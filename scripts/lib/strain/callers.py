"""Callers over connections that are open already, each turn a session of its own."""

import asyncio
import collections
import contextlib
import email.utils
import json
import random
import re
import secrets
import time
from dataclasses import dataclass

from lib.talk import PATIENCE

# Turns a second that are measured.
RATE = 50
# A quick model, which says some twenty words; milliseconds.
QUICK = {"first_token_ms": 20, "gap_ms": 4}
NAME = "clm1"
SPOKEN = re.compile(rb'"content":"[^"]')


@dataclass
class Heard:
    began: float
    # How late it began, by the plan.
    late: float = 0.0
    first: float | None = None
    ended: float = 0.0
    status: int = 0
    text: bytes = b""
    # The server's wall clock, by its Date.
    wall: float = 0.0

    @property
    def is_whole(self):
        return self.status == 200 and b"data: [DONE]" in self.text and self.first is not None

    @property
    def is_answered(self):
        """By a model, whose words come by and by; what is said for one is a single sentence."""
        return self.is_whole and self.text.count(b'"content":"') >= 5

    def words(self):
        found = (json.loads(line[6:]) for line in self.text.decode().split("\n") if line.startswith("data: {"))
        return "".join(choice["delta"].get("content") or "" for event in found for choice in event["choices"])


class Callers:
    """Each turn is a session of its own, over a connection that is open already where there is one."""

    def __init__(self, rig):
        self.rig = rig
        self.free = collections.deque()
        # Nobody says what somebody else has said: that would be a repeat, and be answered as one.
        self.name, self.said = secrets.token_hex(4), 0

    async def say(self, words, asks_for_errors=False):
        """Hears one turn to its end; of one that broke off, what there was of it."""
        heard = Heard(time.perf_counter())
        with contextlib.suppress(OSError, EOFError, ValueError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._say(heard, words, asks_for_errors)
        heard.ended = time.perf_counter() - heard.began
        return heard

    async def _say(self, heard, words, asks_for_errors):
        self.said += 1
        body = json.dumps({"stream": True, "messages": [{"role": "user", "content": words}]}).encode()
        more = "x-clm-errors: signal\r\n" if asks_for_errors else ""
        asked = (
            f"POST /v1/chat/completions HTTP/1.1\r\nHost: clm\r\nAuthorization: Bearer {self.rig.caller_key}\r\n"
            f"x-clm-session: {self.name}-{self.said}\r\nContent-Type: application/json\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body
        # The one that was idle for longest: none grows so old that it is closed.
        while self.free:
            reader, writer = self.free.popleft()
            if not reader.at_eof():
                break
            writer.close()
        else:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.rig.ports[NAME])
        is_kept = False
        try:
            heard.began = time.perf_counter()
            writer.write(asked)
            await self._hear(heard, reader)
            is_kept = True
        finally:
            if is_kept:
                self.free.append((reader, writer))
            else:
                writer.close()

    async def _hear(self, heard, reader):
        head = await reader.readuntil(b"\r\n\r\n")
        heard.status = int(head[9:12])
        if found := re.search(rb"\ndate: ([^\r]+)", head, re.I):
            heard.wall = email.utils.parsedate_to_datetime(found[1].decode()).timestamp()
        if found := re.search(rb"content-length: (\d+)", head, re.I):
            heard.text = await reader.readexactly(int(found[1]))
            return
        parts = []
        while size := int(await reader.readline() or b"z", 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
            if heard.first is None and SPOKEN.search(parts[-1]):
                heard.first = time.perf_counter() - heard.began
            heard.text = b"".join(parts) if len(parts) > 1 else parts[0]
        await reader.readline()

    async def steadily(self, seconds, rate=RATE, every_other_asks=False):
        """Turns at this rate, each by itself; heard to their ends."""
        began, tasks = time.perf_counter(), []
        for number in range(int(seconds * rate)):
            # Nobody is in step with anything.
            due = began + (number + random.random() / 2) / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            words = f"I want a raise, and say so for the {self.said}th time."
            task = asyncio.create_task(self.say(words, every_other_asks and number % 2 == 1))
            tasks.append((task, time.perf_counter() - due))
        heard = []
        for task, late in tasks:
            heard.append(await task)
            heard[-1].late = late
        return heard


def at(seconds, percent):
    """Milliseconds."""
    ordered = sorted(s * 1000 for s in seconds if s is not None)
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else float("nan")
