"""A Pipecat bot whose language model is clm, here with a text in place of a voice.

    CLM_API_KEY=… python3 pipecat_bot.py SESSION_ID "I have an interview on Monday."
"""

import asyncio
import os
import sys

from pipecat.frames.frames import EndFrame, LLMMessagesAppendFrame, LLMTextFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.llm import OpenAILLMService
from pipecat.turns.user_turn_strategies import ExternalUserTurnStrategies
from pipecat.workers.runner import WorkerRunner

CLM_URL = os.environ.get("CLM_URL", "http://127.0.0.1:8080")


def pipeline(session_id, ears, mouth, turns=None):
    """One service a session. `ears` ends in speech to text, `mouth` begins with text to speech."""
    llm = OpenAILLMService(
        base_url=f"{CLM_URL}/v1",
        api_key=os.environ.get("CLM_API_KEY", "none"),
        default_headers={"x-clm-session": session_id},
        settings=OpenAILLMService.Settings(model="clm"),
    )
    user = LLMUserAggregatorParams(user_turn_strategies=turns)
    talk = LLMContextAggregatorPair(LLMContext(), user_params=user)
    return Pipeline([*ears, talk.user(), llm, *mouth, talk.assistant()])


class Printer(FrameProcessor):
    """A mouth for the terminal."""

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, LLMTextFrame):
            print(frame.text, end="", flush=True)
        await self.push_frame(frame, direction)


async def main(session_id, text):
    # In a text nobody has to listen for the end of a turn.
    turns = ExternalUserTurnStrategies()
    worker = PipelineWorker(pipeline(session_id, [], [Printer()], turns))
    runner = WorkerRunner()
    await runner.add_workers(worker)
    said = {"role": "user", "content": text}
    await worker.queue_frames([LLMMessagesAppendFrame([said], run_llm=True), EndFrame()])
    await runner.run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
