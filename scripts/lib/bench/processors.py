"""What a turn costs with one worker and with two, in instructions."""

import concurrent.futures
import http.client
import json
import re
import tempfile
import time
from pathlib import Path

from lib.bench.service import PORT, TOKEN, ZEP_PORT, service


def said(at_once, each):
    """So many callers, each saying so many turns to their end."""
    body = json.dumps({"stream": True, "messages": [{"role": "user", "content": "How do I ask for a raise?"}]})

    def talk(number):
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        for n in range(each):
            head = {"Authorization": f"Bearer {TOKEN}", "x-clm-session": f"counted-{number}-{n}"}
            connection.request("POST", "/v1/chat/completions", body, head | {"Content-Type": "application/json"})
            if b"[DONE]" not in connection.getresponse().read():
                raise RuntimeError("a turn did not come whole")
        connection.close()

    # What goes wrong in one of them is raised here.
    with concurrent.futures.ThreadPoolExecutor(at_once) as callers:
        list(callers.map(talk, range(at_once)))


def instructions(clm, workers, at_once, each):
    """What all threads execute from start to end, with so many turns in between."""
    with tempfile.TemporaryDirectory() as counts:
        models = f"http://127.0.0.1:{ZEP_PORT}/api/v1"
        # With tunables of the allocator it does not start itself anew, which callgrind would not follow.
        more = {"OPENROUTER_BASE_URL": models, "WORKERS": str(workers), "PRACTICE": "false", "GLIBC_TUNABLES": ""}
        callgrind = ["valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={counts}/out"]
        with service(clm, more, callgrind):
            said(at_once, each)
            # Rows, and what is told of them.
            time.sleep(2)
        written = [re.search(r"^totals: (\d+)", path.read_text(), re.M) for path in Path(counts).iterdir()]
        return sum(int(total[1]) for total in written if total)


def processors(clm, _):
    rows = ["| workers | callers at once | turns | instructions a turn |", "|---|---|---|---|"]
    few, many = 4, 24
    for workers, at_once in [(1, 4), (2, 8)]:
        more = instructions(clm, workers, at_once, many) - instructions(clm, workers, at_once, few)
        turns = (many - few) * at_once
        rows.append(f"| {workers} | {at_once} | {turns} | {more / turns / 1e6:.2f} million |")
    return rows
