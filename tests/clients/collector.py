"""A collector for the tests: Rotel, a real one, in front of a server that keeps what it forwards.

Where there is no Rotel for this Python, the server stands in for it: what it is sent is then decoded
by OpenTelemetry's own protobuf definitions alone.
"""

import gzip
import importlib.util
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from conftest import until


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def value(any_value):
    """A value of protobuf's as one of Python's."""
    kind = any_value.WhichOneof("value")
    found = getattr(any_value, kind)
    return [value(v) for v in found.values] if kind == "array_value" else found


def attributes(of):
    return {a.key: value(a.value) for a in of}


class Span:
    """A span as it arrived."""

    def __init__(self, span, resource, scope):
        self.name = span.name
        self.kind = span.kind
        self.trace = span.trace_id.hex()
        self.id = span.span_id.hex()
        self.parent = span.parent_span_id.hex()
        self.is_error = span.status.code == span.status.STATUS_CODE_ERROR
        self.status = span.status.message
        self.began = span.start_time_unix_nano / 1e9
        self.ended = span.end_time_unix_nano / 1e9
        self.attributes = attributes(span.attributes)
        self.events = list(span.events)
        self.resource = resource
        self.scope = scope

    def __repr__(self):
        return f"{self.name} {self.attributes}"


class Sink:
    """Takes exports over HTTP and keeps them, or lets them hang."""

    def __init__(self):
        self.spans = []
        self.metrics = {}
        self.resource = {}
        self.raw = b""
        self.hangs = threading.Event()
        self.released = threading.Event()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                if sink.hangs.is_set():
                    sink.released.wait(60)
                    return
                sink.take(self.path, body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, body):
        self.raw += body
        if path == "/v1/traces":
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = attributes(group.resource.attributes)
                for scope in group.scope_spans:
                    self.spans += [Span(s, resource, scope.scope.name) for s in scope.spans]
        elif path == "/v1/metrics":
            for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                self.resource = attributes(group.resource.attributes)
                for scope in group.scope_metrics:
                    for metric in scope.metrics:
                        self.metrics[metric.name] = metric
        else:
            raise AssertionError(path)

    def trace(self, trace_id, *names):
        """The spans of one trace by name, once those of these names are there."""

        def probe():
            spans = [s for s in self.spans if s.trace == trace_id]
            return spans if set(names) <= {s.name for s in spans} else None

        found, _ = until(f"spans {names} of {trace_id}: {self.spans[-9:]}", probe, 15)
        return found

    def close(self):
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


class Rotel:
    """Rotel, forwarding to a sink."""

    def __init__(self, sink, scratch):
        found = importlib.util.find_spec("rotel")
        agent = Path(found.origin).parent / "rotel-agent"
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(scratch / "rotel.log", "wb")
        self.process = subprocess.Popen(
            [
                agent,
                "start",
                f"--otlp-http-endpoint=127.0.0.1:{port}",
                f"--otlp-grpc-endpoint=127.0.0.1:{free_port()}",
                "--batch-timeout=100ms",
                "--exporter=otlp",
                "--otlp-exporter-protocol=http",
                "--otlp-exporter-compression=none",
                f"--otlp-exporter-endpoint={sink.url}",
            ],
            env={},
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        until("rotel listens", lambda: is_open(port), 20)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


def is_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def has_rotel():
    return importlib.util.find_spec("rotel") is not None
