"""One machine under strain, and what it may be put into."""

import contextlib
import fcntl
import json
import os
import select
import subprocess
import tempfile
import threading
from pathlib import Path

from lib.house import blocking
from lib.local import local
from lib.strain.callers import NAME

GROUPS = Path("/sys/fs/cgroup")


class LeftOut(Exception):
    """What this machine cannot do, and why."""


class Reader(threading.Thread):
    """Reads a pipe while it is told to."""

    def __init__(self, end):
        super().__init__(daemon=True)
        self.end, self.reads, self.is_over = end, threading.Event(), False
        self.reads.set()
        self.start()

    def run(self):
        while not self.is_over:
            if self.reads.wait(0.1) and select.select([self.end], [], [], 0.1)[0] and not os.read(self.end, 1 << 16):
                break
        os.close(self.end)


class Rig(local.House):
    """One clm with simulated models and memory, and the stores that are asked for. Leaving the context ends it."""

    def __init__(self, options, stores=(), settings=None, before="", is_piped=False):
        super().__init__(options.clm, settings)
        # A line of a shell before the server, which has mounts of its own then.
        self.stores, self.before, self.is_piped, self.reader = stores, before, is_piped, None
        self.commands = {}
        cores = os.cpu_count() or 1
        # One processor for clm, the others for all else; with one, for everybody.
        self.own = cores - 1
        os.sched_setaffinity(0, range(max(cores - 1, 1)))

    def __enter__(self):
        self.room = Path(tempfile.mkdtemp(prefix="clm-strain-", dir="/tmp"))
        self.room.chmod(0o755)
        try:
            if "postgres" in self.stores:
                self.start_postgres()
            if "redis" in self.stores:
                self.start_redis()
            self.start_simulator()
            self.start_clm()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *problem):
        super().__exit__(*problem)
        if self.reader:
            self.reader.is_over = True

    def start(self, name, *command, **rest):
        self.commands[name] = command, rest
        super().start(name, *command, **rest)

    def start_again(self, name):
        """As it was, over what it left."""
        command, rest = self.commands[name]
        self.start(name, *command, **rest)
        self.await_port(name)

    def start_simulator(self):
        self.start(
            "simulator",
            [self.simulator, "simulate", "--port", self.ports["simulator"], "--memory-ms", "5"],
        )
        self.await_port("simulator")

    def start_clm(self):
        base = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC", "HOST": "127.0.0.1",
            "PORT": str(self.ports[NAME]), "WORKERS": "1", "LOG_FORMAT": "json", "DATA_DIR": str(self.room / "data"),
            "DATA_KEY": self.data_key, "CLM_API_KEYS": self.caller_key, "ADMIN_API_KEYS": self.admin_key,
            "OPEN_ROUTER_API_KEY": "simulated", "OPENROUTER_BASE_URL": self.url("simulator") + "/api/v1",
            "ZEP_API_KEY": "simulated", "ZEP_BASE_URL": self.url("simulator") + "/api/v2",
            # Money is no trouble here.
            "DAILY_BUDGET_USD": "100000", "DAILY_HARD_CAP_USD": "100000", "BUDGET_LEASE_USD": "1000",
        }
        if "postgres" in self.stores:
            base["DATABASE_URL"] = (
                f"postgres://clm:{self.password}@127.0.0.1:{self.ports['postgres']}/postgres?sslmode=disable"
            )
        if "redis" in self.stores:
            base["REDIS_URL"] = f"redis://127.0.0.1:{self.ports['redis']}"
        command = ["taskset", "-c", str(self.own), str(self.clm[NAME]), "serve"]
        if self.before:
            command = ["unshare", "--mount", "sh", "-ec", self.before + '\nexec "$0" "$@"', *command]
        with contextlib.ExitStack() as stack:
            if self.is_piped:
                ours, out = os.pipe()
                # A page: it is soon full.
                fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 4096)
                self.reader = Reader(ours)
                stack.callback(os.close, out)
            else:
                out = stack.enter_context(open(self.room / f"{NAME}.log", "ab"))
            self.running[NAME] = subprocess.Popen(
                command, env=base | self.settings, cwd=self.room, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                preexec_fn=local.ends_with_us, start_new_session=True,
            )
        self.await_machine(NAME)

    def log(self, name, lines=20):
        return "its output is a pipe" if self.is_piped and name == NAME else super().log(name, lines)

    def readiness(self):
        return json.loads(local.get(self.url(NAME) + "/readyz", self.admin_key)[1])["dependencies"]

    def metric(self, name, label="", is_sure=True):
        """The sum of those with this label; of some there is none before they move."""
        status, page = local.get(self.url(NAME) + "/metrics", self.admin_key)
        found = [line for line in page.splitlines() if line.startswith(name) and label in line]
        if status != 200 or is_sure and not found:
            raise RuntimeError(f"no {name} {label} among the metrics ({status})")
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)

    def worked(self):
        """Seconds that its threads ran."""
        threads = Path(f"/proc/{self.running[NAME].pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def is_there(self):
        return self.running[NAME].poll() is None


def needs_root():
    if os.geteuid() != 0:
        raise LeftOut("it needs root")


class Group:
    """A control group of version 1 that goes at the end."""

    def __init__(self, kind):
        needs_root()
        self.path = GROUPS / kind / f"clm-strain-{os.getpid()}"
        try:
            self.path.mkdir()
        except OSError as error:
            raise LeftOut(f"no control group of version 1 can be made at {self.path}: {error.strerror}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Whoever was in it has ended; the kernel takes a moment.
        def is_gone():
            with contextlib.suppress(OSError):
                self.path.rmdir()
            return not self.path.exists()

        local.until(f"{self.path} is gone", is_gone, 10)

    def set(self, name, value):
        (self.path / name).write_text(str(value))

    def get(self, name):
        return (self.path / name).read_text()


async def until(what, probe, within=90):
    await blocking(local.until, what, probe, within)
