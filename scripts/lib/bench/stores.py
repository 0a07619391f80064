"""What turns ask of PostgreSQL, Redis and memory, and what they leave in spool and log: counted, not timed. Three machines
behind HAProxy, as deploy/local starts them."""

import asyncio
import collections
import contextlib
import json
import os
import re
import signal
import socket
import time
from pathlib import Path

from lib.bench.service import Lacking
from lib.house import ask, blocking, children, is_shipped, pace, tell_postgres
from lib.local import ROOT, local
from lib.one import script
from lib.talk import Talk

# Sessions, turns of each, and percent of the models' calls that meet each kind of fault. The simulator keeps its
# newest 4,096 requests to memory: less than that are made.
FEW_LONG, MANY_SHORT = (30, 50, 0), (300, 4, 1)
# Turns of each session while PostgreSQL does not answer.
SPOOLED = 25
# A quick model; milliseconds.
QUICK = {"first_token_ms": 20, "gap_ms": 2}
# Callers who speak at once.
AT_ONCE = 30
TICK = os.sysconf("SC_CLK_TCK")
# Machines whose numbers a machine reads, and how often it is done here.
MACHINES, READINGS = 300, 100
HASH = "clm:{1}:machines"


def worked(house, name):
    """Seconds of processor that a program and its children have had, those that have ended too."""
    pid, total = house.running[name].pid, 0
    for each, fields in ((pid, slice(11, 15)), *((child, slice(11, 13)) for child in children(pid))):
        # One that ends meanwhile is its parent's from then on.
        with contextlib.suppress(OSError):
            stat = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, stat[fields]))
    return total / TICK


class Redis:
    """A connection to it."""

    def __init__(self, house):
        self.socket = socket.create_connection(("127.0.0.1", house.ports["redis"]), 5)
        self.reader = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)]
        self.socket.sendall(b"".join(parts))
        return self._answer()

    def _answer(self):
        kind, rest = (line := self.reader.readline().rstrip())[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if kind == b"$" and rest != b"-1":
            return self.reader.read(int(rest) + 2)[:-2]
        return rest


def reading(house):
    """Microseconds of Redis's processor for each of many machines whose numbers one reads, by the script that does it."""
    script = (ROOT / "src" / "record" / "counters" / "share.lua").read_text()
    with Redis(house) as redis:
        _, told = redis.ask("HGETALL", HASH)[:2]
        # A whole minute like what there was of it.
        told = json.loads(told.partition(b" ")[2])
        seen = max(told["slices"], key=lambda each: len(json.dumps(each)))
        told["slices"] = [seen | {"age_s": age} for age in range(0, 60, 5)]
        # As of a time to come: none of them grows old here.
        words = b"99999999999999 " + json.dumps(told, separators=(",", ":")).encode()
        # Not where the machines tell theirs, who would have to read all these too.
        for number in range(MACHINES):
            redis.ask("HSET", "machines", number, words)
            redis.ask("HSET", "day", number, "1000 1500000 3")
        before = worked(house, "redis")
        for number in range(READINGS):
            redis.ask("EVAL", script, 2, "machines", "day", 0, words.partition(b" ")[2], "", 1)
        return (worked(house, "redis") - before) / (READINGS * MACHINES) * 1e6


class Counts:
    """Where everybody's counters stand."""

    def __init__(self, house):
        self.at = time.monotonic()
        self.of = collections.Counter(self._postgres(house))
        self.of.update(self._redis(house))
        self.of.update(self._proxy(house))
        for name in ("postgres", "redis", "lb"):
            self.of[f"{name} worked"] = worked(house, name)
        self.of["machines worked"] = sum(worked(house, name) for name in local.MACHINES)
        self.of["log"] = sum((house.room / f"{name}.log").stat().st_size for name in local.MACHINES)

    @staticmethod
    def _postgres(house):
        asked = """
            select 'turn', count(*) from turn union all select 'attempt', count(*) from attempt
            union all select 'session', count(*) from session
            union all select 'transactions', xact_commit from pg_stat_database where datname = 'postgres'
            union all select 'bytes', pg_total_relation_size('turn') + pg_total_relation_size('attempt')
        """
        return {name: int(value) for name, value in ask(house, asked)}

    @staticmethod
    def _redis(house):
        with Redis(house) as redis:
            text = redis.ask("INFO", "commandstats").decode()
        # Scripts alone: what they call inside is counted besides.
        found = dict(re.findall(r"^cmdstat_(\w+):calls=(\d+)", text, re.M))
        return {f"redis {name}": int(found.get(name, 0)) for name in ("evalsha", "publish")}

    @staticmethod
    def _proxy(house):
        lines = house.ask_lb("show stat").lstrip("# ").splitlines()
        names = lines[0].split(",")
        rows = (dict(zip(names, line.split(","))) for line in lines[1:] if line)
        front = next(row for row in rows if (row["pxname"], row["svname"]) == ("callers", "FRONTEND"))
        return {"bytes from callers": int(front["bin"]), "bytes to callers": int(front["bout"])}

    def since(self, before):
        return {name: value - before.of[name] for name, value in self.of.items()}


async def talked(house, sessions, turns, named):
    """So many turns in each session, and how many of all were heard whole."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def session(number):
        talk = Talk(house)
        async with gate:
            heard = [
                await talk.say(f"{named}-{number}", f"I want a raise, and say so for the {n}th time.")
                for n in range(turns)
            ]
        return sum(turn.is_whole for turn in heard)

    return sum(await asyncio.gather(*map(session, range(sessions))))


async def quiet(house):
    """Every row is in the database, and every word in memory."""

    def backlog():
        pages = [local.get(house.url(name) + "/metrics", house.admin_key)[1] for name in local.MACHINES]
        return sum(float(re.search(r"^clm_memory_backlog ([\d.e+]+)$", page, re.M)[1]) for page in pages)

    # Turns settle, and are written down, within half a second.
    await asyncio.sleep(2)
    await blocking(local.until, "memory has every word", lambda: backlog() == 0, 180)
    await blocking(local.until, "PostgreSQL has every row", lambda: is_shipped(house), 60)


def asked_of_memory(house):
    """Requests by what they are for, and bytes of what models were asked."""
    book = json.loads(local.get(house.url("simulator") + "/__ledger")[1])
    kinds = collections.Counter()
    for call in book["zep"]:
        path = call["path"].partition("?")[0]
        kind = "read" if path.endswith("/context") else "write" if path.endswith("/messages") else "begin"
        kinds[kind] += 1
    asked = [len(json.dumps(call["body"])) for call in book["chats"]]
    return {f"zep {kind}": kinds[kind] for kind in ("read", "write", "begin")} | {
        "calls": len(asked), "bytes to models": sum(asked)
    }


async def spooled(house, sessions):
    """Bytes a turn of the same talk while nobody takes the rows."""

    def waits(what):
        pages = [local.get(house.url(name) + "/readyz", house.admin_key)[1] for name in local.MACHINES]
        return sum(json.loads(page)["dependencies"]["spool"][what] for page in pages)

    tell_postgres(house, signal.SIGSTOP)
    try:
        # What lies there of rows that were taken goes with the first that wait.
        stood = []
        for number in range(2):
            await talked(house, sessions, SPOOLED, f"spooled-{number}")
            await asyncio.sleep(2)
            stood.append(await blocking(waits, "bytes"))
        rows = await blocking(waits, "rows")
    finally:
        tell_postgres(house, signal.SIGCONT)
    if rows < 4 * sessions * SPOOLED:
        raise Lacking(f"{rows} rows waited of {2 * sessions * SPOOLED} turns")
    return (stood[1] - stood[0]) / (sessions * SPOOLED)


async def counted(clm, sessions, turns, share):
    with local.House(clm, {"DAILY_BUDGET_USD": "100000", "DAILY_HARD_CAP_USD": "100000"}) as house:
        await pace(house, **QUICK, script=script(2 * sessions * turns, share) if share else [])
        before = await blocking(Counts, house)
        whole = await talked(house, sessions, turns, "counted")
        await quiet(house)
        after = await blocking(Counts, house)
        found = after.since(before) | await blocking(asked_of_memory, house)
        found |= {"seconds": after.at - before.at, "whole": whole, "sessions": sessions}
        if share:
            return found
        found["reading"] = await blocking(reading, house)
        found["spool"] = await spooled(house, sessions)
        return found


ROWS = [
    ("turns, heard whole", lambda f: f"{f['turn']:,}, {f['whole']:,}"),
    ("seconds", lambda f: f"{f['seconds']:.0f}"),
    ("calls of models", lambda f: f"{f['calls']:,}"),
    ("PostgreSQL, rows: `turn`, `attempt`, `session`", lambda f: f"{f['turn']:,}, {f['attempt']:,}, {f['session']:,}"),
    ("PostgreSQL, transactions", lambda f: f"{f['transactions']:,}"),
    ("PostgreSQL, bytes a turn, indexes included", lambda f: f"{f['bytes'] / f['turn']:,.0f}"),
    ("PostgreSQL, processor, µs a turn", lambda f: f"{f['postgres worked'] / f['turn'] * 1e6:,.0f}"),
    ("Redis, scripts, and notes to another machine", lambda f: f"{f['redis evalsha']:,}, {f['redis publish']:,}"),
    ("Redis, processor, µs a script", lambda f: f"{f['redis worked'] / f['redis evalsha'] * 1e6:,.0f}"),
    (
        f"Redis, processor, µs for each of {MACHINES} machines whose live numbers one reads",
        lambda f: f"{f['reading']:.1f}" if "reading" in f else "–",
    ),
    ("HAProxy, processor, µs a turn", lambda f: f"{f['lb worked'] / f['turn'] * 1e6:,.0f}"),
    ("machines, processor, µs a turn", lambda f: f"{f['machines worked'] / f['turn'] * 1e6:,.0f}"),
    ("Zep, requests: read, written, begun", lambda f: f"{f['zep read']:,}, {f['zep write']:,}, {f['zep begin']:,}"),
    ("bytes from callers, a turn", lambda f: f"{f['bytes from callers'] / f['turn']:,.0f}"),
    ("bytes to callers, a turn", lambda f: f"{f['bytes to callers'] / f['turn']:,.0f}"),
    ("bytes to models, a call, without heads", lambda f: f"{f['bytes to models'] / f['calls']:,.0f}"),
    ("log, bytes a turn", lambda f: f"{f['log'] / f['turn']:,.0f}"),
    ("spool, bytes a turn while PostgreSQL does not answer", lambda f: f"{f['spool']:,.0f}" if "spool" in f else "–"),
]


def told(shape):
    sessions, turns, share = shape
    return f"{sessions} sessions of {turns} turns" + (f", {share} % of each fault" if share else "")


def stores(clm, args):
    shapes = (FEW_LONG, MANY_SHORT)
    found = [asyncio.run(counted(clm, *shape)) for shape in shapes]
    return [
        "| what | " + " | ".join(map(told, shapes)) + " |",
        "|---|---|---|",
        *(f"| {what} | " + " | ".join(map(read, found)) + " |" for what, read in ROWS),
    ]
