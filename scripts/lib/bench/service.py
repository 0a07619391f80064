"""The service as it is measured: on its own, with the simulated memory beside it, and ready."""

import contextlib
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from lib.local import ROOT

# Where the rig plays OpenRouter, and the key that it sends.
RIG = "127.0.0.1:9100"
RIG_URL = f"http://{RIG}/api/v1"
TOKEN = "test-token"
PORT, ZEP_PORT = 18080, 18090
# Longer than a start or a stop takes, also under valgrind; seconds.
PATIENCE = 60


class Lacking(Exception):
    """Something that a measurement needs is not here."""


def built():
    given = os.environ.get("CLM_BIN")
    if given:
        # What is started has a directory of its own.
        return Path(given).resolve()
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], check=True, cwd=ROOT)
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return folder / "release" / "clm"


def ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait(what, is_so, process, seconds=10):
    until = time.monotonic() + seconds
    while not is_so():
        if process.poll() is not None:
            raise Lacking(f"{what} ended with {process.returncode}")
        if time.monotonic() > until:
            raise Lacking(f"{what} is not there after {seconds} s")
        time.sleep(0.001)


@contextlib.contextmanager
def running(command, **more):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(data):
    """Everything on, nothing of this shell's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOST": "127.0.0.1",
        "PORT": str(PORT),
        "WORKERS": "1",
        "DATA_DIR": str(data),
        "CLM_API_KEYS": TOKEN,
        "OPEN_ROUTER_API_KEY": "any",
        "OPENROUTER_BASE_URL": RIG_URL,
        "ZEP_API_KEY": "any",
        "ZEP_BASE_URL": f"http://127.0.0.1:{ZEP_PORT}/api/v2",
        "LOG_FORMAT": "json",
        "RUST_LOG": "info",
    }


@contextlib.contextmanager
def service(clm, more=None, under=()):
    """The service before the rig's models, and the simulated memory beside it; and where its data lie."""
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        memory = ["taskset", "-c", "0", str(clm), "simulate", "--port", str(ZEP_PORT)]
        stack.enter_context(running(memory, stderr=subprocess.DEVNULL))
        log = stack.enter_context(open(Path(home) / "log", "wb"))
        serving = [*under, str(clm), "serve"]
        process = stack.enter_context(running(serving, env=settings(home) | (more or {}), stderr=log, cwd=home))
        wait("the service", lambda: ready(PORT), process, PATIENCE)
        yield process, Path(home)
