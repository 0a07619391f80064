"""What every test has: the server, the simulated OpenRouter behind it, and a clean book in it."""

import base64
import json
import os
import time
import urllib.request
from pathlib import Path

import pytest

URL = os.environ["CLM_URL"]
KEY = os.environ["CLM_KEY"]
ADMIN_KEY = os.environ["CLM_ADMIN_KEY"]
SIMULATOR_URL = os.environ["CLM_SIMULATOR_URL"]
ROOT = Path(__file__).parents[2]
ROSTER = ROOT / "src" / "coach" / "roster"
# Everything that a careless hop on the way would change.
WORDS = 'Caf\u00e9 \u2013 "quoted" \\ back\\slash \U0001f44f\U0001f3fd\nnew line. data: [DONE]  two spaces?'
# The environment's proxies are not for this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url, body=None, key=None):
    """GET, or POST of a JSON body; the answer as text."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if key is not None:
        request.add_header("Authorization", f"Bearer {key}")
    with OPENER.open(request, timeout=10) as answer:
        return answer.read().decode()


def until(what, probe, within=5.0):
    """Polls until `probe` gives something; that, and how many seconds it took."""
    began = time.monotonic()
    while True:
        found = probe()
        took = time.monotonic() - began
        if found:
            return found, took
        assert took < within, f"not within {within} s: {what}"
        time.sleep(0.01)


def aborted(simulator, at=0):
    """Waits for the hang-up to reach the model; the seconds that took."""

    def probe():
        calls = simulator.calls()
        return len(calls) > at and calls[at]["end"]

    end, took = until("the model call has ended", probe, within=1.0)
    assert end == "aborted", simulator.calls()
    return took


def pytest_configure(config):
    config.addinivalue_line("markers", "last: after it the models are left alone for a while")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


class Simulator:
    """The simulated OpenRouter."""

    def script(self, *faults):
        """What the next calls meet, one each, whatever their model."""
        ask(f"{SIMULATOR_URL}/__options", {"script": list(faults)})

    def says(self, text):
        """The next call answers with exactly this."""
        encoded = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        self.script(f"text:{encoded}")

    def pace(self, **options):
        ask(f"{SIMULATOR_URL}/__options", options)

    def calls(self):
        return json.loads(ask(f"{SIMULATOR_URL}/__ledger"))["chats"]

    def reset(self):
        self.pace(first_token_ms=20, gap_ms=2, script=[])
        ask(f"{SIMULATOR_URL}/__reset", {})


class Server:
    """What a server's operator sees."""

    def __init__(self, url=URL):
        self.url = url

    def turn(self, turn_id):
        """The record of one turn, which is written after its last word."""

        def probe():
            try:
                return json.loads(ask(f"{self.url}/v1/turns/{turn_id}", key=ADMIN_KEY))
            except urllib.error.HTTPError as error:
                assert error.code == 404, error
                return None

        return until(f"turn {turn_id} is recorded", probe)[0]

    def listed(self, session):
        """The recorded turns of a session, newest first, once there is one."""

        def probe():
            page = json.loads(ask(f"{self.url}/v1/turns?session={session}", key=ADMIN_KEY))
            return page["items"]

        return until(f"a turn of {session} is recorded", probe)[0]

    def turns(self, session):
        """How many turns of a session are recorded, once there is one."""
        return len(self.listed(session))

    def refused(self):
        """How many requests were refused so far."""
        lines = ask(f"{self.url}/metrics", key=ADMIN_KEY).splitlines()
        rows = [line for line in lines if line.startswith("clm_http_errors_total")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in rows)


@pytest.fixture
def simulator():
    simulator = Simulator()
    simulator.reset()
    yield simulator
    simulator.reset()


@pytest.fixture
def server():
    return Server()


@pytest.fixture(scope="session")
def fallback_lines():
    """The built-in coaches' words for when no model answers, as one text."""
    files = sorted(ROSTER.glob("*.toml"))
    assert files, f"no coaches in {ROSTER}"
    return "\n".join(file.read_text(encoding="utf-8") for file in files)
