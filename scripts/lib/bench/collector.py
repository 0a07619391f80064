"""What a collector of spans and metrics costs."""

import http.server
import threading

from lib.bench.rig import added, compared, load, pair
from lib.bench.service import Lacking


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


def collector(clm, args):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sent = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    rows = [
        "| load | collector | added first token, p50 / p99 ms | token delay, p50 / p99 ms | processor, µs a token |"
        " streams whole |",
        "|---|---|---|---|---|---|",
    ]
    for sitting in range(args.sittings):
        # Every second goes the other way round, as what comes first may be warmer or colder.
        order = [("none", {}), ("one", sent)]
        for name, more in order if sitting % 2 == 0 else reversed(order):
            before = Collector.taken
            for run in compared(args.rig, clm, "s2-10,s2-500,s2-1000", args.scale, more=more)["runs"]:
                through, streams = run["gateway"], run["gateway"]["streams"]
                rows.append(
                    f"| {load(run['scenario'])} | {name} | {added(run['direct'], through)} |"
                    f" {pair(through, 'token_delay')} | {through['gateway']['cpu_us_per_token']:.1f} |"
                    f" {streams['ok']:,} of {streams['started']:,} |"
                )
            if (Collector.taken > before) != bool(more):
                raise Lacking(f"a collector was sent {Collector.taken - before} bytes where there is {name}")
    server.shutdown()
    return rows
