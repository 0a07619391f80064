"""Callers on three machines, what befalls the machines, and what is promised of every load."""

import asyncio
import os
import random
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from lib.house import blocking, is_shipped, recorded
from lib.local import local
from lib.talk import PATIENCE, Talk

# What a killed machine may lose: reliability promises half a second.
WINDOW = 0.5
# How often a caller repeats a request that broke off.
REPEATS = 8


@dataclass
class Kill:
    machine: str
    at: float


class Load:
    """So many callers, each saying one turn after the other; what breaks off is said again at once."""

    def __init__(self, house, callers, within=2):
        self.house = house
        # They begin within so many seconds.
        self.within = within
        self.turns = []
        self.open = 0
        self.is_over = False
        self.most_open = 0
        self.callers = callers

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(self._caller(n)) for n in range(self.callers)]
        return self

    async def __aexit__(self, kind, *_):
        self.is_over = True
        if kind is not None:
            for task in self.tasks:
                task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=kind is not None)

    async def _caller(self, number):
        talk, session = Talk(self.house), f"session-{number}-{random.randrange(1 << 32)}"
        said = 0
        await asyncio.sleep(random.random() * self.within)
        while not self.is_over:
            said += 1
            words = f"I want a raise, and this is the {said}th time that I say so in {session}."
            for _ in range(REPEATS):
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                turn = await talk.say(session, words)
                self.open -= 1
                self.turns.append(turn)
                if turn.is_whole:
                    break
                await asyncio.sleep(0.2)
            await asyncio.sleep(random.random() * 0.5)

    def unanswered(self):
        """Requests that nobody answered whole, however often they were made."""
        whole = {(t.session, t.words) for t in self.turns if t.is_whole}
        return [t for t in self.turns if (t.session, t.words) not in whole]


async def kills(house, rounds, calm):
    """Kills one at random, so many times; each comes back."""
    done = []
    for _ in range(rounds):
        await asyncio.sleep(calm + random.random())
        victim = random.choice(local.MACHINES)
        # Here and not in a thread, so that its moment is known.
        os.killpg(house.running[victim].pid, signal.SIGKILL)
        done.append(Kill(victim, time.monotonic()))
        await blocking(house.end, victim, signal.SIGKILL)
        await asyncio.sleep(1 + random.random())
        await blocking(house.start_machine, victim)
        await blocking(house.await_machine, victim)
        await blocking(house.await_lb, victim, "UP")
    return done


@dataclass
class Replaced:
    machine: str
    told: float
    ended: float
    code: int


async def roll(house, clm, is_asked=True):
    """Replaces every machine by `clm`, one after the other."""
    done = []
    for name in local.MACHINES:
        if is_asked:
            await blocking(house.ask_lb, f"set server machines/{name} state drain")
            # What was on its way to it is there by then.
            await asyncio.sleep(1)
        told = time.monotonic()
        code = await blocking(house.end, name, signal.SIGTERM)
        done.append(Replaced(name, told, time.monotonic(), code))
        house.clm[name] = Path(clm)
        await blocking(house.start_machine, name)
        await blocking(house.await_machine, name)
        if is_asked:
            await blocking(house.ask_lb, f"set server machines/{name} state ready")
        await blocking(house.await_lb, name, "UP")
    return done


def met_by(kills, turn):
    """Whether a kill ended it: the machine that answered it, or, of one that HAProxy had a 502 for, one that was killed before
    it said who it is."""
    if turn.status == 502:
        return any(turn.began <= kill.at + 1 and kill.at <= turn.ended for kill in kills)
    return any(kill.machine == turn.machine and turn.began <= kill.at <= turn.ended for kill in kills)


async def judge(result, house, load, killed):
    """What is promised of every load."""
    turns = load.turns
    whole = [t for t in turns if t.is_whole]

    cut = [t for t in turns if t.is_cut]
    own = [t for t in cut if met_by(killed, t)]
    silent = [t for t in turns if t.status != 200]
    refused = [t for t in silent if not met_by(killed, t)]
    result.row("most streams open at once", load.most_open)
    result.row("turns heard whole", len(whole), bool(whole))
    if killed:
        result.row("cut with the killed machine", len(own))
        result.row("requests it had taken and not answered (502)", len(silent) - len(refused))
    result.row("cut elsewhere", len(cut) - len(own), len(cut) == len(own))
    statuses = sorted({t.status for t in refused})
    told = f"{len(refused)} ({', '.join(map(str, statuses))})" if refused else 0
    result.row("requests refused", told, not refused)
    left = load.unanswered()
    result.row("never answered, asked again", len(left), not left)
    await blocking(local.until, "every row is in the database", lambda: is_shipped(house), 60)
    rows = await blocking(recorded, house)
    ids = [turn_id for turn_id, _ in rows]
    kept = set(ids)
    lost = [t for t in whole if t.turn_id not in kept]
    # Of a machine that was killed more than once, the kill that came next.
    ages = [
        min((k.at - t.ended for k in killed if k.machine == t.machine and t.ended <= k.at + 0.1), default=PATIENCE)
        for t in lost
    ]
    in_window = all(age <= WINDOW for age in ages)
    oldest = f", the oldest {max(max(ages), 0) * 1000:.0f} ms before its kill" if ages else ""
    result.row("records kept", len(rows))
    result.row("records lost", f"{len(lost)}{oldest}", not lost or in_window)
    result.row("records doubled", len(ids) - len(kept), len(ids) == len(kept))
