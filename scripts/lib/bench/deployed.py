"""What a deployment's own stores, and a collector of spans and metrics, cost."""

import contextlib
import http.server
import os
import tempfile
import threading
from pathlib import Path

from lib.bench.rig import added, compared, load, pair
from lib.bench.service import Lacking
from lib.house import ask
from lib.local import local


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes whatever it is sent, and counts it."""

    protocol_version = "HTTP/1.1"
    taken = 0

    def do_POST(self):
        Collector.taken += len(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def collecting():
    """Settings that send to a collector."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()


class Stores(local.House):
    """PostgreSQL and Redis, and nothing beside them."""

    def __enter__(self):
        self.room = Path(tempfile.mkdtemp(prefix="clm-bench-", dir="/tmp"))
        self.room.chmod(0o755)
        try:
            self.start_postgres()
            self.start_redis()
        except BaseException:
            self.__exit__()
            raise
        return self

    def kept(self):
        """Turns in PostgreSQL; none before it has a table of them."""
        if not ask(self, "select 1 where to_regclass('turn') is not null"):
            return 0
        return int(ask(self, "select count(*) from turn")[0][0])

    def settings_for_them(self):
        at = f"127.0.0.1:{self.ports['postgres']}"
        return {
            "DATABASE_URL": f"postgres://clm:{self.password}@{at}/postgres?sslmode=disable",
            "REDIS_URL": f"redis://127.0.0.1:{self.ports['redis']}",
            # What they hold of days before is not this run's: money is no trouble here.
            "DAILY_BUDGET_USD": "100000",
            "DAILY_HARD_CAP_USD": "100000",
        }


def deployed(clm, args):
    rows = [
        "| load | records, and what else | added first token, p50 / p99 ms | token delay, p50 / p99 ms |"
        " processor, µs a token | streams whole |",
        "|---|---|---|---|---|---|",
    ]
    # The rig puts itself on the first processor, and the service on the other.
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    with collecting() as sent, Stores(clm) as house:
        os.sched_setaffinity(0, everywhere)
        shared = house.settings_for_them()
        order = [
            ("embedded", {}),
            ("PostgreSQL, Redis", shared),
            ("PostgreSQL, Redis, a collector", shared | sent),
        ]
        for sitting in range(args.sittings):
            # Every second goes the other way round, as what comes first may be warmer or colder.
            for name, more in order if sitting % 2 == 0 else reversed(order):
                before, kept = Collector.taken, house.kept()
                runs = compared(args.rig, clm, "s2-10,s2-500,s2-1000", args.scale, more=more)["runs"]
                for run in runs:
                    through, streams = run["gateway"], run["gateway"]["streams"]
                    rows.append(
                        f"| {load(run['scenario'])} | {name} | {added(run['direct'], through)} |"
                        f" {pair(through, 'token_delay')} | {through['gateway']['cpu_us_per_token']:.1f} |"
                        f" {streams['ok']:,} of {streams['started']:,} |"
                    )
                whole = sum(run["gateway"]["streams"]["ok"] for run in runs)
                if "DATABASE_URL" in more and house.kept() - kept < whole:
                    raise Lacking(f"PostgreSQL has {house.kept() - kept} rows more after {whole} turns")
                if (Collector.taken > before) != ("OTEL_EXPORTER_OTLP_ENDPOINT" in more):
                    raise Lacking(f"a collector was sent {Collector.taken - before} bytes where there is {name}")
    return rows
