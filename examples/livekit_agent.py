"""A LiveKit agent whose language model is clm.

    LIVEKIT_URL=… LIVEKIT_API_KEY=… LIVEKIT_API_SECRET=… CLM_API_KEY=… python3 livekit_agent.py start

Your backend dispatches the agent `coach` with the session id as its metadata: {"session_id": "c1.…"}.
"""

import json
import os

from livekit.agents import Agent, AgentServer, AgentSession, JobContext, cli
from livekit.plugins import openai

CLM_URL = os.environ.get("CLM_URL", "http://127.0.0.1:8080")
server = AgentServer()


async def begin(session_id, **where):
    """One LLM object a session, because its headers are fixed. Speech in and out are your choice."""
    llm = openai.LLM(
        model="clm",
        base_url=f"{CLM_URL}/v1",
        api_key=os.environ.get("CLM_API_KEY", "none"),
        extra_headers={"x-clm-session": session_id},
    )
    session = AgentSession(llm=llm)  # and stt=…, tts=…, vad=…
    # Instructions reach the coach as notes in the background; who the coach is, clm knows.
    await session.start(Agent(instructions="The call comes from the web page."), **where)
    return session


@server.rtc_session(agent_name="coach")
async def entrypoint(job: JobContext):
    await begin(json.loads(job.job.metadata)["session_id"], room=job.room)


if __name__ == "__main__":
    cli.run_app(server)
