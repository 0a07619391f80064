"""Machines killed and replaced, while all is well and while something else is out of order."""

import asyncio
import signal

from lib.chaos.load import Load, judge, kills, roll
from lib.house import blocking, speech, tell_postgres


async def kill(result, house, options):
    await speech(house, 2)
    async with Load(house, options.callers) as load:
        killed = await kills(house, options.kills, options.calm)
        await asyncio.sleep(2)
    result.row("kills", len(killed))
    await judge(result, house, load, killed)


async def rolling(result, house, options, is_asked=True):
    # Short answers are many: more turns begin in the moment in which HAProxy does not know.
    seconds = options.speech if is_asked else 2
    await speech(house, seconds)
    # Somebody begins at any moment, as answers end at any.
    async with Load(house, options.callers, seconds) as load:
        await asyncio.sleep(seconds + 1)
        done = await roll(house, options.clm, is_asked)
        await asyncio.sleep(1)
    codes = sorted({each.code for each in done})
    result.row("machines replaced", len(done))
    result.row("exit codes", ", ".join(map(str, codes)), codes == [0])
    result.row("longest end", f"{max(each.ended - each.told for each in done):.1f} s")
    late = sum(each.machine == t.machine and each.told < t.began < each.ended for each in done for t in load.turns)
    # Told by the signal alone, HAProxy asks every half second, and sends turns until it knows.
    result.row("turns that came to a machine that was told to end", late, is_asked or late > 0)
    await judge(result, house, load, [])


async def unasked(result, house, options):
    await rolling(result, house, options, False)


async def troubled(result, house, options, begin, end):
    """Kill and rolling while something else is out of order; it is well again before the sums."""
    await speech(house, 3)
    async with Load(house, options.callers) as load:
        await asyncio.sleep(2)
        await blocking(begin)
        try:
            await asyncio.sleep(3)
            killed = await kills(house, 1, 1)
            done = await roll(house, options.clm)
            await asyncio.sleep(1)
        finally:
            await blocking(end)
        await asyncio.sleep(1)
    result.row("kills", len(killed))
    result.row("machines replaced", len(done))
    await judge(result, house, load, killed)


async def postgres(result, house, options):
    await troubled(
        result, house, options,
        lambda: tell_postgres(house, signal.SIGSTOP), lambda: tell_postgres(house, signal.SIGCONT),
    )


async def redis(result, house, options):
    await troubled(
        result, house, options, lambda: house.end("redis", signal.SIGKILL), house.start_redis
    )
