"""The service and its peers in the same rig, in turns."""

import contextlib
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.bench.peers import PEERS
from lib.bench.rig import compared, delay, held_kib, over, rigged, run_of, short, untouched, whole_streams
from lib.bench.service import PATIENCE, PORT, Lacking, running, wait

PEERS_HEAD = (
    "| | 10 streams: first token, p50 / p99 ms | 500: first token | 500: token delay | 500: µs a token |"
    " 500: KiB a stream | 1,000: first token | 1,000: tokens a second | 1,000: streams whole |"
    " no waits: tokens a processor second | a caller's drop reaches upstream |"
)
# Columns of the head above.
SHORT = (0, 2, 3, 4, 7, 8, 10)
PEERS_LOADS = "s2-10,s2-500,s2-1000,s3"
# On 22 November 2026, in the same rig on a machine of the same kind: what is told of those that are not measured anew.
BEFORE = {
    "haproxy": "| HAProxy 2.6.12 | 0.14–0.16 / 0.21–0.52 | 0.12 / 0.42–0.47 | 0.08 / 0.21–0.23 | 29 | 5–6 |"
    " 0.05–0.57 / 0.98–25.7 | 46,687–46,839 | all | 184,000–206,000 | 64 ms |",
    "nginx": "| nginx 1.22.1 | 0.13–0.14 / 0.33–0.50 | 0.11–0.12 / 0.29–7.36 | 0.07 / 0.16 | 27 | 22 |"
    " 0.17–0.40 / 12.6–30.2 | 46,674–46,822 | all | 175,000–176,000 | 44 ms |",
    "tensorzero": "| TensorZero 2026.4.1 | 42.9 / 45.1 | 68.5 / 197 | 81.3 / 441 | 48.4 | 291 |"
    " 189 / 588 | 19,806 | all | 46,228 | never |",
    "tensorzero, TCP_NODELAY": "| TensorZero, TCP_NODELAY forced | 0.99 / 1.23 | 70.6 / 208 | 120 / 602 | 52.6 | 288 |"
    " 146 / 558 | 19,381 | all | 29,560 | never |",
    "node": "| Node 20.20 and openai 6.49 | 1.39 / 2.05 | 147 / 308 | 28.0 / 150 | 58.7 | 101 |"
    " 173 / 316 | 17,111 | all | 48,257 | never |",
    "next": "| Next.js 16.4.6 and openai 6.49 | 3.37 / 8.73 | 224 / 619 | 48.3 / 282 | 107 | 238 |"
    " 239 / 9,521 | 9,568 | 1,329 of 1,447 | 21,082 | 63 ms |",
    "fastapi": "| FastAPI 0.165 and openai 3.54 | 3.75 / 5.55 | 1,342 / 3,049 | 317 / 847 | 281 | 40 |"
    " 1,904 / 5,842 | 2,514 | all | 4,707 | 44 ms |",
    "portkey": "| Portkey 1.15.2 | 2.26 / 6.60 | 271 / 597 | 42.3 / 253 | 95.8 | 114 |"
    " 223 / 8,956 | 10,584 | 1,490 of 1,607 | 43,764 | never |",
    "litellm": "| LiteLLM 1.106.2 | 19.2 / 43.8 | 2,963 / 5,381 | 473 / 1,869 | 947 | 101 |"
    " 3,405 / 5,372 | 1,198 | all | 1,618 | 38 ms |",
}


def listens():
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", PORT), 1).close()
        return True
    return False


def all_files():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def beside(peer, args):
    """A peer's name, and a sitting of it in the rig."""
    with tempfile.TemporaryDirectory() as home, contextlib.ExitStack() as stack:
        name, command, told_rig, more = peer(Path(home))
        env = {"PATH": os.environ["PATH"], "HOME": home} | more
        log = stack.enter_context(open(Path(home) / "log", "wb"))
        process = stack.enter_context(running(command, env=env, stderr=log, cwd=home, preexec_fn=all_files))
        wait(name, listens, process, PATIENCE)
        return name, rigged(args.rig, process.pid, PEERS_LOADS, args.scale, *told_rig)


def span(values, form=short):
    values = [form(value) for value in sorted(values)]
    return values[0] if values[0] == values[-1] else f"{values[0]}–{values[-1]}"


def peer_row(name, sittings, kib):
    def runs(key):
        return [run_of(found, key) for found in sittings]

    def both(key, read):
        # In a short window of a slow one no stream may have begun.
        begun = [run for run in runs(key) if run["gateway"]["streams"]["started"]]
        return " / ".join(span(read(run, q) for run in begun) for q in ("p50_us", "p99_us")) if begun else "–"

    busy = [run["gateway"]["gateway"]["cpu_us_per_token"] for run in runs("s2-500")]
    spoken = [run["gateway"]["tokens_per_s"] for run in runs("s2-1000")]
    quick = [run["gateway"]["gateway"]["tokens_per_cpu_s"] for run in runs("s3")]
    dropped = [found["cancel"]["after_ms"] for found in sittings if found["cancel"].get("passed_on")]
    cells = [
        name,
        both("s2-10", over),
        both("s2-500", over),
        both("s2-500", delay),
        span(busy),
        span(kib, "{:.0f}".format),
        both("s2-1000", over),
        span(spoken, "{:,.0f}".format),
        whole_streams(runs("s2-1000")),
        span(quick, "{:,.0f}".format),
        f"{span(dropped, '{:.0f}'.format)} ms" if dropped else "never",
    ]
    return "| " + " | ".join(cells) + " |"


def peers(clm, args):
    ours, kib = [], []
    sat, missing = {peer: [] for peer in PEERS}, set()
    for _ in range(args.sittings):
        ours.append(compared(args.rig, clm, PEERS_LOADS, args.scale))
        bare = untouched(clm, args, "s2-500")
        kib.append(held_kib(bare, run_of(bare, "s2-500")))
        for peer in PEERS:
            if peer in missing:
                continue
            try:
                sat[peer].append(beside(peer, args))
            except (Lacking, OSError, subprocess.CalledProcessError) as why:
                missing.add(peer)
                print(f"bench: {peer.__name__} is not measured: {why}", file=sys.stderr)
    rows = [PEERS_HEAD, "|---" * (PEERS_HEAD.count("|") - 1) + "|", peer_row("**clm**", ours, kib)]
    for peer in PEERS:
        if peer not in missing:
            names, sittings = zip(*sat[peer])
            rows.append(peer_row(names[0], sittings, [held_kib(found, run_of(found, "s2-500")) for found in sittings]))
    again = {peer.__name__ for peer in PEERS if peer not in missing}
    rows.append("| **measured on 22 November, not again:** |" + " |" * (PEERS_HEAD.count("|") - 2))
    rows += [row for name, row in BEFORE.items() if name not in again]
    return {"peers": rows, "peers in short": in_short(rows)}


def in_short(rows):
    """What the README tells of it: 500 streams, whether 1,000 come whole and as fast as they are spoken, and hang-ups."""
    cells = ([cell.strip() for cell in row.strip("|").split("|")] for row in rows)
    return ["| " + " | ".join(each[column] for column in SHORT) + " |" for each in cells]
