"""A stand-in for Hume: its tokens, its chat socket and its control plane, as far as a call needs them.

It asks the language model as EVI does: by the address in the configuration, with the session id of the
session settings in the query and the key of the control plane as the bearer. Where it is refused, the
chat ends with code 1000 and says nothing.
"""

import asyncio
import base64
import json
import threading
import uuid

import aiohttp
from aiohttp import web

API_KEY = "hume-api-key-0123456789"
SECRET_KEY = "hume-secret-key-0123456789"
ACCESS_TOKEN = "hume-access-token-0123456789"


class Hume:
    """Runs in a thread of its own; `model` is where the configuration's language model is."""

    def __init__(self, model):
        self.model = model
        self.chats = {}
        self.handshakes = []
        self.answered = []
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self.thread.start()
        assert ready.wait(10)

    def _run(self, ready):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._start())
        ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(self.runner.cleanup())
        self.loop.close()

    async def _start(self):
        app = web.Application()
        app.router.add_post("/oauth2-cc/token", self._token)
        app.router.add_get("/v0/evi/chat", self._chat)
        app.router.add_post("/v0/evi/chat/{chat}/send", self._send)
        app.router.add_post("/__heard/{chat}", self._heard)
        self.runner = web.AppRunner(app)
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _token(self, request):
        form = await request.post()
        basic = base64.b64encode(f"{API_KEY}:{SECRET_KEY}".encode()).decode()
        is_ours = request.headers.get("Authorization") == f"Basic {basic}"
        if not is_ours or form.get("grant_type") != "client_credentials":
            return web.json_response({"error": "unauthorized"}, status=401)
        return web.json_response({"access_token": ACCESS_TOKEN, "token_type": "Bearer"})

    async def _send(self, request):
        """The control plane."""
        if request.headers.get("X-Hume-Api-Key") != API_KEY:
            return web.json_response({"error": "unauthorized"}, status=401)
        chat = self.chats.get(request.match_info["chat"])
        if chat is None:
            return web.json_response({"error": "no such chat"}, status=404)
        settings = await request.json()
        assert settings["type"] == "session_settings", settings
        chat["key"] = settings["language_model_api_key"]
        return web.Response(status=200)

    async def _chat(self, request):
        self.handshakes.append(str(request.url))
        if request.query.get("access_token") != ACCESS_TOKEN:
            raise web.HTTPUnauthorized()
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        chat_id = str(uuid.uuid4())
        session = request.query.get("session_settings[custom_session_id]")
        self.chats[chat_id] = {"session": session, "key": None, "socket": socket}
        told = {"chat_id": chat_id, "chat_group_id": str(uuid.uuid4()), "request_id": "r"}
        await socket.send_json({"type": "chat_metadata", **told})
        async for _ in socket:
            pass
        return socket

    async def _heard(self, request):
        """The user of this chat has said something, which no test has a microphone for."""
        chat = self.chats[request.match_info["chat"]]
        answer = await self._ask(chat, await request.text())
        if answer is None:
            await chat["socket"].close(code=1000)
            return web.Response()
        spoken = {"role": "assistant", "content": answer}
        body = {"type": "assistant_message", "message": spoken, "from_text": False}
        await chat["socket"].send_json({**body, "models": {}, "is_quick_response": False})
        await chat["socket"].send_json({"type": "assistant_end"})
        return web.Response()

    async def _ask(self, chat, text):
        query = {"custom_session_id": chat["session"]} if chat["session"] else {}
        headers = {"Authorization": f"Bearer {chat['key']}"} if chat["key"] else {}
        body = {"messages": [{"role": "user", "content": text}]}
        async with aiohttp.ClientSession() as model:
            async with model.post(self.model, params=query, headers=headers, json=body) as answer:
                self.answered.append(answer.status)
                if answer.status != 200:
                    return None
                lines = (await answer.text()).splitlines()
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: {")]
        choices = [choice for line in data for choice in json.loads(line)["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
