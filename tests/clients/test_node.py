"""OpenAI's SDK for Node and the Vercel AI SDK, each turn in a process of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import KEY, URL, WORDS, aborted

TURN = Path(__file__).parent / "node" / "turn.cjs"
CLIENTS = ["openai", "ai"]
HELLO = "Hello, I have an interview on Monday."


def say(client, text=HELLO, **asked):
    asked = {"url": f"{URL}/v1", "key": KEY, "text": text, "headers": {}, "query": {}} | asked
    told = subprocess.run(
        [shutil.which("node"), TURN, client],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "CLM_CLIENTS_NODE": os.environ["CLM_CLIENTS_NODE"]},
    )
    assert told.returncode == 0, told.stderr
    return json.loads(told.stdout)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_words_arrive_as_they_are(simulator, client):
    simulator.says(WORDS)
    told = say(client)
    assert told == {"text": WORDS, "stopped": False, "finish": "stop"}
    [call] = simulator.calls()
    assert call["end"] == "finished" and "tools" not in call["body"]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "place",
    [
        {"headers": {"x-clm-session": "node-1"}},
        {"query": {"custom_session_id": "node-1"}},
        {"body": {"metadata": {"session_id": "node-1"}}},
    ],
)
def test_the_session_and_the_voice_are_known(simulator, server, client, place):
    felt = [{"label": "sad", "confidence": 0.71}]
    body = place.get("body", {}) | {"emotion": felt}
    say(client, f"{client} has it in {list(place)[0]}.", **(place | {"body": body}))
    assert "The speaker sounds downcast." in json.dumps(simulator.calls()[0]["body"])
    assert server.turns("node-1") >= 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", ["stall:3", "ok"])
def test_going_away_closes_the_model_call(simulator, client, fault):
    simulator.pace(gap_ms=100)
    simulator.script(fault)
    told = say(client, stop=True)
    assert told["stopped"] and told["text"]
    aborted(simulator)
    assert len(simulator.calls()) == 1


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({"key": "wrong"}, 401, "unauthorized"),
        ({"headers": {"x-clm-session": "x" * 256}}, 400, "invalid_session_id"),
        ({"body": {"messages": "no list"}}, 400, "invalid_request"),
    ],
)
def test_a_refusal_is_understood_and_not_tried_again(
    simulator, server, client, asked, status, kind
):
    before = server.refused()
    told = say(client, **asked)
    assert (told["text"], told["status"], told["error"]["type"]) == ("", status, kind)
    assert told["error"]["hint"] and told["name"]
    assert server.refused() - before == 1
    assert simulator.calls() == []


@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_that_breaks_off_is_continued(simulator, client):
    simulator.script("cut:6")
    told = say(client)
    assert len(told["text"]) > 100 and told["finish"] == "stop"
    assert len(simulator.calls()) == 2


@pytest.mark.last
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("fault", ["503", "empty", "cut:0"])
def test_when_every_model_fails_a_line_is_spoken(simulator, fallback_lines, client, fault):
    simulator.script(*[fault] * 12)
    told = say(client)
    assert told["finish"] == "stop"
    assert len(told["text"]) > 20 and told["text"] in fallback_lines
    assert len(simulator.calls()) <= 4, "the turn was repeated by the client"
