"""A front end's backend: a session id for whoever is logged in, and nothing else for the browser.

    ADMIN_API_KEY=… python3 backend.py

Then the page asks `POST /session`, and its own login decides whose session that is.
"""

import json
import os
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request, urlopen

CLM_URL = os.environ.get("CLM_URL", "http://127.0.0.1:8080")
ADMIN_API_KEY = os.environ.get("ADMIN_API_KEY", "")
# In place of your own login: whose cookie is which.
LOGINS = {"cookie-of-ines": "u-42"}


def mint(user_id):
    """A session id of this user's, good for two hours. Only `user_id` is needed."""
    wanted = {"user_id": user_id, "tier": "premium", "ttl_s": 7200}
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}", "Content-Type": "application/json"}
    request = Request(f"{CLM_URL}/v1/sessions", json.dumps(wanted).encode(), headers)
    with urlopen(request, timeout=5) as answer:
        return json.load(answer)


class Backend(BaseHTTPRequestHandler):
    def do_POST(self):
        login = SimpleCookie(self.headers.get("Cookie")).get("login")
        user_id = LOGINS.get(login.value) if login else None
        if self.path != "/session":
            return self.answer(404, {"error": "there is POST /session"})
        if user_id is None:
            return self.answer(401, {"error": "log in first"})
        try:
            minted = mint(user_id)
        except OSError as error:
            # What it says may name what the browser should not know.
            self.log_error("no session: %s", error)
            return self.answer(502, {"error": "no coach at the moment"})
        self.answer(201, {"session_id": minted["session_id"]})

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "3000"))), Backend)
    print(f"POST http://127.0.0.1:{server.server_port}/session", flush=True)
    server.serve_forever()
