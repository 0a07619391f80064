"""Pipecat's OpenAI service in a pipeline of its own, as a bot runs it."""

import asyncio
import json

import pytest
from pipecat.frames.frames import (
    EndFrame,
    ErrorFrame,
    InterruptionFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.workers.runner import WorkerRunner

from conftest import KEY, URL, WORDS, aborted


def service(headers=None, key=KEY, **extra):
    settings = OpenAILLMService.Settings(
        model="clm", system_instruction="Her name is Ines.", extra=extra
    )
    return OpenAILLMService(
        api_key=key, base_url=f"{URL}/v1", default_headers=headers, settings=settings
    )


class Sink(FrameProcessor):
    """What would go to the voice."""

    def __init__(self):
        super().__init__()
        self.text = ""
        self.words = asyncio.Event()
        self.ended = asyncio.Event()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            self.text += frame.text
            self.words.set()
        if isinstance(frame, LLMFullResponseEndFrame):
            self.ended.set()
        await self.push_frame(frame, direction)


class Bot:
    """One pipeline around the service, and what became of one turn in it."""

    def __init__(self, llm):
        self.llm = llm
        self.errors = []

    async def run(self, text, then):
        self.sink = Sink()
        self.worker = PipelineWorker(
            Pipeline([self.llm, self.sink]), cancel_on_idle_timeout=False, enable_rtvi=False
        )
        started = asyncio.Event()

        @self.worker.event_handler("on_pipeline_started")
        async def _(_worker, _frame):
            started.set()

        @self.llm.event_handler("on_error")
        async def _(_service, error: ErrorFrame):
            self.errors.append(error)

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        running = asyncio.create_task(runner.run())
        await asyncio.wait_for(started.wait(), 10)
        context = LLMContext(messages=[{"role": "user", "content": text}])
        await self.worker.queue_frame(LLMContextFrame(context))
        await then(self)
        await self.worker.queue_frame(EndFrame())
        await asyncio.wait_for(running, 10)
        return self


def say(llm, text="Hello, I have an interview on Monday."):
    async def until_said(bot):
        await asyncio.wait_for(bot.sink.ended.wait(), 20)

    async def bot():
        return await Bot(llm).run(text, until_said)

    return asyncio.run(bot())


def test_the_words_arrive_as_they_are(simulator):
    simulator.says(WORDS)
    bot = say(service())
    assert bot.sink.text == WORDS and bot.errors == []
    [call] = simulator.calls()
    assert call["end"] == "finished" and "tools" not in call["body"]
    assert "| Her name is Ines." in json.dumps(call["body"]["messages"])


@pytest.mark.parametrize(
    ("headers", "extra"),
    [
        ({"x-clm-session": "pc-1"}, {}),
        (None, {"extra_query": {"custom_session_id": "pc-1"}}),
        (None, {"extra_body": {"custom_session_id": "pc-1"}}),
        (None, {"metadata": {"session_id": "pc-1"}}),
        (None, {"user": "pc-1"}),
    ],
)
def test_the_session_is_known_wherever_a_bot_puts_it(simulator, server, headers, extra):
    simulator.says(WORDS)
    text = f"My session is in {list(headers or extra)[0]}."
    for _ in range(2):
        assert say(service(headers, **extra), text).sink.text == WORDS
    assert len(simulator.calls()) == 1, "the second time it is known again"
    assert server.turns("pc-1") >= 1


def test_a_reading_of_the_voice_reaches_the_prompt(simulator):
    felt = [{"label": "sad", "confidence": 0.71}]
    say(service(extra_body={"emotion": felt}))
    assert "The speaker sounds downcast." in json.dumps(simulator.calls()[0]["body"])


def test_a_whole_message_for_what_a_bot_asks_beside_the_talk(simulator):
    simulator.says(WORDS)
    context = LLMContext(messages=[{"role": "user", "content": "What did we say?"}])
    assert asyncio.run(service().run_inference(context)) == WORDS


@pytest.mark.parametrize("fault", ["stall:3", "ok"])
def test_an_interruption_closes_the_model_call(simulator, fault):
    simulator.pace(gap_ms=100)
    simulator.script(fault)

    async def interrupted(bot):
        await asyncio.wait_for(bot.sink.words.wait(), 10)
        await bot.worker.queue_frame(InterruptionFrame())
        await asyncio.to_thread(aborted, simulator)

    asyncio.run(Bot(service()).run("Hello.", interrupted))
    assert len(simulator.calls()) == 1


@pytest.mark.parametrize(
    ("options", "status", "kind"),
    [
        ({"key": "wrong"}, 401, "unauthorized"),
        ({"headers": {"x-clm-session": "x" * 256}}, 400, "invalid_session_id"),
        ({"extra_body": {"messages": "no list"}}, 400, "invalid_request"),
    ],
)
def test_a_refusal_is_understood_and_not_tried_again(simulator, server, options, status, kind):
    before = server.refused()
    bot = say(service(**options))
    assert bot.sink.text == ""
    [error] = bot.errors
    assert error.exception.status_code == status and error.exception.body["type"] == kind
    assert server.refused() - before == 1
    assert simulator.calls() == []


def test_an_answer_that_breaks_off_is_continued(simulator):
    simulator.script("cut:6")
    bot = say(service())
    assert len(bot.sink.text) > 100 and bot.errors == []
    assert len(simulator.calls()) == 2


@pytest.mark.last
@pytest.mark.parametrize("fault", ["503", "empty", "cut:0"])
def test_when_every_model_fails_a_line_is_spoken(simulator, fallback_lines, fault):
    simulator.script(*[fault] * 12)
    bot = say(service())
    assert len(bot.sink.text) > 20 and bot.sink.text in fallback_lines
    assert bot.errors == []
    assert len(simulator.calls()) <= 4, "the turn was repeated by the client"
