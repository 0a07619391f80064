"""A day's cap over all machines."""

import asyncio
import os
import random
import signal
import time

from lib.chaos.load import Kill, met_by
from lib.house import blocking, calls, is_shipped, pace, tell_postgres
from lib.local import local
from lib.talk import Talk

# A question so long that it costs most of what is set aside for its turn: the cap is met soon.
LONG = "I want a raise, and this is how it all came about, from the very beginning. " * 300
# What a day may cost, and what a machine holds of it ahead; dollars.
CAP, LEASE = 0.06, 0.01
# What is out of order while money is spent.
NOTHING, HUNG, LOST = "", ", PostgreSQL hangs", ", no Redis"


async def spend(house, callers, is_over):
    """So many callers with long questions, one after the other; their turns."""
    talk, turns = Talk(house), []

    async def caller(number):
        while not is_over():
            turn = await talk.say(f"spender-{number}", f"{len(turns)}: {LONG}")
            turns.append(turn)
            if not turn.is_whole:
                await asyncio.sleep(0.3)

    await asyncio.gather(*(caller(n) for n in range(callers)))
    return turns


async def spend_for(house, seconds):
    over = time.monotonic() + seconds
    return await spend(house, 20, lambda: time.monotonic() > over)


async def billed(house):
    """What the simulator's calls cost so far, dollars."""
    return sum(call["bill_microusd"] for call in await blocking(calls, house)) / 1e6


async def spend_a_part(house):
    """About a third of the cap. Then nobody speaks until each machine has told, as it does every five seconds: what turns
    cost less than was set aside for them is given back by then."""
    spent = 0.0

    async def watch():
        nonlocal spent
        while spent < CAP / 3:
            await asyncio.sleep(0.05)
            spent = await billed(house)

    turns, _ = await asyncio.gather(spend(house, 3, lambda: spent >= CAP / 3), watch())
    await asyncio.sleep(7)
    return turns


async def kill_one(house, after):
    """Kills one at random after so many seconds; it comes back."""
    await asyncio.sleep(after)
    victim = random.choice(local.MACHINES)
    os.killpg(house.running[victim].pid, signal.SIGKILL)
    kill = Kill(victim, time.monotonic())
    await blocking(house.end, victim, signal.SIGKILL)
    await asyncio.sleep(1)
    await blocking(house.start_machine, victim)
    await blocking(house.await_machine, victim)
    return kill


async def spend_while_it_hangs(house):
    """Turns, the kill, and what was spent while PostgreSQL hung."""
    turns = await spend_a_part(house)
    before = await billed(house)
    await blocking(tell_postgres, house, signal.SIGSTOP)
    try:
        more, kill = await asyncio.gather(spend_for(house, 12), kill_one(house, 3))
        meanwhile = await billed(house) - before
    finally:
        await blocking(tell_postgres, house, signal.SIGCONT)
    return turns + more + await spend_for(house, 8), kill, meanwhile


async def spend_without_redis(house):
    async def lose():
        await asyncio.sleep(1)
        await blocking(house.end, "redis", signal.SIGKILL)

    turns, kill, _ = await asyncio.gather(spend_for(house, 15), kill_one(house, 2), lose())
    return turns, kill


async def budget(result, options, is_strict, trouble):
    house = local.House(
        options.clm,
        {
            "DAILY_BUDGET_USD": str(CAP), "DAILY_HARD_CAP_USD": str(CAP), "BUDGET_LEASE_USD": str(LEASE),
            "BUDGET_STRICT": "true" if is_strict else "false",
            # What is set aside for a turn is what the dearest model might cost: here there is one.
            "OPENROUTER_FALLBACK_ENABLED": "false",
        },
    )
    mode = ("strict" if is_strict else "leases") + trouble
    machines = len(local.MACHINES)
    # The one that is killed comes back as a process that knows nothing of what the first one took.
    leases = machines + 1 if trouble == HUNG else machines
    with house:
        await pace(house, first_token_ms=20, gap_ms=1)
        meanwhile = None
        if trouble == HUNG:
            turns, kill, meanwhile = await spend_while_it_hangs(house)
        elif trouble == LOST:
            turns, kill = await spend_without_redis(house)
        else:
            turns, kill = await asyncio.gather(spend_for(house, 15), kill_one(house, 2))
        await blocking(local.until, "every row is in the database", lambda: is_shipped(house), 60)
        whole = sum(t.is_whole for t in turns)
        refused = sum(t.error == "told" for t in turns)
        met = [t for t in turns if not t.is_whole and t.error != "told" and met_by([kill], t)]
        other = len(turns) - whole - refused - len(met)
        spent = await billed(house)
    may = CAP if is_strict else CAP + LEASE * leases
    result.row(f"{mode}: turns asked for, answered, refused", f"{len(turns)}, {whole}, {refused}", refused > 0)
    result.row(f"{mode}: cut or not answered at the killed machine's end, and besides", f"{len(met)}, {other}", not other)
    if meanwhile is not None:
        # What each holds, which is a lease at most, and one lease more; and the one that came back.
        least, most = (0, 0) if is_strict else (LEASE, LEASE * (2 * machines + 1))
        is_within = least <= meanwhile <= most
        result.row(f"{mode}: spent meanwhile, and what may be", f"${meanwhile:.4f}, ${most:.2f}", is_within)
    result.row(f"{mode}: cap, and what may be spent", f"${CAP:.2f}, ${may:.2f}")
    result.row(f"{mode}: spent, by the simulator's bill", f"${spent:.4f}", CAP / 2 < spent <= may)
