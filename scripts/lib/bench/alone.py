"""What needs no rig: a start, and what cargo's own benchmarks tell."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.bench.service import PORT, Lacking, ready, running, settings, wait
from lib.local import ROOT

STARTS = 21


def start(clm, _):
    times = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as home:
            began = time.monotonic()
            with running([str(clm), "serve"], env=settings(home), stderr=subprocess.DEVNULL, cwd=home) as process:
                wait("the service", lambda: ready(PORT), process)
                times.append((time.monotonic() - began) * 1000)
    times.sort()
    size = clm.stat().st_size / 1024 / 1024
    return [
        "| | |",
        "|---|---|",
        f"| from start to ready, {STARTS} starts on an empty folder, median (least to most) |"
        f" {times[STARTS // 2]:.0f} ms ({times[0]:.0f} to {times[-1]:.0f}) |",
        f"| binary, stripped | {size:.1f} MiB |",
    ]


def parts(_, __):
    """Criterion's medians of the parts."""
    began = time.time()
    subprocess.run(["cargo", "bench", "--locked", "--bench", "turn", "--bench", "speech"], check=True, cwd=ROOT)
    folder = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "criterion"
    rows = ["| part | case | median | of which each |", "|---|---|---|---|"]
    for told_of in sorted(folder.glob("**/new/benchmark.json"), key=lambda path: path.stat().st_mtime):
        if told_of.stat().st_mtime < began:
            continue
        bench = json.loads(told_of.read_text())
        ns = json.loads((told_of.parent / "estimates.json").read_text())["median"]["point_estimate"]
        case = ", ".join(part for part in (bench["function_id"], bench["value_str"]) if part)
        many = (bench["throughput"] or {}).get("Elements")
        each = f"{ns / many:,.0f} ns, of {many}" if many else ""
        rows.append(f"| `{bench['group_id']}` | {case} | {ns / 1000:,.2f} µs | {each} |")
    return rows


def printed(bench, **more):
    """What a benchmark prints, line by line; it is seen as it comes."""
    command = ["cargo", "bench", "--locked", "--bench", bench]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | more, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", file=sys.stderr, flush=True)
            lines.append(line.rstrip())
    if process.returncode != 0:
        raise Lacking(f"cargo bench of {bench} ended with {process.returncode}")
    return lines


def crowd_rows(lines):
    """Its table, and below it how many of each kind were held and turns open when a window ended."""
    table = [line for line in lines if line.startswith("|")]
    held = [line for line in lines if ", held and turns open: " in line]
    if not table or not held:
        raise Lacking("cargo bench of crowd printed no table")
    return [*table, "", *(f"- {line}" for line in held)]


def crowd(_, args):
    return crowd_rows(printed("crowd", CLM_BENCH_ROUNDS=str(args.rounds)))


def records_rows(lines):
    """How long it took to make the turns, the table of times, and how PostgreSQL plans the lists."""
    text = "\n".join(lines)
    loaded = re.search(r"^(\d+) turns over (\d+) days loaded in (\S+)$", text, re.M)
    made = re.search(r"^(\d+) summaries made in (\S+)$", text, re.M)
    table = [line for line in lines if line.startswith("|")]
    plans = text[text.find("\nwhere ") + 1 :].strip("\n")
    if not loaded or not made or not table or not plans.startswith("where "):
        raise Lacking("cargo bench of records printed no table or no plans")

    def seconds(duration):
        return re.sub(r"^([\d.]+)", lambda number: f"{float(number[1]):.0f} ", duration)

    return [
        f"{int(loaded[1]):,} turns over {loaded[2]} days, loaded in {seconds(loaded[3])};"
        f" {int(made[1]):,} summaries of hours and days, made in {seconds(made[2])}.",
        "",
        *table,
        "",
        "```",
        *plans.split("\n"),
        "```",
    ]


def records(_, args):
    return records_rows(printed("records", CLM_BENCH_TURNS=str(args.turns)))
