"""One machine, models behind HAProxy, and memory."""

import contextlib
import os
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.local import ROOT, local

HAPROXY = """
global
    # It counts two files for each, and has one for each stream.
    maxconn {connections}
    nbthread 1
    fd-hard-limit {files}
    ulimit-n {files}
    tune.h2.max-concurrent-streams {streams}
defaults
    mode http
    timeout connect 5s
    timeout client 600s
    timeout server 600s
    option http-no-delay
frontend front
    bind 127.0.0.1:{front} ssl crt {room}/front.pem alpn h2,http/1.1
    default_backend models
backend models
    http-reuse safe
    server models 127.0.0.1:{models}
"""


class House:
    """Models, HAProxy before them, and one clm; what was started ends with it."""

    def __init__(self, options):
        self.options = options
        self.ports = {name: local.free_port() for name in ("models", "front", "memory", "clm")}
        self.running = {}
        # Connections to the models that bare calls have had.
        self.open = []

    def trust(self):
        return ssl.create_default_context(cafile=self.room / "cert.pem")

    def __enter__(self):
        self.room = Path(tempfile.mkdtemp(prefix="clm-held-"))
        try:
            self._start_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in self.running.values():
            process.kill()
            process.wait()
        shutil.rmtree(self.room, ignore_errors=True)

    def start(self, name, command, processors, environment=None, **rest):
        base = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.room)}
        log = open(self.room / f"{name}.log", "ab")
        with log:
            self.running[name] = subprocess.Popen(
                ["taskset", "-c", processors, *map(str, command)], env=base | (environment or {}), cwd=self.room,
                stdin=subprocess.DEVNULL, stderr=log, preexec_fn=local.ends_with_us, **{"stdout": log, **rest},
            )
            return self.running[name]

    def _start_all(self):
        options = self.options
        cores = os.cpu_count() or 1
        # One processor for clm, the others for all else; with one, for everybody.
        self.own, self.others = (str(cores - 1), f"0-{cores - 2}") if cores > 1 else ("0", "0")
        os.sched_setaffinity(0, range(max(cores - 1, 1)))
        self.start("models", [sys.executable, ROOT / "scripts" / "held", "--as", "models", self.ports["models"]], self.others)
        self.answers("models")
        upstream = f"http://127.0.0.1:{self.ports['models']}/api/v1"
        environment = {}
        if not options.h1:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                 "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", "key.pem", "-out", "cert.pem"],
                cwd=self.room, check=True, capture_output=True,
            )
            both = (self.room / "cert.pem").read_text() + (self.room / "key.pem").read_text()
            (self.room / "front.pem").write_text(both)
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            text = HAPROXY.format(
                files=limit, streams=options.per_connection, connections=limit // 2 - 50, room=self.room, **self.ports
            )
            (self.room / "haproxy.cfg").write_text(text)
            self.start("front", [local.find("haproxy"), "-db", "-f", "haproxy.cfg"], self.others)
            self.answers("front")
            upstream = f"https://localhost:{self.ports['front']}/api/v1"
            environment["SSL_CERT_FILE"] = str(self.room / "cert.pem")
        self.start("memory", [options.clm, "simulate", "--port", self.ports["memory"]], self.others)
        self.answers("memory")
        self.start("clm", [options.clm, "serve"], self.own, environment | {
            "PORT": str(self.ports["clm"]), "WORKERS": "1", "LOG_FORMAT": "json", "DATA_DIR": str(self.room / "data"),
            # Without memory that is touched at the start: the streams would lie in it, unseen.
            "GLIBC_TUNABLES": "",
            "CLM_API_KEYS": "simulated", "ADMIN_API_KEYS": "operates", "ZEP_API_KEY": "simulated",
            "ZEP_BASE_URL": f"http://127.0.0.1:{self.ports['memory']}/api/v2",
            "OPEN_ROUTER_API_KEY": "simulated", "OPENROUTER_BASE_URL": upstream, "MAX_TURNS": "100000",
            "DAILY_BUDGET_USD": "100000", "SPEECH_WPM": "60", "IDLE_DEADLINE_MS": "60000", "TURN_DEADLINE_MS": "600000",
            # What is asked while many come may be slow; it is the same turn that is wanted, not another.
            "FIRST_TOKEN_DEADLINE_MS": "30000", "FALLBACK_FIRST_TOKEN_DEADLINE_MS": "30000",
            "SPOKEN_FALLBACK_MS": "60000", "HEDGING": "false", "LEAD_INS": "false",
        })
        self.answers("clm")

    def answers(self, name):
        def probe():
            if self.running[name].poll() is not None:
                raise RuntimeError(f"{name} did not start:\n" + (self.room / f"{name}.log").read_text()[-2000:])
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.ports[name]), 1).close()
                return True

        local.until(f"{name} answers", probe)

    def clm(self):
        """Resident KiB, open files, and processor seconds so far."""
        proc = Path(f"/proc/{self.running['clm'].pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line)
        times = (proc / "stat").read_text().rsplit(")", 1)[1].split()[11:13]
        ticks = os.sysconf("SC_CLK_TCK")
        return int(status["VmRSS"].split()[0]), len(os.listdir(proc / "fd")), sum(map(int, times)) / ticks

    def inflight(self):
        text = local.get(f"http://127.0.0.1:{self.ports['clm']}/metrics", "operates")[1]
        return next((int(float(line.split()[1])) for line in text.splitlines() if line.startswith("clm_inflight ")), 0)
