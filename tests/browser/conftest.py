"""What every test has: a page in a fresh profile, which must not complain, and turns to look at."""

import hashlib
import hmac
import json
import os
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

DEMO = os.environ["CLM_DEMO"]
KEYED = os.environ["CLM_KEYED"]
APART = os.environ["CLM_APART"]
ADMIN_KEY = os.environ["CLM_ADMIN_KEY"]
WEBHOOK_KEY = os.environ["CLM_WEBHOOK_KEY"]
CHROMIUM = os.environ["CLM_CHROMIUM"]
SHOTS = os.environ.get("CLM_SHOTS")
# Nothing that a test waits for takes longer, also on a busy machine; in milliseconds.
PATIENCE = 30_000
# The browser is for these pages alone: it asks nobody for anything.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
# The environment's proxies are not for this machine.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# What a session's id can be: text that must never become markup.
MARKUP = '<img src=x onerror="window.fooled=1">'
WORDS = {
    "career": "I was passed over for a promotion.",
    "skills": "How do I learn to speak in public?",
    "master": "I feel stuck today.",
}


BEFORE = [
    {"role": "user", "content": "Hello."},
    {"role": "assistant", "content": "Hello, good to hear you."},
]


def ask(url, body=None, method=None, headers=None):
    """The answer's headers and text; hangs up after `headers["x-read"]` bytes where it is given."""
    headers = dict(headers or {})
    read = headers.pop("x-read", None)
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    with OPENER.open(request, timeout=30) as answer:
        return answer.headers, answer.read(read).decode(errors="replace")


def told(url):
    return json.loads(ask(url)[1])


def speak(url, session, words, fault=None, read=None, before=BEFORE):
    """One turn; its id."""
    headers = {}
    if fault:
        headers["x-clm-fault"] = fault
    if read:
        headers["x-read"] = read
    messages = [*before, {"role": "user", "content": words}]
    path = f"/chat/completions?custom_session_id={urllib.parse.quote(session)}"
    return ask(url + path, {"messages": messages}, headers=headers)[0]["x-clm-turn-id"]


def mint(url, **session):
    return json.loads(ask(f"{url}/v1/sessions", session)[1])["session_id"]


def hume_tells(what, chat, session):
    """Hume tells the demo what became of a call."""
    event = {"event_name": what, "chat_id": chat, "custom_session_id": session}
    body, now = json.dumps(event), str(int(time.time()))
    signature = hmac.new(WEBHOOK_KEY.encode(), f"{body}.{now}".encode(), hashlib.sha256).hexdigest()
    headers = {"x-hume-ai-webhook-timestamp": now, "x-hume-ai-webhook-signature": signature}
    ask(f"{DEMO}/v1/webhooks/hume", event, headers=headers)


def until(what, probe):
    """Polls until `probe` gives something."""
    began = time.monotonic()
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() - began < PATIENCE / 1000, f"never came: {what}"
        time.sleep(0.05)


def recorded(url, turn_id):
    def probe():
        try:
            return told(f"{url}/v1/turns/{turn_id}")
        except urllib.error.HTTPError as error:
            assert error.code == 404, error
            return None

    return until(f"turn {turn_id} is recorded", probe)


def log_in(page, key=ADMIN_KEY):
    page.fill("#key", key)
    page.get_by_role("button", name="Log in").click()


@pytest.fixture(scope="session")
def turns():
    """Turns of every kind in the demo: whole, hedged, recovered, failed, broken into, oddly named, a council's,
    and enough of an experiment's to tell something."""
    # The first of all, and alone: a server begins with one hedge, which is for this turn and for none that is slow
    # beside others.
    ids = {"hedged": speak(DEMO, "s-hedged", WORDS["career"], fault="slow-first:2500,ok")}

    def trial(n):
        turn_id = speak(DEMO, f"s-trial-{n}", WORDS["skills"])
        # At a call's end its last turn was heard.
        hume_tells("chat_ended", f"chat-trial-{n}", f"s-trial-{n}")
        return turn_id

    # Each in a session of its own, side by side: a coach takes its time.
    with ThreadPoolExecutor(6) as speakers:
        spoken = {coach: speakers.submit(speak, DEMO, f"s-{coach}", words) for coach, words in WORDS.items()}
        spoken |= {
            "recovered": speakers.submit(speak, DEMO, "s-recovered", WORDS["career"], fault="cut:6,ok"),
            "failed": speakers.submit(speak, DEMO, "s-failed", WORDS["master"], fault="500,503,529,401"),
            "interrupted": speakers.submit(speak, DEMO, "s-interrupted", WORDS["career"], read=400),
            "markup": speakers.submit(speak, DEMO, MARKUP, WORDS["master"]),
            "council": speakers.submit(lambda: speak(DEMO, mint(DEMO, user_id="grace", coach="council"), WORDS["career"])),
        }
        spoken |= {f"trial-{n}": speakers.submit(trial, n) for n in range(8)}
    ids |= {name: turn.result() for name, turn in spoken.items()}
    for turn_id in ids.values():
        recorded(DEMO, turn_id)
    return ids


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Opens an address in a profile of its own. A complaint of the page's fails the test: an error in a
    script, or something the content policy forbids."""
    complaints, contexts = [], []

    def complained(message):
        # What the server refuses is told by the page itself.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def visit(url, arranged=None, **how):
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **how})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", complained)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if arranged:
            arranged(page)
        page.goto(url)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def shot():
    """Keeps a picture where somebody wants one."""

    def shot(page, name):
        if SHOTS:
            page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)

    return shot
