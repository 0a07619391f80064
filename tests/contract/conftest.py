"""A server with keys and simulated models, and the document that it serves of itself."""

import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

CLM = os.environ["CLM_BIN"]
CALLER_KEY = "caller-key-of-the-contract-tests-0123456789"
ADMIN_KEY = "admin-key-of-the-contract-tests-0123456789"
HUME_KEY = "hume-key-of-the-contract-tests"
ELEVENLABS_KEY = "elevenlabs-key-of-the-contract-tests"
# Nothing that a test waits for takes longer, also on a busy machine; in seconds.
PATIENCE = 30


def start(scratch, name, arguments, settings, mark):
    """A clm, and where it listens, as its first lines tell."""
    log = Path(scratch) / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [CLM, *arguments],
            env={"PATH": os.environ["PATH"], **settings},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    began = time.monotonic()
    while time.monotonic() - began < PATIENCE and process.poll() is None:
        found = re.search(mark, log.read_text(errors="replace"))
        if found:
            return process, f"http://{found[1]}"
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"clm {name} did not start:\n{log.read_text(errors='replace')}")


def begin():
    """Starts both, before the tests are collected: what is tested is in the document."""
    scratch = tempfile.TemporaryDirectory()
    pace = ["--first-token-ms", "2", "--gap-ms", "0", "--memory-ms", "2"]
    simulate, simulated = start(
        scratch.name, "simulate", ["simulate", "--port", "0", *pace], {}, r"What was asked: http://([^/]*)/__ledger"
    )
    settings = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "DATA_DIR": f"{scratch.name}/data",
        "LOG_FORMAT": "json",
        "SHUTDOWN_GRACE_S": "2",
        "CLM_API_KEYS": CALLER_KEY,
        "ADMIN_API_KEYS": ADMIN_KEY,
        "HUME_WEBHOOK_KEY": HUME_KEY,
        "ELEVENLABS_WEBHOOK_SECRET": ELEVENLABS_KEY,
        # The fuzzer speaks faster than anybody, and much of it in few sessions.
        "SESSION_TURNS_PER_MINUTE": "100000",
        "KEY_TURNS_PER_MINUTE": "100000",
        "DAILY_BUDGET_USD": "100000",
        "OPEN_ROUTER_API_KEY": "simulated",
        "OPENROUTER_BASE_URL": f"{simulated}/api/v1",
        "ZEP_API_KEY": "simulated",
        "ZEP_BASE_URL": f"{simulated}/api/v2",
    }
    serve, served = start(scratch.name, "serve", ["serve"], settings, r'"message":"listening","addr":"([^"]*)"')
    return scratch, [serve, simulate], served, simulated


SCRATCH, PROCESSES, URL, SIMULATED = begin()


def pytest_sessionfinish(session):
    """A server that took all this must also end cleanly."""
    # The server first: what it has to say to memory at its end must still find it.
    ended = []
    for process in PROCESSES:
        process.send_signal(signal.SIGTERM)
        ended.append(process.wait(PATIENCE))
    log = (Path(SCRATCH.name) / "serve.log").read_text(errors="replace")
    SCRATCH.cleanup()
    if ended[0] != 0 or "panicked" in log:
        session.exitstatus = 1
        print(f"\nclm serve ended with {ended[0]}:\n{log[-4000:]}")


def keys_of(operation):
    """The headers of whoever may use an operation, by its documented security."""
    ways = {name for way in operation["security"] for name in way}
    if "callerKey" in ways:
        return {"Authorization": f"Bearer {CALLER_KEY}"}
    if "adminKey" in ways:
        return {"Authorization": f"Bearer {ADMIN_KEY}"}
    return {}
