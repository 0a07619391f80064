"""Peers: what passes a stream on, and nothing else. Each on the service's processor, where the service would listen."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from lib.bench.service import PORT, RIG, RIG_URL, TOKEN

HAPROXY = f"""
global
    nbthread 1
defaults
    mode http
    option http-no-delay
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen peer
    bind 127.0.0.1:{PORT}
    server models {RIG}
"""
NGINX = f"""
daemon off;
pid nginx.pid;
worker_processes 1;
worker_rlimit_nofile 4096;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_buffer_size 64k;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    upstream models {{ server {RIG}; keepalive 1024; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{PORT};
        tcp_nodelay on;
        keepalive_requests 1000000;
        location / {{
            proxy_pass http://models;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""
NODE = f"""
import http from "node:http";
import OpenAI from "openai";
const models = new OpenAI({{ apiKey: "any", baseURL: "{RIG_URL}" }});
http.createServer(async (request, response) => {{
  if (request.headers.authorization !== "Bearer {TOKEN}") return response.writeHead(401).end();
  let body = "";
  for await (const part of request) body += part;
  response.writeHead(200, {{ "content-type": "text/event-stream" }});
  for await (const chunk of await models.chat.completions.create({{ ...JSON.parse(body), stream: true }}))
    response.write(`data: ${{JSON.stringify(chunk)}}\\n\\n`);
  response.end("data: [DONE]\\n\\n");
}}).listen({PORT}, "127.0.0.1");
"""
FASTAPI = f"""
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from openai import AsyncOpenAI

app = FastAPI()
models = AsyncOpenAI(api_key="any", base_url="{RIG_URL}")


async def words(body):
    asked = {{"model": body["model"], "messages": body["messages"], "stream": True}}
    async for chunk in await models.chat.completions.create(**asked):
        yield f"data: {{chunk.model_dump_json()}}\\n\\n"
    yield "data: [DONE]\\n\\n"


@app.post("/chat/completions")
async def turn(request: Request):
    if request.headers.get("authorization") != "Bearer {TOKEN}":
        raise HTTPException(401)
    return StreamingResponse(words(await request.json()), media_type="text/event-stream")


uvicorn.run(app, host="127.0.0.1", port={PORT}, access_log=False, log_level="warning")
"""
# A key of its own has to begin like this.
LITELLM_TOKEN = f"sk-{TOKEN}"
LITELLM = f"""
model_list:
  - model_name: "*"
    litellm_params:
      model: openrouter/sim/coach
      api_base: {RIG_URL}
      api_key: any
general_settings:
  master_key: {LITELLM_TOKEN}
"""


class Peer(NamedTuple):
    """What it is called, what starts it, and what the rig has to be told of it."""

    name: str
    command: list
    rig: tuple = ()
    env: dict = {}


def cache(name):
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("CLM_BENCH_PEERS") or Path(base) / "quest-clm" / "bench-peers") / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def installed(folder, wanted, *commands):
    """Installs into the folder, unless the same was installed there before."""
    stamp = folder / "stamp"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    for command in commands:
        subprocess.run(command, check=True, cwd=folder, stdout=sys.stderr)
    stamp.write_text(wanted)


def debian(name):
    """The program as it is here, or out of the distribution's package: unpacked, so that nothing is started."""
    here = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if here:
        return here
    folder = cache(name)
    installed(folder, name, ["apt-get", "download", name], ["sh", "-c", "dpkg -x *.deb ."])
    return str(folder / "usr" / "sbin" / name)


def npm(name, packages, instead=None):
    folder = cache(name)
    manifest = json.dumps({"private": True, "type": "module", "dependencies": packages, "overrides": instead or {}})
    (folder / "package.json").write_text(manifest)
    installed(folder, manifest, ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"])
    return folder


def venv(name, packages):
    folder = cache(name)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *packages]
    installed(folder, " ".join(packages), [sys.executable, "-m", "venv", "."], pip)
    return folder


def version(*command):
    """The first number with points in what it says of itself."""
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"\d+(\.\d+)+", said.stdout + said.stderr)[0]


def haproxy(home):
    program = debian("haproxy")
    (home / "haproxy.cfg").write_text(HAPROXY)
    return Peer(f"HAProxy {version(program, '-v')}", [program, "-db", "-f", "haproxy.cfg"])


def nginx(home):
    program = debian("nginx")
    (home / "nginx.conf").write_text(NGINX)
    # It looks for its files here, and in nobody else's folder.
    command = [program, "-p", str(home), "-c", "nginx.conf", "-e", "stderr"]
    return Peer(f"nginx {version(program, '-v')}", command)


def node(_):
    folder = npm("node", {"openai": "6.49.0"})
    (folder / "server.js").write_text(NODE)
    return Peer(f"Node {version('node', '-v')} and openai 6.49", ["node", str(folder / "server.js")])


def fastapi(_):
    folder = venv("fastapi", ["fastapi==0.165.0", "uvicorn[standard]==0.54.0", "openai==3.54.0"])
    (folder / "server.py").write_text(FASTAPI)
    return Peer("FastAPI 0.165 and openai 3.54", [str(folder / "bin" / "python"), str(folder / "server.py")])


def portkey(_):
    # With a newer one of what it stands on every stream of it fails.
    folder = npm("portkey", {"@portkey-ai/gateway": "1.15.2"}, {"@hono/node-server": "1.13.8"})
    server = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    heads = ("x-portkey-provider: openrouter", f"x-portkey-custom-host: {RIG_URL}")
    told_rig = ("--path", "/v1/chat/completions", *(word for head in heads for word in ("--header", head)))
    return Peer("Portkey 1.15.2", ["node", str(server), f"--port={PORT}", "--headless"], told_rig)


def litellm(home):
    folder = venv("litellm", ["litellm[proxy]==1.106.2"])
    (home / "config.yaml").write_text(LITELLM)
    command = [str(folder / "bin" / "litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(PORT)]
    # Prices as they came with it, none fetched.
    more = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    return Peer("LiteLLM 1.106.2", command, ("--token", LITELLM_TOKEN), more)


PEERS = (haproxy, nginx, node, fastapi, portkey, litellm)
