"""A `clm serve` of a test's own, before the models that all share."""

import json
import os
import signal
import subprocess
import time
import urllib.request

from conftest import ADMIN_KEY, KEY, OPENER, SIMULATOR_URL, ask, until


class Service:
    """A `clm serve` with these settings, besides those that every one here has."""

    def __init__(self, scratch, **settings):
        self.log = scratch / "clm.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [os.environ["CLM_BIN"], "serve"],
                env={
                    "HOST": "127.0.0.1",
                    "PORT": "0",
                    "WORKERS": "2",
                    "DATA_DIR": str(scratch / "data"),
                    "LOG_FORMAT": "json",
                    "SHUTDOWN_GRACE_S": "2",
                    "CLM_API_KEYS": KEY,
                    "ADMIN_API_KEYS": ADMIN_KEY,
                    "OPEN_ROUTER_API_KEY": "simulated",
                    "OPENROUTER_BASE_URL": f"{SIMULATOR_URL}/api/v1",
                    "ZEP_API_KEY": "simulated",
                    "ZEP_BASE_URL": f"{SIMULATOR_URL}/api/v2",
                    **settings,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        listening = self.line("listening")[0]
        self.url = f"http://{listening['addr']}"

    def lines(self, message):
        lines = [json.loads(l) for l in self.log.read_text().splitlines() if l.startswith("{")]
        return [line for line in lines if message in line["message"]]

    def line(self, message, within=10.0):
        return until(f"a line {message!r}", lambda: self.lines(message), within)[0]

    def say(self, session, words, **headers):
        """One turn heard to its end: the head, the words and how long they took to begin."""
        body = {"messages": [{"role": "user", "content": words}], "stream": True}
        url = f"{self.url}/chat/completions?custom_session_id={session}"
        request = urllib.request.Request(url, json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", f"Bearer {KEY}")
        for name, value in headers.items():
            request.add_header(name, value)
        began = time.monotonic()
        with OPENER.open(request, timeout=20) as answer:
            first = None
            text = ""
            for line in answer:
                data = line.decode().removeprefix("data: ").strip()
                if not data.startswith("{"):
                    continue
                for choice in json.loads(data)["choices"]:
                    text += choice["delta"].get("content") or ""
                if text and first is None:
                    first = time.monotonic() - began
            assert data == "" or data == "[DONE]", data
            return answer.headers, text, first

    def metric(self, name):
        lines = ask(f"{self.url}/metrics", key=ADMIN_KEY).splitlines()
        found = [l.rsplit(" ", 1)[1] for l in lines if l.startswith(f"{name} ")]
        return float(found[0]) if found else 0.0

    def stop(self):
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(20)
        return code, time.monotonic() - began

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
