"""The recipes: each file of examples/ does what it says, as docs/RECIPES.md shows it to the byte.

Every one is run as it is written, by its environment alone, against the real server.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from conftest import ADMIN_KEY, KEY, OPENER, ROOT, WORDS, Server, ask
from hume import ACCESS_TOKEN, API_KEY, SECRET_KEY, Hume
from service import Service

EXAMPLES = ROOT / "examples"
RECIPES = ROOT / "docs" / "RECIPES.md"
HERE = Path(__file__).parent
COOKIE = "login=cookie-of-ines"
# What the configurations call the server.
EXAMPLE_URL = "https://clm.example.com"
PROMOTION = "I was passed over for a promotion."


def example_files():
    """All but the program that reckons capacity, which is no recipe."""
    files = (p for p in EXAMPLES.rglob("*") if p.is_file() and EXAMPLES / "capacity" not in p.parents)
    return sorted(str(p.relative_to(ROOT)) for p in files)


def test_the_document_shows_every_example_as_it_is_and_nothing_else():
    text = RECIPES.read_text(encoding="utf-8")
    shown = re.findall(r"^`(examples/[^`]+)`:\n\n```\w+\n(.*?)^```$", text, re.M | re.S)
    assert [path for path, _ in shown] and sorted(p for p, _ in shown) == example_files()
    for path, code in shown:
        assert code == (ROOT / path).read_text(encoding="utf-8"), path
    assert len(re.findall(r"^```", text, re.M)) == 2 * len(shown), "a snippet that no file holds"


@pytest.fixture(scope="module")
def clm(tmp_path_factory):
    """A server that believes signed session ids alone."""
    keys = "signing-key-of-the-client-tests-0123456789"
    service = Service(
        tmp_path_factory.mktemp("clm"), SESSION_SIGNING_KEYS=keys, SPEECH_FILTER="false"
    )
    yield service
    service.close()


@pytest.fixture
def mint(clm, simulator):
    """A session id of a user's."""

    def mint(user="u-42"):
        minted = ask(f"{clm.url}/v1/sessions", {"user_id": user}, key=ADMIN_KEY)
        return json.loads(minted)["session_id"]

    return mint


@pytest.fixture
def node(tmp_path):
    """A directory with all examples, where Node finds the packages that they import."""
    home = tmp_path / "node"
    shutil.copytree(EXAMPLES, home)
    (home / "node_modules").symlink_to(Path(os.environ["CLM_CLIENTS_NODE"]) / "node_modules")
    return home


def environment(clm, **more):
    """What an example is told; no word of where the tests run."""
    keys = {"CLM_URL": clm.url, "CLM_API_KEY": KEY, "ADMIN_API_KEY": ADMIN_KEY}
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **keys, **more}


def run(command, env, text=None):
    done = subprocess.run(
        command, env=env, input=text, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class Backend:
    """An example that serves, until the test ends."""

    def __init__(self, command, env):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env={**env, "PORT": "0"}, **pipes)
        told = self.process.stdout.readline()
        assert told.startswith("POST http://127.0.0.1:"), self.process.stderr.read()
        self.url = told.split()[1]

    def post(self, url=None, cookie=None, body=None):
        """Status and body, as a browser gets them."""
        request = urllib.request.Request(url or self.url, json.dumps(body or {}).encode())
        request.add_header("Content-Type", "application/json")
        if cookie:
            request.add_header("Cookie", cookie)
        try:
            with OPENER.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode(), str(answer.headers)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode(), str(refused.headers)

    def close(self):
        self.process.terminate()
        self.process.communicate(timeout=10)


@pytest.fixture
def backend():
    started = []

    def start(command, env):
        started.append(Backend(command, env))
        return started[-1]

    yield start
    for one in started:
        one.close()


def is_of(clm, session, turn_id=None, user="u-42", **expected):
    """This turn, or the session's only one, was this user's, by a signed id; its record."""
    server = Server(clm.url)
    turn = server.turn(turn_id) if turn_id else server.listed(session)[0]
    assert turn["identity"] == "signed", turn
    assert expected.items() <= turn.items(), turn
    theirs = json.loads(ask(f"{clm.url}/v1/sessions?user={user}", key=ADMIN_KEY))["items"]
    assert turn["session_id"] in [s["session_id"] for s in theirs], theirs
    return turn


# A session id from a backend.


@pytest.mark.parametrize("name", ["backend.py", "backend.mjs"])
def test_a_backend_gives_a_page_a_session_id_and_nothing_else(clm, simulator, backend, name):
    runner = {"py": [sys.executable, "-B"], "mjs": [shutil.which("node")]}[name.split(".")[1]]
    ours = backend([*runner, EXAMPLES / name], environment(clm))
    for stranger in (None, "login=cookie-of-nobody"):
        status, body, _ = ours.post(cookie=stranger)
        assert status == 401 and "session_id" not in body
    # Who it is decides the login and nothing that the page sends.
    status, body, headers = ours.post(cookie=COOKIE, body={"user_id": "u-1", "tier": "enterprise"})
    assert status == 201 and list(json.loads(body)) == ["session_id"]
    assert "no-store" in headers and ADMIN_KEY not in body + headers
    session = json.loads(body)["session_id"]
    clm.say(session, PROMOTION)
    turn = is_of(clm, session, coach="career", profile="hume")
    assert turn["tier"] == "premium"
    other = ours.post(url=ours.url.replace("/session", "/"), cookie=COOKIE)
    assert other[0] == 404


@pytest.mark.parametrize("name", ["backend.py", "backend.mjs"])
def test_a_backend_without_clm_tells_a_page_nothing_of_it(clm, backend, name):
    runner = {"py": [sys.executable, "-B"], "mjs": [shutil.which("node")]}[name.split(".")[1]]
    env = environment(clm, ADMIN_API_KEY="an-old-key-of-the-client-tests-0123456789")
    ours = backend([*runner, EXAMPLES / name], env)
    status, body, _ = ours.post(cookie=COOKIE)
    assert (status, json.loads(body)) == (502, {"error": "no coach at the moment"})


# Hume.


@pytest.fixture
def hume(clm):
    config = json.loads((EXAMPLES / "hume" / "config.json").read_text())
    model = config["language_model"]
    assert model["model_provider"] == "CUSTOM_LANGUAGE_MODEL"
    assert model["model_resource"].endswith("/chat/completions")
    # Without a text of its own it asks for a greeting at once, before the key has come.
    assert config["event_messages"]["on_new_chat"]["text"]
    hume = Hume(model["model_resource"].replace(EXAMPLE_URL, clm.url))
    yield hume
    hume.close()


def call(node, hume, ours, unlocks):
    """One call by a page: all that it has seen, and the seen as text."""
    shutil.copy(HERE / "node" / "hume_page.mjs", node / "hume")
    asked = {
        "backend": ours.url.removesuffix("/call"),
        "hume": hume.url,
        "cookie": COOKIE,
        "text": PROMOTION,
        "unlocks": unlocks,
    }
    page = [shutil.which("node"), node / "hume" / "hume_page.mjs"]
    told = run(page, {"PATH": os.environ["PATH"]}, json.dumps(asked))
    return json.loads(told), told


def hume_backend(clm, hume, backend):
    env = environment(clm, HUME_URL=hume.url, HUME_API_KEY=API_KEY, HUME_SECRET_KEY=SECRET_KEY)
    return backend([shutil.which("node"), EXAMPLES / "hume" / "backend.mjs"], env)


def test_humes_react_sdk_carries_the_session_and_the_control_plane_the_key(
    clm, simulator, hume, backend, node
):
    simulator.says(WORDS)
    seen, text = call(node, hume, hume_backend(clm, hume, backend), unlocks=True)
    [spoken] = [m for m in seen["messages"] if m["type"] == "assistant_message"]
    assert spoken["message"]["content"] == WORDS
    session = json.loads(seen["answers"][0])["session_id"]
    is_of(clm, session, profile="hume", coach="career")
    # Whatever went through the browser, and what its socket's address held.
    assert ACCESS_TOKEN in hume.handshakes[0] and session in hume.handshakes[0]
    for secret in (KEY, ADMIN_KEY, API_KEY, SECRET_KEY):
        assert secret not in text + hume.handshakes[0]
    assert hume.answered == [200]


def test_without_the_control_plane_hume_has_no_key_and_the_chat_ends(
    clm, simulator, hume, backend, node
):
    seen, _ = call(node, hume, hume_backend(clm, hume, backend), unlocks=False)
    assert seen["closed"] == 1000 and hume.answered == [401]
    assert simulator.calls() == []


def test_humes_backend_gives_nothing_to_strangers(clm, hume, backend):
    ours = hume_backend(clm, hume, backend)
    for path in ("/call", "/call/key"):
        url = ours.url.replace("/call", path)
        assert ours.post(url=url, body={"chat_id": "a-chat"})[0] == 401
    unknown = ours.post(url=f"{ours.url}/key", cookie=COOKIE, body={"chat_id": "../../configs"})
    assert unknown[0] == 502 and KEY not in unknown[1]


def test_the_button_is_a_component_of_the_sdk(node):
    page = """
        import { VoiceProvider } from "@humeai/voice-react";
        import { createElement } from "react";
        import { renderToString } from "react-dom/server";
        import { Call } from "./Call.mjs";
        const call = createElement(Call, { configId: "a-config" });
        process.stdout.write(renderToString(createElement(VoiceProvider, null, call)));
    """
    (node / "hume" / "button.mjs").write_text(page)
    command = [shutil.which("node"), node / "hume" / "button.mjs"]
    assert run(command, {"PATH": os.environ["PATH"]}) == "<button>Talk to your coach</button>"


# LiveKit, Pipecat, the AI SDK.


@pytest.fixture
def livekit(clm, monkeypatch):
    for name, value in environment(clm).items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("livekit_agent", EXAMPLES / "livekit_agent.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_livekit_agent_speaks_with_the_session_of_its_dispatch(
    clm, simulator, mint, livekit, monkeypatch
):
    simulator.says(WORDS)
    session_id = mint()
    begun = []
    begin = livekit.begin

    async def beginning(session_id, **where):
        # There is no room here; everything else is as the worker has it.
        assert list(where) == ["room"]
        begun.append(await begin(session_id))

    monkeypatch.setattr(livekit, "begin", beginning)

    class Job:
        metadata = json.dumps({"session_id": session_id})

    class Context:
        job = Job
        room = None

    async def talk():
        await livekit.entrypoint(Context)
        [session] = begun
        result = await session.run(user_input=PROMOTION)
        await session.aclose()
        return result

    [event] = asyncio.run(talk()).events
    assert event.item.text_content == WORDS
    is_of(clm, session_id, profile="openai", coach="career")


def test_a_pipecat_bot_speaks_with_its_session(clm, simulator, mint):
    simulator.says(WORDS)
    session = mint()
    bot = [sys.executable, "-B", EXAMPLES / "pipecat_bot.py", session, PROMOTION]
    assert run(bot, environment(clm)) == WORDS
    is_of(clm, session, profile="openai", coach="career")


def test_the_ai_sdk_speaks_with_its_session(clm, simulator, mint, node):
    simulator.says(WORDS)
    session = mint()
    turn = [shutil.which("node"), node / "ai_sdk.mjs", session, PROMOTION]
    assert run(turn, environment(clm)) == WORDS
    is_of(clm, session, profile="openai", coach="career")


# ElevenLabs and Vapi: what their settings make them send.


def made_by(node, path, function, argument):
    """What a page's module makes of what its backend gave."""
    script = f"""
        import {{ {function} }} from "./{path}";
        process.stdout.write(JSON.stringify({function}({json.dumps(argument)})));
    """
    (node / "made.mjs").write_text(script)
    return json.loads(run([shutil.which("node"), node / "made.mjs"], {"PATH": os.environ["PATH"]}))


def heard(url, body):
    """One request of a platform's; what was said, and the turn's id."""
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    request.add_header("Authorization", f"Bearer {KEY}")
    with OPENER.open(request, timeout=20) as answer:
        turn_id = answer.headers["x-clm-turn-id"]
        lines = answer.read().decode().splitlines()
    assert lines[-2] == "data: [DONE]", lines[-4:]
    data = [json.loads(l.removeprefix("data: ")) for l in lines if l.startswith("data: {")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in data), turn_id


def elevenlabs_body(agent, options, messages):
    prompt = agent["conversation_config"]["agent"]["prompt"]
    assert prompt["llm"] == "custom-llm"
    assert prompt["backup_llm_config"] == {"preference": "disabled"}
    assert 2 <= prompt["cascade_timeout_seconds"] <= 15
    assert agent["platform_settings"]["overrides"]["custom_llm_extra_body"] is True
    end_call = {"name": "end_call", "description": "Ends.", "parameters": {"type": "object"}}
    return {
        "model": prompt["custom_llm"]["model_id"],
        "stream": True,
        "temperature": 0.5,
        "max_tokens": -1,
        "messages": [{"role": "system", "content": prompt["prompt"]}, *messages],
        "tools": [{"type": "function", "function": end_call}],
        # Chosen by the page, so nobody's proof.
        "user_id": "u-77",
        "elevenlabs_extra_body": options["customLlmExtraBody"],
    }


def test_elevenlabs_settings_bring_session_user_and_coach(clm, simulator, mint, node):
    agent = json.loads((EXAMPLES / "elevenlabs" / "agent.json").read_text())
    custom = agent["conversation_config"]["agent"]["prompt"]["custom_llm"]
    url = custom["url"].replace(EXAMPLE_URL, clm.url)
    session = mint()
    given = {"conversationToken": "token", "sessionId": session}
    options = made_by(node, "elevenlabs/start.mjs", "startOptions", given)
    assert options["conversationToken"] == "token"
    greeting = {"role": "assistant", "content": "Hi, how are you today?"}
    body = elevenlabs_body(agent, options, [greeting, {"role": "user", "content": PROMOTION}])
    simulator.says(WORDS)
    # The second is a cascade retry: the same words again, and nobody is asked.
    assert [heard(url, body)[0] for _ in range(2)] == [WORDS, WORDS]
    [call] = simulator.calls()
    assert custom["model_id"] == "clm" and "end_call" in json.dumps(call["body"]["tools"])
    is_of(clm, session, profile="elevenlabs", coach="career")
    _, other = heard(url, {**body, "model": "leadership"})
    is_of(clm, session, other, profile="elevenlabs", coach="leadership")


@pytest.mark.parametrize("mode", ["variable", "destructured"])
def test_vapi_settings_bring_session_user_and_coach(clm, simulator, mint, node, mode):
    model = json.loads((EXAMPLES / "vapi" / "assistant.json").read_text())["model"]
    assert model["provider"] == "custom-llm" and model["metadataSendMode"] == "variable"
    url = model["url"].replace(EXAMPLE_URL, clm.url)
    session = mint()
    overrides = made_by(node, "vapi/start.mjs", "startOverrides", {"sessionId": session})
    metadata = overrides["metadata"]
    assert metadata == {"session_id": session}
    body = {
        "model": model["model"],
        "stream": True,
        "temperature": 0.5,
        "max_tokens": 250,
        "messages": [*model["messages"], {"role": "user", "content": PROMOTION}],
        "call": {
            "id": "a-call-of-vapi",
            "type": "webCall",
            "assistantOverrides": overrides,
            "monitor": {"controlUrl": "https://vapi.example.com/control"},
        },
        "customer": {"number": "+4915112345678"},
        "phoneNumber": None,
        **({"metadata": metadata} if mode == "variable" else metadata),
    }
    simulator.says(WORDS)
    assert heard(url, body)[0] == WORDS
    is_of(clm, session, profile="vapi", coach="career")
    # The whole address in the field for a base address, which is the commonest mistake.
    _, other = heard(f"{url}/chat/completions", {**body, "model": "network"})
    is_of(clm, session, other, profile="vapi", coach="network")
