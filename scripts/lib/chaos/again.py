"""Requests that come again, or anew, on another machine; and callers who leave."""

import asyncio
import random
import signal
import time

from lib.house import blocking, calls, outcomes_of, pace
from lib.local import local
from lib.talk import Talk


async def with_and_without_redis(house):
    """Two titles, the second without."""
    yield "with Redis"
    await blocking(house.end, "redis", signal.SIGKILL)
    await asyncio.sleep(1)
    yield "without Redis"
    await blocking(house.start_redis)


async def repeats(result, house, options):
    await pace(house, gap_ms=40)
    await blocking(
        local.get, house.url("clm1") + "/v1/flags/hedging", house.admin_key, b'{"value": false}', "PUT"
    )
    await asyncio.sleep(2.5)
    async for title in with_and_without_redis(house):
        await blocking(local.get, house.url("simulator") + "/__reset", None, b"")
        sessions = [f"again-{title}-{n}" for n in range(options.sessions)]

        async def one(n, session):
            """While it is being said, and after its end. The session is in the body: each goes elsewhere."""
            # One stall of the machine is not to meet them all.
            await asyncio.sleep(n * 0.03)
            talk, words = Talk(house), f"I want a raise, says {session}."
            first = asyncio.create_task(talk.say(session, words, True))
            await asyncio.sleep(0.5)
            second = await talk.say(session, words, True)
            return [await first, second, await talk.say(session, words, True)]

        heard = await asyncio.gather(*(one(n, session) for n, session in enumerate(sessions)))
        elsewhere = sum(t.machine != first.machine for first, *rest in heard for t in rest)
        alike = sum(t.is_whole and t.text == first.text for first, *rest in heard for t in rest)
        asked, bill = len(calls(house)), sum(call["bill_microusd"] for call in calls(house))
        result.row(f"{title}: requests, each made three times", len(sessions))
        result.row(f"{title}: repeats on another machine", elsewhere, elsewhere > 0)
        result.row(f"{title}: repeats heard whole, word for word", alike, alike == 2 * len(sessions))
        # Without Redis each machine answers its own: that is the limit. With it a repeat is answered anew only
        # where Redis took longer than a turn waits for it, as it may on a machine as busy as this.
        is_heard = title == "without Redis" or asked <= len(sessions) + max(1, elsewhere // 10)
        result.row(f"{title}: calls to models", f"{asked}, ${bill / 1e6:.4f}", is_heard)
        if title == "with Redis":
            first = [t.first - t.began for turns in heard for t in turns[1:]]
            result.row("a repeat's first word, the slowest", f"{max(first) * 1000:.0f} ms")


async def newer(result, house, options):
    await pace(house, gap_ms=100)
    # Until every machine's way to Redis stands.
    await asyncio.sleep(2.5)
    async for title in with_and_without_redis(house):
        sessions = [f"newer-{title}-{n}" for n in range(options.sessions)]

        async def one(n, session):
            """More is said while the first is answered, and nobody closes it. The session is in the body: each goes elsewhere."""
            await asyncio.sleep(n * 0.03)
            talk, words = Talk(house), f"I want a raise, says {session}"
            older = asyncio.create_task(talk.say(session, words, True))
            await asyncio.sleep(0.5)
            last = await talk.say(session, f"{words}, and now.", True)
            return await older, last

        heard = await asyncio.gather(*(one(n, session) for n, session in enumerate(sessions)))
        asked = {turn.turn_id for pair in heard for turn in pair}
        await blocking(local.until, "every turn is recorded", lambda: asked <= outcomes_of(house).keys(), 60)
        outcomes = outcomes_of(house)
        elsewhere = [(older, last) for older, last in heard if older.machine != last.machine]
        ended = [
            older.ended - last.began for older, last in elsewhere if outcomes[older.turn_id] == "superseded"
        ]
        whole = sum(last.is_whole and outcomes[last.turn_id] == "complete" for _, last in heard)
        result.row(f"{title}: newer requests, on another machine", f"{len(heard)}, {len(elsewhere)}", bool(elsewhere))
        result.row(f"{title}: of them heard whole", whole, whole == len(heard))
        # Without Redis the older one is spoken to its end: that is the limit. With it, where a note took longer than it
        # may, as it may on a machine as busy as this.
        least = len(elsewhere) - max(1, len(elsewhere) // 10)
        is_right = len(ended) >= least if title == "with Redis" else not ended
        result.row(f"{title}: older ones that ended for one elsewhere", len(ended), is_right)
        if ended:
            result.row("the slowest of them ended", f"{max(ended) * 1000:.0f} ms after it", max(ended) < 1)


async def hangup(result, house, options):
    """Callers who hang up while a model is silent: their models are let go of."""
    # Longer than any of it takes, and no silence that a model is left for.
    await pace(house, gap_ms=2500, first_token_ms=50)
    await blocking(local.get, house.url("simulator") + "/__reset", None, b"")

    async def interrupted(number):
        said = asyncio.create_task(Talk(house).say(f"leaving-{number}", f"I want a raise, says {number}."))
        await asyncio.sleep(1 + random.random() / 2)
        said.cancel()
        await asyncio.gather(said, return_exceptions=True)

    await asyncio.gather(*(interrupted(n) for n in range(options.sessions)))
    left = time.monotonic()

    def are_gone():
        return all(call["end"] == "aborted" for call in calls(house))

    await blocking(local.until, "all are let go of", are_gone, 2)
    result.row("callers who left, with a model silent", len(calls(house)), len(calls(house)) >= options.sessions)
    result.row("the last model was let go of after", f"{(time.monotonic() - left) * 1000:.0f} ms at most")
