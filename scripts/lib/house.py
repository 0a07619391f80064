"""Machines that run, as a test asks and tells them things."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

from lib.local import local
from lib.talk import Talk


async def blocking(function, *arguments):
    return await asyncio.to_thread(function, *arguments)


async def pace(house, **options):
    status, text = await blocking(
        local.get, house.url("simulator") + "/__options", None, json.dumps(options).encode()
    )
    assert status == 200, text


async def speech(house, seconds):
    """Sets the pace so that an answer takes about so long."""
    await pace(house, gap_ms=1)
    turn = await Talk(house).say("measure", "I want a raise.")
    words = max(len(turn.text.split()), 10)
    await pace(house, gap_ms=int(seconds * 1000 / (words * 1.3)))


def admin(house, path, within=30):
    for name in local.MACHINES:
        status, text = local.get(house.url(name) + path, house.admin_key, within=within)
        if status == 200:
            return text
    raise RuntimeError(f"nobody answers {path}: {status} {text}")


def recorded(house):
    """Every turn that is kept, and its outcome."""
    lines = admin(house, "/v1/export/turns?format=jsonl&range=24h").splitlines()
    rows = (json.loads(line) for line in lines if line)
    return [(row["turn_id"], row["outcome"]) for row in rows]


def outcomes_of(house):
    return dict(recorded(house))


def is_shipped(house):
    """Whether no machine holds rows that the database has not taken."""
    for name in local.MACHINES:
        status, text = local.get(house.url(name) + "/readyz", house.admin_key)
        if status != 200:
            return False
        told = json.loads(text)["dependencies"]
        if told["spool"]["rows"] or told["store"]["status"] != "ok":
            return False
    return True


def calls(house):
    return json.loads(local.get(house.url("simulator") + "/__ledger")[1])["chats"]


def ask(house, question):
    """Rows of the store, as lists of text."""
    psql = local.find("psql", "/usr/lib/postgresql/*/bin/psql")
    address = f"postgres://clm:{house.password}@127.0.0.1:{house.ports['postgres']}/postgres"
    told = subprocess.run(
        [psql, address, "-AtqF,", "-c", question],
        capture_output=True, text=True, check=True, timeout=120,
    )
    return [line.split(",") for line in told.stdout.splitlines()]


def children(parent):
    """The processes that this one has started and that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # Behind the name, which may hold anything: state, parent.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def tell_postgres(house, sign):
    """SIGSTOP, or SIGCONT, to all of it."""
    first = house.running["postgres"].pid
    # Each of its processes leads a group of its own. Stopped, the first of them makes no more.
    os.kill(first, signal.SIGSTOP)
    for pid in (*children(first), first):
        os.kill(pid, sign)
