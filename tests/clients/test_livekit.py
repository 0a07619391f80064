"""LiveKit Agents' openai plugin, without a room: what an agent's session does for each turn."""

import asyncio
import json

import pytest
from livekit.agents import APIConnectOptions, APIStatusError
from livekit.agents.llm import ChatContext, function_tool
from livekit.plugins.openai import LLM

from conftest import KEY, URL, WORDS, aborted


def llm(**options):
    options = {"api_key": KEY, "base_url": f"{URL}/v1", "model": "clm"} | options
    return LLM(**options)


def stream(to, text="Hello, I have an interview on Monday.", tools=()):
    context = ChatContext.empty()
    context.add_message(role="system", content="Her name is Ines.")
    context.add_message(role="user", content=text)
    # As in an agent's session: three more tries where trying again makes sense.
    return to.chat(chat_ctx=context, tools=list(tools), conn_options=APIConnectOptions())


async def listen(to, **options):
    """Every chunk of one turn."""
    async with stream(to, **options) as chunks:
        return [chunk async for chunk in chunks]


def say(to, **options):
    return asyncio.run(listen(to, **options))


def spoken(chunks):
    return "".join(c.delta.content or "" for c in chunks if c.delta)


def test_the_words_arrive_as_they_are(simulator):
    simulator.says(WORDS)
    chunks = say(llm())
    assert spoken(chunks) == WORDS
    [usage] = [c.usage for c in chunks if c.usage]
    assert usage.completion_tokens > 0
    [call] = simulator.calls()
    assert call["end"] == "finished" and "tools" not in call["body"]
    assert "| Her name is Ines." in json.dumps(call["body"]["messages"])


@pytest.mark.parametrize(
    "options",
    [
        {"extra_headers": {"x-clm-session": "lk-1"}},
        {"extra_query": {"custom_session_id": "lk-1"}},
        {"extra_body": {"custom_session_id": "lk-1"}},
        {"metadata": {"session_id": "lk-1"}},
        {"user": "lk-1"},
    ],
)
def test_the_session_is_known_wherever_an_agent_puts_it(simulator, server, options):
    simulator.says(WORDS)
    [place] = options
    text = f"My session is in {place}."
    say(llm(**options), text=text)
    again = say(llm(**options), text=text)
    # Known again: the same words of the same session are heard again, and paid once.
    assert spoken(again) == WORDS
    assert len(simulator.calls()) == 1
    assert server.turns("lk-1") >= 1


def test_instructions_for_a_reply_are_what_is_said_next(simulator):
    simulator.says(WORDS)

    async def turn():
        # What `session.generate_reply(instructions=...)` asks for in the midst of a call.
        context = ChatContext.empty()
        for role, text in [("user", "Hello."), ("assistant", "Hi."), ("system", "Tell them that time is up.")]:
            context.add_message(role=role, content=text)
        async with llm().chat(chat_ctx=context, conn_options=APIConnectOptions()) as chunks:
            return [chunk async for chunk in chunks]

    assert spoken(asyncio.run(turn())) == WORDS
    [call] = simulator.calls()
    *_, context, asked = call["body"]["messages"]
    assert "| Tell them that time is up." in context["content"]
    assert asked["role"] == "user" and "wants you to speak now" in asked["content"]


def test_a_reading_of_the_voice_reaches_the_prompt(simulator):
    felt = [{"label": "sad", "confidence": 0.71}]
    say(llm(extra_body={"emotion": felt}))
    assert "The speaker sounds downcast." in json.dumps(simulator.calls()[0]["body"])


def test_a_tool_call_arrives(simulator):
    @function_tool
    async def save_goal(goal: str) -> None:
        """Keeps a goal."""

    simulator.script("tool")
    chunks = say(llm(), tools=[save_goal])
    [call] = [call for c in chunks if c.delta for call in c.delta.tool_calls]
    assert call.name == "save_goal" and json.loads(call.arguments)


@pytest.mark.parametrize("fault", ["stall:3", "ok"])
def test_an_interruption_closes_the_model_call(simulator, fault):
    simulator.pace(gap_ms=100)
    simulator.script(fault)

    async def interrupt():
        async with stream(llm()) as chunks:
            async for chunk in chunks:
                if spoken([chunk]):
                    break
        await asyncio.to_thread(aborted, simulator)

    asyncio.run(interrupt())
    assert len(simulator.calls()) == 1


def test_speculation_is_one_answer(simulator):
    """Preemptive generation: attempts at a growing transcript, each dropped for the next."""
    simulator.pace(gap_ms=100)
    to = llm(extra_headers={"x-clm-session": "lk-speculates"})

    async def speculate():
        for text in ("I was", "I was passed"):
            async with stream(to, text) as chunks:
                async for chunk in chunks:
                    if spoken([chunk]):
                        break
        simulator.pace(gap_ms=2)
        return await listen(to, text="I was passed over.")

    assert spoken(asyncio.run(speculate()))
    assert [call["end"] for call in simulator.calls()] == ["aborted", "aborted", "finished"]


@pytest.mark.parametrize(
    ("options", "status", "kind"),
    [
        ({"api_key": "wrong"}, 401, "unauthorized"),
        ({"extra_headers": {"x-clm-session": "x" * 256}}, 400, "invalid_session_id"),
        ({"extra_body": {"messages": "no list"}}, 400, "invalid_request"),
    ],
)
def test_a_refusal_is_understood_and_not_tried_again(simulator, server, options, status, kind):
    before = server.refused()
    with pytest.raises(APIStatusError) as refused:
        say(llm(**options))
    assert refused.value.status_code == status and not refused.value.retryable
    assert refused.value.body["type"] == kind and refused.value.body["hint"]
    assert server.refused() - before == 1
    assert simulator.calls() == []


def test_an_answer_that_breaks_off_is_continued(simulator):
    simulator.script("cut:6")
    assert len(spoken(say(llm()))) > 100
    assert len(simulator.calls()) == 2


@pytest.mark.last
@pytest.mark.parametrize("fault", ["503", "empty", "cut:0"])
def test_when_every_model_fails_a_line_is_spoken(simulator, fallback_lines, fault):
    simulator.script(*[fault] * 12)
    text = spoken(say(llm()))
    assert len(text) > 20 and text in fallback_lines
    assert len(simulator.calls()) <= 4, "the turn was repeated by the client"
