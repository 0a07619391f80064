"""Every documented example, sent as it stands there, and every kind of refusal: what the server answers is what
the document's schemas say, by a validator of JSON Schema 2020-12."""

import hashlib
import hmac
import json
import time
from pathlib import Path
from urllib.parse import quote

import jsonschema_rs
import pytest
import requests
import yaml

from conftest import ADMIN_KEY, CALLER_KEY, ELEVENLABS_KEY, HUME_KEY, PATIENCE, SIMULATED, URL, keys_of

LOCAL = requests.Session()
LOCAL.trust_env = False
DOCUMENT = LOCAL.get(f"{URL}/openapi.json").json()
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
# Their answers never end by themselves.
LIVE = {"watchTurns", "watchSession"}
ADMIN = {"Authorization": f"Bearer {ADMIN_KEY}"}


def validator(schema):
    return jsonschema_rs.Draft202012Validator(
        {**schema, "components": DOCUMENT["components"]}, validate_formats=True
    )


def resolved(thing):
    if "$ref" not in thing:
        return thing
    found = DOCUMENT
    for part in thing["$ref"][2:].split("/"):
        found = found[part]
    return found


def documented(operation, response):
    """What is documented of an answer: its body's content, by its type."""
    assert str(response.status_code) in operation["responses"], (response.status_code, response.text)
    answer = resolved(operation["responses"][str(response.status_code)])
    if response.request.method == "HEAD" or "content" not in answer:
        assert response.content == b""
        return {}
    form = response.headers["content-type"].split(";")[0]
    forms = {known.split(";")[0]: content for known, content in answer["content"].items()}
    assert form in forms, (form, list(forms))
    return forms[form]


def hold(operation, response):
    """Holds an answer against its schema."""
    content = documented(operation, response)
    if content.get("x-events"):
        hold_events(content, response.text)
    elif content.get("schema", {}).get("type") != "string" and content:
        validator(content["schema"]).validate(response.json())


def events_of(text):
    for block in filter(None, text.split("\n\n")):
        fields = [line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":")]
        named = dict(fields)
        if named:
            yield named.get("event", "message"), named["data"]


def hold_events(content, text):
    names = [name for name, _ in events_of(text)]
    assert names, text
    for name, data in events_of(text):
        if data == "[DONE]":
            continue
        validator(content["x-events"][name]).validate(json.loads(data))


@pytest.fixture(scope="session")
def known():
    """What the examples' ids stand for: a session that was spoken in, and a turn of it."""
    minted = LOCAL.post(f"{URL}/v1/sessions", json={"user_id": "ada"}, headers=ADMIN).json()
    session = minted["session_id"]
    turn = LOCAL.post(
        f"{URL}/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "I was passed over for a promotion."}]},
        headers={"Authorization": f"Bearer {CALLER_KEY}", "x-clm-session": session},
    )
    turn_id = turn.headers["x-clm-turn-id"]
    began = time.monotonic()
    while LOCAL.get(f"{URL}/v1/sessions/{quote(session)}", headers=ADMIN).json().get("totals") is None:
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.05)
    # To be taken back, so not the one that others ask about.
    spare = LOCAL.post(f"{URL}/v1/sessions", json={"user_id": "bob"}, headers=ADMIN).json()
    link = LOCAL.post(f"{URL}/v1/sessions/{quote(session)}/share", json={}, headers=ADMIN).json()["path"]
    return {
        "turn": turn_id,
        "session": session,
        "spare": spare["session_id"],
        "link": link.partition("#")[2],
    }


def sealed(name, body):
    """A webhook's headers, signed as its platform does."""
    now = str(int(time.time()))
    if name == "humeWebhook":
        mac = hmac.new(HUME_KEY.encode(), body + b"." + now.encode(), hashlib.sha256).hexdigest()
        return {"x-hume-ai-webhook-timestamp": now, "x-hume-ai-webhook-signature": mac}
    mac = hmac.new(ELEVENLABS_KEY.encode(), now.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"elevenlabs-signature": f"t={now},v0={mac}"}


def example(name, known):
    """The request that the document gives as an example, with real ids in it."""
    path, method, operation = OPERATIONS[name]
    given = {p["name"]: p["example"] for p in operation.get("parameters", []) if "example" in p}
    if "{id}" in path:
        kind = "turn" if "/turns/" in path else "session"
        given["id"] = known["spare" if name == "revokeSession" else kind]
    query = {p["name"]: given[p["name"]] for p in operation.get("parameters", []) if p["in"] == "query" and p["name"] in given}
    for key, value in given.items():
        path = path.replace("{" + key + "}", quote(str(value), safe="/:"))
    headers = keys_of(operation)
    body = None
    for form, content in operation.get("requestBody", {}).get("content", {}).items():
        headers["content-type"] = form
        body = json.dumps(content.get("example", {})).encode()
    if "Signature" in str(operation["security"]):
        headers |= sealed(name, body)
    if "shareLink" in str(operation["security"]):
        headers["x-clm-share"] = known["link"]
    if name in ("logIn", "logOut"):
        # As our own page asks.
        headers["sec-fetch-site"] = "same-origin"
        body = f"key={quote(ADMIN_KEY)}&page=/playground".encode()
    if name.startswith(("page-dashboard", "page-playground", "page-session")):
        headers |= ADMIN
    return requests.Request(method.upper(), URL + path, headers=headers, params=query, data=body)


def send(request, **how):
    return LOCAL.send(LOCAL.prepare_request(request), timeout=PATIENCE, allow_redirects=False, **how)


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in LIVE])
def test_an_example_is_answered_as_documented(name, known):
    _, _, operation = OPERATIONS[name]
    response = send(example(name, known))
    assert response.status_code < 400, (response.status_code, response.text)
    hold(operation, response)


@pytest.mark.parametrize("name", sorted(LIVE))
def test_a_stream_of_turns_tells_them_as_documented(name, known):
    _, _, operation = OPERATIONS[name]
    with send(example(name, known), stream=True) as response:
        content = documented_stream(operation, response)
        # Somebody speaks in the session that is watched.
        LOCAL.post(
            f"{URL}/chat/completions?custom_session_id={quote(known['session'])}",
            json={"messages": [{"role": "user", "content": f"How do I ask for more, {name}?"}]},
            headers={"Authorization": f"Bearer {CALLER_KEY}"},
        )
        text = b""
        for piece in response.iter_content(None):
            text += piece
            if b"event: turn" in text and text.endswith(b"\n\n"):
                break
        hold_events(content, text.decode())


def documented_stream(operation, response):
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    return operation["responses"]["200"]["content"]["text/event-stream"]


@pytest.mark.parametrize("name", ["openaiTurn", "humeTurn", "elevenlabsTurn", "vapiTurn"])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("tools", [True, False])
def test_a_turn_is_answered_in_both_forms(name, stream, tools, known):
    path, _, operation = OPERATIONS[name]
    body = {
        "messages": [{"role": "user", "content": "What should I ask first?"}],
        "stream": stream,
        "stream_options": {"include_usage": True},
    }
    headers = keys_of(operation)
    if tools:
        function = {"name": "end_call", "parameters": {"type": "object", "properties": {}}}
        body["tools"] = [{"type": "function", "function": function}]
    response = LOCAL.post(URL + path, json=body, headers=headers)
    assert response.status_code == 200
    assert ("text/event-stream" in response.headers["content-type"]) == stream
    hold(operation, response)


def test_a_council_is_told_as_documented_in_both_forms():
    path, _, operation = OPERATIONS["council"]
    for stream in (True, False):
        body = {"message": "Should I take the new role?", "coaches": ["career"], "stream": stream}
        response = LOCAL.post(URL + path, json=body, headers=ADMIN)
        hold(operation, response)
        if stream:
            assert {"plan", "specialist", "delta", "totals"} <= {name for name, _ in events_of(response.text)}


@pytest.mark.parametrize("report", ["models", "coaches", "savings", "spend", "experiments"])
def test_every_report_is_as_documented(report, known):
    _, _, operation = OPERATIONS["report"]
    for form in ("json", "csv"):
        url = f"{URL}/v1/analytics/{report}?range=24h&format={form}"
        hold(operation, LOCAL.get(url, headers=ADMIN))
    name = report.title() + "Report"
    whole = LOCAL.get(f"{URL}/v1/analytics/{report}", headers=ADMIN).json()
    # Not merely one of the five.
    validator(DOCUMENT["components"]["schemas"][name]).validate(whole)


def test_readiness_is_told_in_full_to_an_admin():
    _, _, operation = OPERATIONS["ready"]
    response = LOCAL.get(f"{URL}/readyz", headers=ADMIN)
    assert "dependencies" in response.json()
    hold(operation, response)


def refusals():
    """Requests that are refused: by whom, how, with which status."""
    for name, (path, method, operation) in OPERATIONS.items():
        if method == "head":
            continue
        # What is not our own page's own request.
        if name in ("logIn", "logOut"):
            yield name, {"headers": {"sec-fetch-site": "cross-site"}}, 403
            continue
        key = keys_of(operation)
        is_guarded = key and {} not in operation["security"]
        if is_guarded or any(way in str(operation["security"]) for way in ("Signature", "shareLink")):
            yield name, {"headers": {}}, 401
        if "requestBody" in operation and key:
            typed = {**key, "content-type": "text/plain"}
            yield name, {"headers": typed, "data": b"{}"}, 415
            yield name, {"headers": {**key, "content-type": "application/json"}, "data": b"["}, 400
            yield name, {"headers": key, "json": {"fill": "x" * (4 << 20)}}, 413
        if key and "invalid_request" in str(operation["responses"].get("400")) and method == "get":
            yield name, {"headers": key, "params": {"nonsense": "1"}}, 400


@pytest.mark.parametrize(
    ("name", "how", "status"),
    [pytest.param(*one, id=f"{one[0]}-{one[2]}") for one in refusals()],
)
def test_a_refusal_has_the_documented_shape_and_type(name, how, status, known):
    path, method, operation = OPERATIONS[name]
    ids = {"id": known["session"] if "sessions" in path else known["turn"]}
    given = {p["name"]: p["example"] for p in operation.get("parameters", []) if p["in"] == "path"} | ids
    for key, value in given.items():
        path = path.replace("{" + key + "}", quote(str(value), safe=""))
    response = LOCAL.request(method, URL + path, timeout=PATIENCE, **how)
    assert response.status_code == status, response.text
    hold(operation, response)
    error = response.json()["error"]
    types = {one["type"]: one for one in DOCUMENT["x-errors"]}
    assert status in types[error["type"]]["statuses"]
    assert error["docs"] == f"/docs#error-{error['type']}"


def test_a_failure_that_is_told_has_the_shape_of_a_refusal():
    path, _, operation = OPERATIONS["openaiTurn"]
    body = {"messages": [{"role": "user", "content": "Hello there."}]}
    headers = {**keys_of(operation), "x-clm-errors": "signal"}
    LOCAL.post(f"{SIMULATED}/__options", json={"script": ["401"] * 8})
    try:
        response = LOCAL.post(URL + path, json=body, headers=headers)
        assert response.status_code == 502, response.text
        hold(operation, response)
    finally:
        LOCAL.post(f"{SIMULATED}/__options", json={"script": []})


def test_the_document_is_one_of_openapi_3_1():
    schema = yaml.safe_load((Path(__file__).parent / "openapi-3.1.yaml").read_text())
    jsonschema_rs.Draft202012Validator(schema).validate(DOCUMENT)
    shapes = DOCUMENT["components"]["schemas"]
    for name, shape in shapes.items():
        assert jsonschema_rs.meta.is_valid({"$schema": "https://json-schema.org/draft/2020-12/schema", **shape}), name
