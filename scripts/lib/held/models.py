"""Models that hold whoever asks to be held, and answer others quickly."""

import asyncio
import contextlib
import json
import random

# What a held model says at first: twice as much as a spoken answer has, and at 60 words a minute it sounds for two minutes, so
# that nobody takes it for stalled.
OPENING = "word " * 120
# And then, a word each.
WORD_S = 10
# A quick model: its first token, and those that follow.
FIRST_S, GAP_S, TOKENS = 0.02, 0.005, 20


def chunk(words):
    event = json.dumps({
        "id": "gen-1-held", "object": "chat.completion.chunk", "created": 1, "model": "held", "provider": "held",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": words}, "finish_reason": None}],
    })
    return frame(f"data: {event}\n\n")


def frame(text):
    data = text.encode()
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


END = frame(
    'data: {"id":"gen-1-held","object":"chat.completion.chunk","created":1,"model":"held","choices":[{"index":0,'
    '"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":20,'
    '"total_tokens":30,"cost":0.00001}}\n\n'
) + frame("data: [DONE]\n\n") + b"0\r\n\r\n"


async def model(reader, writer):
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next((line.split(":")[1] for line in head.split("\r\n") if line.startswith("content-length:")), "0")
            body = await reader.readexactly(int(length))
            if not head.startswith("post"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"data\":[]}")
                continue
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            await asyncio.sleep(FIRST_S)
            if b"hold me" in body:
                writer.write(chunk(OPENING))
                # Not all in step.
                await asyncio.sleep(WORD_S * random.random())
                while not reader.at_eof():
                    writer.write(chunk("word "))
                    await writer.drain()
                    await asyncio.sleep(WORD_S)
                break
            for _ in range(TOKENS):
                writer.write(chunk("quickly "))
                await asyncio.sleep(GAP_S)
            writer.write(END)
    writer.close()


async def models(port):
    server = await asyncio.start_server(model, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()
