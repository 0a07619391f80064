"""Telemetry out of the real binary into a real collector: what arrives, and what a broken one costs."""

import pytest

from collector import Rotel, Sink, free_port, has_rotel
from conftest import ADMIN_KEY, KEY, ask, until
from service import Service

WORDS = "My secret plan is to leave Initech for Globex in March."
SESSION = "person-4711-secret"
HEADER_KEY = "collector-key-0123456789"
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]


class Telling(Service):
    """One that tells a collector."""

    def __init__(self, scratch, endpoint, **settings):
        if endpoint:
            settings["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        super().__init__(
            scratch,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-api-key={HEADER_KEY}",
            OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test",
            OTEL_METRIC_EXPORT_INTERVAL=settings.pop("OTEL_METRIC_EXPORT_INTERVAL", "500"),
            **settings,
        )

    def say(self, session=SESSION, words=WORDS, **headers):
        return super().say(session, words, **headers)

    def dropped(self, sort="traces"):
        return self.metric(f'clm_telemetry_dropped_total{{signal="{sort}"}}')


@pytest.fixture
def started(tmp_path, simulator):
    """Starts a service; whatever it is, it ends with the test."""
    services = []

    def start(endpoint, **settings):
        scratch = tmp_path / str(len(services))
        scratch.mkdir()
        services.append(Telling(scratch, endpoint, **settings))
        return services[-1]

    yield start
    for service in services:
        service.close()


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def collector(sink, tmp_path):
    """The address telemetry is sent to: a real collector's, in front of the sink."""
    if not has_rotel():
        yield sink.url
        return
    rotel = Rotel(sink, tmp_path)
    yield rotel.url
    rotel.close()


def named(spans, name):
    found = [s for s in spans if s.name == name]
    assert found, f"no span {name} among {spans}"
    return found


def test_a_turns_trace_is_whole_and_is_the_callers(started, sink, collector, simulator):
    service = started(collector)
    simulator.script("429", "ok")
    head, _, _ = service.say(traceparent=CALLER)
    trace = head["x-clm-trace-id"]
    assert trace == CALLER.split("-")[1]
    spans = sink.trace(trace, "turn", "relay", "upstream", "POST /chat/completions")
    (request,) = named(spans, "POST /chat/completions")
    (turn,) = named(spans, "turn")
    (race,) = named(spans, "upstream")
    (relay,) = named(spans, "relay")
    chats = sorted((s for s in spans if s.name.startswith("chat ")), key=lambda s: s.began)
    assert request.parent == CALLER.split("-")[2]
    assert request.id == head["traceparent"].split("-")[2], "the span that the caller is told"
    assert turn.parent == request.id
    assert race.parent == relay.parent == turn.id
    assert {s.parent for s in chats} == {race.id} and len(chats) == 2
    assert all(s.scope == "clm" and not s.events for s in spans)
    assert request.resource["service.name"] == "clm"
    assert request.resource["deployment.environment.name"] == "test"

    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["http.route"] == "/chat/completions"
    assert turn.attributes["outcome"] == "complete"
    assert turn.attributes["turn_id"] == head["x-clm-turn-id"]
    assert not request.is_error and not turn.is_error and not race.is_error

    refused, spoke = chats
    assert refused.is_error and refused.attributes["error.type"] == "status_429"
    assert not spoke.is_error and "error.type" not in spoke.attributes
    for chat in chats:
        model = chat.attributes["gen_ai.request.model"]
        assert chat.name == f"chat {model}"
        assert chat.attributes["gen_ai.operation.name"] == "chat"
        assert chat.attributes["gen_ai.provider.name"] == "openrouter"
        assert chat.attributes["gen_ai.request.stream"] is True
        assert chat.attributes["server.address"] == "127.0.0.1"
        assert isinstance(chat.attributes["server.port"], int)
        assert chat.attributes["gen_ai.conversation.id"] == turn.attributes["gen_ai.conversation.id"]
    assert spoke.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert spoke.attributes["gen_ai.response.id"] and spoke.attributes["gen_ai.response.model"]
    assert 0 < spoke.attributes["gen_ai.response.time_to_first_chunk"] < 5
    assert spoke.attributes["gen_ai.usage.input_tokens"] > 0
    assert spoke.attributes["gen_ai.usage.output_tokens"] > 0
    # Each lasts as long as what it stands for, not only until its first wait was over.
    assert request.began <= turn.began <= spoke.began < relay.began
    assert spoke.ended >= relay.ended > relay.began
    assert turn.ended >= spoke.ended and request.ended >= turn.ended


def test_without_a_callers_trace_the_one_it_is_told_is_sent(started, sink, collector):
    service = started(collector)
    head, _, _ = service.say(session="somebody-else")
    spans = sink.trace(head["x-clm-trace-id"], "turn", "POST /chat/completions")
    (request,) = named(spans, "POST /chat/completions")
    assert request.parent == ""
    # Memory is asked before the turn knows what it found.
    again, _, _ = service.say(session="somebody-else", words="And another thing.")
    spans = sink.trace(again["x-clm-trace-id"], "turn")
    asked = [s for s in sink.spans if s.name == "retrieval zep"]
    assert asked and all(s.attributes["gen_ai.operation.name"] == "retrieval" for s in asked)
    assert {s.attributes["gen_ai.data_source.id"] for s in asked} == {"zep"}
    ids = {s.id for s in sink.spans if s.name == "turn"}
    assert all(s.parent in ids for s in asked)


def test_an_unkept_trace_of_the_callers_is_not_sent(started, sink, collector):
    service = started(collector)
    unkept = CALLER[:-2] + "00"
    service.say(traceparent=unkept)
    kept, _, _ = service.say(session="kept")
    sink.trace(kept["x-clm-trace-id"], "turn")
    assert not [s for s in sink.spans if s.trace == CALLER.split("-")[1]]


def test_a_stream_that_fails_after_its_head_does_not_look_fine(started, sink, collector, simulator):
    service = started(collector, RESUME="false")
    simulator.script("cut:5")
    head, _, _ = service.say()
    spans = sink.trace(head["x-clm-trace-id"], "turn", "POST /chat/completions")
    (request,) = named(spans, "POST /chat/completions")
    (turn,) = named(spans, "turn")
    assert request.attributes["http.response.status_code"] == 200
    for span in (request, turn):
        assert span.is_error and span.attributes["error.type"] == "partial_failed", span
    assert turn.attributes["outcome"] == "partial_failed"
    (chat,) = [s for s in spans if s.name.startswith("chat ")]
    assert chat.is_error and chat.attributes["error.type"] in ("cut", "broken")


def test_metrics_arrive_under_the_conventions_names_with_their_bounds(
    started, sink, collector, simulator
):
    service = started(collector)
    simulator.script("429", "ok")
    service.say()
    duration = "gen_ai.client.operation.duration"

    def both():
        metric = sink.metrics.get(duration)
        points = metric.histogram.data_points if metric else []
        return metric if sum(p.count for p in points) == 2 else None

    metric, _ = until("two calls are measured", both, 15)
    assert metric.unit == "s"
    points = {
        tuple(a.value.string_value for a in p.attributes if a.key == "error.type"): p
        for p in metric.histogram.data_points
    }
    assert set(points) == {(), ("status_429",)}
    for point in points.values():
        assert list(point.explicit_bounds) == SECONDS
        keys = {a.key for a in point.attributes} - {"error.type"}
        assert keys == {
            "gen_ai.operation.name",
            "gen_ai.provider.name",
            "gen_ai.request.model",
            "server.address",
            "server.port",
        }
    for name in ("time_to_first_chunk", "time_per_output_chunk"):
        told = sink.metrics[f"gen_ai.client.operation.{name}"]
        assert told.unit == "s"
        assert list(told.histogram.data_points[0].explicit_bounds) == SECONDS
        assert told.histogram.data_points[0].count > 0
    tokens = sink.metrics["gen_ai.client.token.usage"]
    assert tokens.unit == "{token}"
    kinds = [
        a.value.string_value
        for p in tokens.histogram.data_points
        for a in p.attributes
        if a.key == "gen_ai.token.type"
    ]
    assert sorted(kinds) == ["input", "output"]
    bounds = [4.0**n for n in range(14)]
    assert all(list(p.explicit_bounds) == bounds for p in tokens.histogram.data_points)
    # Everything that the page of metrics has.
    page = ask(f"{service.url}/metrics", key=ADMIN_KEY)
    families = [l.split()[2] for l in page.splitlines() if l.startswith("# TYPE clm_")]
    assert len(families) > 15 and set(families) <= set(sink.metrics)
    assert sink.metrics["clm_turns_total"].sum.is_monotonic
    assert sink.resource["service.name"] == "clm"


def test_nothing_of_anybodys_is_sent(started, sink, collector, simulator):
    service = started(collector)
    said = "These words were never meant for a collector."
    simulator.says(said)
    head, text, _ = service.say()
    assert text == said
    sink.trace(head["x-clm-trace-id"], "turn", "POST /chat/completions")
    until("metrics came", lambda: sink.metrics)
    service.stop()
    planted = [WORDS, "Initech", said, "never meant", SESSION, KEY, ADMIN_KEY, HEADER_KEY]
    for secret in [*planted, "custom_session_id", "Bearer"]:
        assert secret.encode() not in sink.raw, secret


def test_stopping_sends_what_is_left(started, sink, collector):
    service = started(collector, OTEL_METRIC_EXPORT_INTERVAL="3600000")
    heads = [service.say(session=f"last-{n}")[0] for n in range(20)]
    code, took = service.stop()
    assert code == 0 and took < 10
    for head in heads:
        sink.trace(head["x-clm-trace-id"], "turn")
    told = until("metrics came", lambda: sink.metrics.get("clm_turns_total"))[0]
    assert sum(p.as_double for p in told.sum.data_points) == 20


def turns(service, name, count):
    """How long each waited for its first words."""
    return sorted(service.say(session=f"{name}-{n}")[2] for n in range(count))


def test_a_collector_that_hangs_costs_turns_nothing_and_is_told(started, sink):
    plain = turns(started(None), "plain", 30)
    sink.hangs.set()
    service = started(sink.url, OTEL_EXPORTER_OTLP_TIMEOUT="300")
    hung = turns(service, "hung", 30)
    assert hung[27] < plain[27] + 0.1, (plain, hung)
    until("spans are dropped", lambda: service.dropped() > 0, 15)
    until("metrics are dropped", lambda: service.dropped("metrics") > 0, 15)
    turns(service, "more", 10)
    before = service.dropped()
    until("and more", lambda: service.dropped() > before, 15)
    told = service.lines("takes no telemetry")
    assert sorted(line["signal"] for line in told) == ["metrics", "traces"], told
    assert {line["kind"] for line in told} == {"timeout"}
    # It answers again, and that is told once too.
    sink.hangs.clear()
    head, _, _ = service.say(session="after")
    sink.trace(head["x-clm-trace-id"], "turn")
    back = until(
        "both are told", lambda: len(service.lines("the collector takes telemetry")) == 2, 10
    )
    assert back
    sink.hangs.set()
    service.say(session="last")
    code, took = service.stop()
    assert code == 0 and took < 10, f"stopping took {took:.1f} s"


def test_a_dead_collector_costs_turns_nothing_and_is_told(started):
    plain = turns(started(None), "plain", 30)
    service = started(f"http://127.0.0.1:{free_port()}")
    dead = turns(service, "dead", 30)
    assert dead[27] < plain[27] + 0.1, (plain, dead)
    until("spans are dropped", lambda: service.dropped() > 0, 15)
    told = service.line("takes no telemetry")
    assert {line["kind"] for line in told} == {"connect"}
    code, took = service.stop()
    assert code == 0 and took < 10, f"stopping took {took:.1f} s"


def test_without_an_endpoint_nothing_is_measured_for_it(started):
    service = started(None)
    service.say()
    page = ask(f"{service.url}/metrics", key=ADMIN_KEY)
    assert "gen_ai" not in page
    assert not service.lines("collector")
