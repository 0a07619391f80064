"""The OpenAI SDK, which is also how Hume tells people to test a custom language model."""

import asyncio
import json

import openai
import pytest

from conftest import KEY, URL, WORDS, aborted

USER = [{"role": "user", "content": "Hello, I have an interview on Monday."}]
GOAL = {
    "type": "function",
    "function": {
        "name": "save_goal",
        "description": "Keeps a goal.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"goal": {"type": "string"}},
            "required": ["goal"],
            "additionalProperties": False,
        },
    },
}


def client(base=f"{URL}/v1", **options):
    return openai.OpenAI(base_url=base, api_key=options.pop("api_key", KEY), **options)


def spoken(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def say(to, messages=USER, **options):
    """One streamed turn: every chunk of it."""
    return list(to.chat.completions.create(model="clm", messages=messages, stream=True, **options))


def is_whole(chunks):
    """One role, then words, then one finish, under one id."""
    choices = [c.choices[0] for c in chunks if c.choices]
    assert [c.delta.role for c in choices if c.delta.role] == ["assistant"]
    assert choices[0].delta.role == "assistant"
    assert [c.finish_reason for c in choices if c.finish_reason] == ["stop"]
    assert choices[-1].finish_reason == "stop"
    assert len({c.id for c in chunks}) == 1
    return True


# Hume's acceptance test.


@pytest.mark.parametrize("prefix", ["", "/api/hume-clm-sse"])
@pytest.mark.parametrize("session", ["<your-id>", "fc5e2d4a-8c1a-4a5e", "Zo\u00eb|42 & more"])
def test_hume_acceptance(simulator, prefix, session):
    simulator.says(WORDS)
    # A session of its own for each address: in one, the same words would only be heard again.
    session = f"{session}{len(prefix)}"
    hume = client(f"{URL}{prefix}", default_query={"custom_session_id": session})
    message = {
        "role": "user",
        "content": "Hello! What can you tell me about yourself?",
        "time": {"begin": 0, "end": 1000},
        "models": {"prosody": {"scores": {"Sadness": 0.1, "Joy": 0.2}}},
    }
    chunks = say(hume, [message])
    assert spoken(chunks) == WORDS
    assert is_whole(chunks)
    assert {c.system_fingerprint for c in chunks} == {session}
    assert {c.object for c in chunks} == {"chat.completion.chunk"}
    [call] = simulator.calls()
    assert message["content"] in json.dumps(call["body"]["messages"])
    assert call["end"] == "finished"


def test_a_talk_of_several_turns_over_one_connection(simulator):
    hume = client(URL, default_query={"custom_session_id": "several-turns"})
    talk = []
    for number in range(3):
        talk.append({"role": "user", "content": f"Question {number}"})
        simulator.says(f"Answer {number}.")
        answer = spoken(say(hume, talk))
        assert answer == f"Answer {number}."
        talk.append({"role": "assistant", "content": answer})
    asked = json.dumps(simulator.calls()[-1]["body"]["messages"])
    assert all(f"Question {n}" in asked for n in range(3)) and "Answer 1." in asked


# The OpenAI route.


def test_a_whole_message(simulator):
    simulator.says(WORDS)
    whole = client().chat.completions.create(
        model="career", messages=USER, stream=False, user="whole"
    )
    assert whole.object == "chat.completion" and whole.model == "career"
    assert whole.system_fingerprint == "whole"
    [choice] = whole.choices
    assert (choice.message.role, choice.message.content) == ("assistant", WORDS)
    assert choice.finish_reason == "stop"
    usage = whole.usage
    assert usage.prompt_tokens > 0 and usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_usage_comes_in_a_last_chunk_to_who_asked(simulator):
    simulator.says(WORDS)
    chunks = say(client(), stream_options={"include_usage": True})
    assert spoken(chunks) == WORDS and is_whole(chunks)
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert all(c.usage is None for c in chunks[:-1])
    assert all(c.usage is None and c.choices for c in say(client()))


def test_the_sdks_own_accumulator_agrees(simulator):
    simulator.says(WORDS)
    with client().chat.completions.stream(model="clm", messages=USER) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == WORDS
    assert final.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({"default_headers": {"x-clm-session": "s-1"}}, {}),
        ({"default_query": {"custom_session_id": "s-1"}}, {}),
        ({}, {"metadata": {"session_id": "s-1"}}),
        ({}, {"extra_body": {"elevenlabs_extra_body": {"session_id": "s-1"}}}),
        ({}, {"user": "s-1"}),
    ],
)
def test_the_session_id_may_come_in_many_places(simulator, options, arguments):
    chunks = say(client(**options), **arguments)
    assert {c.system_fingerprint for c in chunks} == {"s-1"}


def test_models_are_listed(simulator):
    for base in (URL, f"{URL}/v1"):
        ids = [model.id for model in client(base).models.list()]
        assert ids == ["clm", "master", "career", "skills", "leadership", "network"]


def test_headers_and_record_of_a_turn(simulator, server):
    raw = client().chat.completions.with_raw_response.create(model="career", messages=USER)
    assert raw.headers["x-clm-coach"] == "career"
    record = server.turn(raw.headers["x-clm-turn-id"])
    assert (record["coach"], record["outcome"]) == ("career", "complete")


# Tools.


def test_a_tool_call_and_the_answer_to_its_result(simulator):
    simulator.script("tool")
    with client().chat.completions.stream(model="clm", messages=USER, tools=[GOAL]) as stream:
        choice = stream.get_final_completion().choices[0]
    assert choice.finish_reason == "tool_calls" and not choice.message.content
    [call] = choice.message.tool_calls
    assert call.function.name == "save_goal"
    assert json.loads(call.function.arguments) == {"goal": "speak up"}
    assert simulator.calls()[0]["body"]["tools"] == [GOAL]

    simulator.says(WORDS)
    asked = {
        "id": call.id,
        "type": "function",
        "function": {"name": call.function.name, "arguments": call.function.arguments},
    }
    talk = USER + [
        {"role": "assistant", "content": None, "tool_calls": [asked]},
        {"role": "tool", "tool_call_id": call.id, "content": "kept"},
    ]
    assert spoken(say(client(), talk, tools=[GOAL])) == WORDS
    messages = simulator.calls()[1]["body"]["messages"]
    assert [m["tool_call_id"] for m in messages if m["role"] == "tool"] == [call.id]


def test_a_tool_call_in_a_whole_message(simulator):
    simulator.script("tool")
    whole = client().chat.completions.create(model="clm", messages=USER, tools=[GOAL])
    [call] = whole.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"goal": "speak up"}
    assert whole.choices[0].finish_reason == "tool_calls"


# Refusals.


@pytest.mark.parametrize("key", ["wrong", KEY[:-1], KEY.upper()])
def test_a_wrong_key_is_an_authentication_error(simulator, server, key):
    before = server.refused()
    with pytest.raises(openai.AuthenticationError) as refused:
        say(client(api_key=key))
    assert refused.value.status_code == 401
    assert refused.value.body["message"] == "a valid key is needed"
    assert "CLM_API_KEYS" in refused.value.body["hint"]
    assert refused.value.type == "unauthorized"
    with pytest.raises(openai.AuthenticationError):
        client(api_key=key).models.list()
    assert server.refused() - before == 2, "neither is tried again"
    assert simulator.calls() == []


def test_a_bad_request_is_not_tried_again(simulator, server):
    before = server.refused()
    with pytest.raises(openai.BadRequestError) as refused:
        client().chat.completions.create(model="clm", messages="no list")
    assert refused.value.body["type"] == "invalid_request"
    assert "messages" in refused.value.body["message"]
    assert server.refused() - before == 1
    assert simulator.calls() == []


# Hang-ups.


@pytest.mark.parametrize("fault", ["stall:3", "ok"])
def test_closing_the_stream_closes_the_model_call(simulator, server, fault):
    simulator.pace(gap_ms=100)
    simulator.script(fault)
    stream = client().chat.completions.create(model="clm", messages=USER, stream=True)
    turn_id = stream.response.headers["x-clm-turn-id"]
    for chunk in stream:
        if spoken([chunk]):
            break
    assert simulator.calls()[0]["end"] is None
    stream.close()
    aborted(simulator)
    assert server.turn(turn_id)["outcome"] == "interrupted"
    assert len(simulator.calls()) == 1


def test_cancelling_the_task_closes_the_model_call(simulator):
    """How voice stacks interrupt."""
    simulator.script("stall:3")

    async def talk():
        async with openai.AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY) as to:
            heard = asyncio.Event()

            async def listen():
                async with await to.chat.completions.create(
                    model="clm", messages=USER, stream=True
                ) as stream:
                    async for chunk in stream:
                        if spoken([chunk]):
                            heard.set()

            task = asyncio.create_task(listen())
            await asyncio.wait_for(heard.wait(), 5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(aborted, simulator)

    asyncio.run(talk())


def test_giving_up_on_a_whole_message_closes_the_model_call(simulator):
    simulator.script("hang")
    with pytest.raises(openai.APITimeoutError):
        client(timeout=0.3, max_retries=0).chat.completions.create(model="clm", messages=USER)
    aborted(simulator)
    assert len(simulator.calls()) == 1


# Models that fail.


def test_the_next_model_answers_for_one_that_fails(simulator):
    simulator.script("503", "ok")
    chunks = say(client())
    assert is_whole(chunks) and len(spoken(chunks)) > 100
    first, second = simulator.calls()
    assert first["model"] != second["model"]


@pytest.mark.parametrize("fault", ["cut:6", "fin:6", "err-b:6"])
def test_an_answer_that_breaks_off_is_continued(simulator, fault):
    simulator.script(fault)
    chunks = say(client())
    assert is_whole(chunks)
    assert len(spoken(chunks)) > 100 and "  " not in spoken(chunks)
    assert len(simulator.calls()) == 2


@pytest.mark.last
@pytest.mark.parametrize("fault", ["503", "401", "empty", "html", "cut:0"])
@pytest.mark.parametrize("streams", [True, False])
def test_when_every_model_fails_a_line_is_spoken(simulator, fallback_lines, fault, streams):
    simulator.script(*[fault] * 12)
    if streams:
        chunks = say(client(URL))
        text = spoken(chunks)
        assert is_whole(chunks)
    else:
        whole = client().chat.completions.create(model="clm", messages=USER)
        text = whole.choices[0].message.content
        assert whole.choices[0].finish_reason == "stop"
    assert len(text) > 20 and text in fallback_lines
    calls = simulator.calls()
    # None where all models are left alone already, and the line comes at once.
    assert len(calls) <= 4, "the turn was repeated by the client"
