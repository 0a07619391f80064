"""Those who are held, in a process of their own, and those whose first words are measured."""

import asyncio
import contextlib
import json
import time

# New streams a second, while they come.
COMING = 250
# Turns a second that are measured, and as many bare calls.
RATE = 25


def request(path, words, session=None, connection="close"):
    query = f"?custom_session_id={session}" if session else ""
    body = json.dumps({"model": "held", "stream": True, "messages": [{"role": "user", "content": words}]}).encode()
    return (
        f"POST {path}{query} HTTP/1.1\r\nHost: clm\r\nAuthorization: Bearer simulated\r\n"
        f"Content-Type: application/json\r\nConnection: {connection}\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def held(port, count):
    """Holds so many, and tells on its standard output how many speak and how many have ended."""
    state = {"speaking": 0, "ended": 0}

    class Caller(asyncio.Protocol):
        def __init__(self, number):
            self.number, self.is_heard = number, False

        def connection_made(self, transport):
            transport.write(request("/chat/completions", f"Please hold me, {self.number}.", f"held-{self.number}"))

        def data_received(self, data):
            if not self.is_heard and b"word" in data:
                self.is_heard = True
                state["speaking"] += 1

        def connection_lost(self, _):
            state["ended"] += 1
            state["speaking"] -= self.is_heard

    loop = asyncio.get_running_loop()
    kept = []

    async def tell():
        while True:
            print(json.dumps(state), flush=True)
            await asyncio.sleep(0.5)

    telling = asyncio.create_task(tell())
    due = loop.time()
    for number in range(count):
        due += 1 / COMING
        await asyncio.sleep(max(0, due - loop.time()))
        try:
            transport, _ = await loop.create_connection(lambda: Caller(number), "127.0.0.1", port)
            kept.append(transport)
        except OSError:
            state["ended"] += 1
    await telling


async def heard(reader, writer, asked):
    """Seconds until words come; it is heard to its end. None: it did not say any."""
    began, first, text = time.perf_counter(), None, b""
    writer.write(asked)
    while not text.endswith(b"\r\n0\r\n\r\n") and (part := await reader.read(65536)):
        text += part
        if first is None and b"quickly" in text:
            first = time.perf_counter() - began
    return first if b"[DONE]" in text else None


async def turn(house, words):
    """A new caller's turn, from before it connects."""
    began = time.perf_counter()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.ports["clm"])
            connected = time.perf_counter() - began
            first = await heard(reader, writer, request("/chat/completions", words))
            writer.close()
            return first and first + connected


async def bare(house, words):
    """The same question to the model itself, through what stands before it for clm too, over HTTP/1.1."""
    asked = request("/api/v1/chat/completions", words, connection="keep-alive")
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(20):
            if not house.open:
                name, trust = ("models", None) if house.options.h1 else ("front", house.trust())
                house.open.append(await asyncio.open_connection("localhost", house.ports[name], ssl=trust))
            connection = house.open.pop()
            first = await heard(*connection, asked)
            if first is None:
                connection[1].close()
            else:
                house.open.append(connection)
            return first


async def measure(house, seconds, tag):
    """First words of turns, and of bare calls beside them."""
    ends, tasks = time.monotonic() + seconds, ([], [])
    due, number = time.monotonic(), 0
    while due < ends:
        await asyncio.sleep(max(0, due - time.monotonic()))
        words = f"I want a raise, and say so for the {number}th time, {tag}."
        tasks[0].append(asyncio.create_task(turn(house, words)))
        tasks[1].append(asyncio.create_task(bare(house, words)))
        number += 1
        due += 1 / RATE
    return [await asyncio.gather(*some) for some in tasks]
