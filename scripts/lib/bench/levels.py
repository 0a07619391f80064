"""What is promised as service levels: our own share of a first word, and how soon a model is let go of."""

import asyncio
import contextlib
import json
import os
import random
import re
import sqlite3
import time

from lib.bench.rig import compared
from lib.bench.service import PORT, TOKEN, service

# Callers at once who hang up, and how often each.
LEAVERS, LEAVES = 20, 50


def own_shares(home):
    """Our own share of each turn's first word, milliseconds, in order."""
    # The last rows are put down within half a second.
    time.sleep(2)
    with contextlib.closing(sqlite3.connect(f"file:{home / 'clm.db'}?mode=ro", uri=True)) as store:
        rows = store.execute("select overhead_ms from turn where overhead_ms is not null order by 1")
        return [row[0] for row in rows]


def told_shares(ordered):
    """The middle, the slowest but one in a hundred, the slowest."""
    last = len(ordered) - 1
    return " / ".join(f"{ordered[at]:.2f}" for at in (last // 2, last * 99 // 100, last))


class Models:
    """A model that speaks every 20 ms, and knows when each of its callers let go."""

    def __init__(self):
        self.gone = {}

    async def serve(self, reader, writer):
        try:
            await self.answer(reader, writer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def answer(self, reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if not head.startswith("POST"):
            writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            return
        body = await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I)[1]))
        caller = re.findall(rb"caller (\d+)", body)[-1].decode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

        async def speak():
            event = {"choices": [{"index": 0, "delta": {"content": "and so on, "}, "finish_reason": None}]}
            event = f"data: {json.dumps(event)}\n\n".encode()
            while True:
                writer.write(b"%x\r\n%s\r\n" % (len(event), event))
                await asyncio.sleep(0.02)

        speaking = asyncio.create_task(speak())
        try:
            # Nothing more is sent to it: this is the end of the connection.
            await reader.read(1)
        except OSError:
            pass
        finally:
            now = time.monotonic()
            speaking.cancel()
            if not self.gone[caller].done():
                self.gone[caller].set_result(now)


async def left(models, caller):
    """Milliseconds from a hang-up in mid-answer until the model's connection ends."""
    models.gone[caller] = asyncio.get_running_loop().create_future()
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": f"I am caller {caller}"}]})
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    writer.write(
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: clm\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"x-clm-session: caller-{caller}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    await reader.readuntil(b"and so on")
    await asyncio.sleep(random.random() * 0.2)
    hung_up = time.monotonic()
    writer.close()
    return (await asyncio.wait_for(models.gone[caller], 10) - hung_up) * 1000


async def hang_ups(clm):
    models = Models()
    server = await asyncio.start_server(models.serve, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1"

    async def leaver(number):
        return [await left(models, f"{number}{n:03}") for n in range(LEAVES)]

    with contextlib.ExitStack() as stack:
        entered = await asyncio.to_thread(stack.enter_context, service(clm, {"OPENROUTER_BASE_URL": address}))
        for task in os.listdir(f"/proc/{entered[0].pid}/task"):
            os.sched_setaffinity(int(task), {1})
        os.sched_setaffinity(0, {0})
        found = await asyncio.gather(*(leaver(number) for number in range(LEAVERS)))
        os.sched_setaffinity(0, range(os.cpu_count()))
    server.close()
    return sorted(ms for each in found for ms in each)


def levels(clm, args):
    shares = {
        streams: compared(args.rig, clm, f"s2-{streams}", args.scale, look=own_shares)["seen"]
        for streams in (500, 1000)
    }
    gone = asyncio.run(hang_ups(clm))
    return [
        "| what | counted | p50 / p99 / most, ms |",
        "|---|---|---|",
        *(
            f"| our own share of a first word, {streams:,} voice streams | {len(of):,} turns | {told_shares(of)} |"
            for streams, of in shares.items()
        ),
        f"| from a hang-up until its model is let go of, {LEAVERS} callers at once | {len(gone):,} hang-ups |"
        f" {told_shares(gone)} |",
    ]
