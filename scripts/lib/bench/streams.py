"""Voice streams beside the direct path: what they take, and what is wanted of it."""

import json
import os
import tempfile
from typing import NamedTuple

from lib.bench.rig import added, compared, delay, held_kib, load, lost, over, run_of, some, untouched, whole_streams

HISTORIES = (1, 50, 100, 200, 400)
HELD = "s2-10,s2-100,s2-500,s2-1000"
SCENARIOS = f"s1,{HELD},s4,s3"


def sittings_table(sittings):
    """A line a load, over all sittings."""
    rows = [
        "| load | added first token, p50, ms | p99 | token delay, p50, ms | p99 | (direct, p50) | (p99) |"
        " processor, µs a token | tokens a processor second | KiB a stream | streams whole |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for first in sittings[0]["runs"]:
        key = first["scenario"]
        runs = [run_of(found, key) for found in sittings]
        direct = [run["direct"]["token_delay"] for run in runs]
        cells = [load(key)]
        # Without waits, 64 streams wait for one another and for the rig.
        for read in (over, delay):
            cells += ["–" if key == "s3" else some(read(run, q) for run in runs) for q in ("p50_us", "p99_us")]
        cells += ["–" if key == "s3" else some(each[q] / 1000 for each in direct) for q in ("p50_us", "p99_us")]
        cells += [
            some(run["gateway"]["gateway"]["cpu_us_per_token"] for run in runs),
            some((run["gateway"]["gateway"]["tokens_per_cpu_s"] for run in runs), "{:,.0f}".format),
            "–" if key in ("s1", "s3") else some(held_kib(found, run_of(found, key)) for found in sittings),
            whole_streams(runs),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return rows


class Wanted(NamedTuple):
    """A number to hold: how it is said, its bound, and how it is read from a sitting."""

    what: str
    bound: float
    read: object
    form: str = "{:.3g}"
    at_least: bool = False

    def holds(self, value):
        return value >= self.bound if self.at_least else value <= self.bound

    def row(self, sittings):
        values = [self.read(found) for found in sittings]
        held = [value is not None and self.holds(value) for value in values]
        shown = ["not at all" if value is None else self.form.format(value) for value in values]
        reached = ", ".join(text if is_held else f"**{text}**" for text, is_held in zip(shown, held))
        sign = "≥" if self.at_least else "≤"
        return f"| {self.what} | {sign} {self.bound:,} | {reached} | {sum(held)} of {len(held)} |"


WANTED = [
    Wanted("10 streams, added first token, p50 ms", 0.30, lambda found: over(run_of(found, "s2-10"), "p50_us")),
    Wanted("the same, p99 ms", 0.60, lambda found: over(run_of(found, "s2-10"), "p99_us")),
    Wanted("500 streams, added first token, p50 ms", 0.30, lambda found: over(run_of(found, "s2-500"), "p50_us")),
    Wanted("the same, p99 ms", 1.0, lambda found: over(run_of(found, "s2-500"), "p99_us")),
    Wanted("500 streams, token delay, p50 ms", 0.10, lambda found: delay(run_of(found, "s2-500"), "p50_us")),
    Wanted("the same, p99 ms", 0.40, lambda found: delay(run_of(found, "s2-500"), "p99_us")),
    Wanted("1,000 streams, those not whole", 0, lambda found: lost(run_of(found, "s2-1000"))),
    Wanted("1,000 streams, added first token, p99 ms", 10, lambda found: over(run_of(found, "s2-1000"), "p99_us")),
    Wanted("1,000 streams, token delay, p99 ms", 10, lambda found: delay(run_of(found, "s2-1000"), "p99_us")),
    Wanted(
        "500 streams, processor, µs a token",
        35,
        lambda found: run_of(found, "s2-500")["gateway"]["gateway"]["cpu_us_per_token"],
    ),
    Wanted(
        "64 streams without waits, tokens a processor second",
        100_000,
        lambda found: run_of(found, "s3")["gateway"]["gateway"]["tokens_per_cpu_s"],
        "{:,.0f}",
        at_least=True,
    ),
    Wanted(
        "500 streams, KiB a stream, in memory touched before",
        32,
        lambda found: held_kib(found, run_of(found, "s2-500")),
        "{:.1f}",
    ),
    Wanted("a caller's drop in mid-stream reaches upstream, ms", 10, lambda found: found["cancel"].get("after_ms")),
]


def whole(clm, args):
    sittings = [compared(args.rig, clm, SCENARIOS, args.scale) for _ in range(args.sittings)]
    wanted = ["| what | wanted | reached | in |", "|---|---|---|---|", *(each.row(sittings) for each in WANTED)]
    return {"whole": sittings_table(sittings), "wanted": wanted}


def normal(clm, args):
    usual = ["--rt", "no"]
    return sittings_table([compared(args.rig, clm, HELD, args.scale, usual) for _ in range(args.sittings)])


def memory(clm, args):
    sittings = [untouched(clm, args, "s2-100,s2-500") for _ in range(args.sittings)]
    rows = ["| load | MiB before | KiB a stream | streams whole |", "|---|---|---|---|"]
    for key in ("s2-100", "s2-500"):
        rows.append(
            f"| {load(key)} | {some(found['rss_idle'] / 1024 / 1024 for found in sittings)} |"
            f" {some(held_kib(found, run_of(found, key)) for found in sittings)} |"
            f" {whole_streams([run_of(found, key) for found in sittings])} |"
        )
    return rows


def talk(rig, turns):
    """The rig's request with so many turns of both sides before its last line."""
    body = json.load(open(rig / "bodies" / "hume.json"))
    line = body["messages"][-1]
    answer = {"role": "assistant", "content": "What would it take to say the first sentence of it out loud?"}
    body["messages"] = [line, answer] * (turns - 1) + [line]
    return body


def history(clm, args):
    rows = ["| turns in the request | KB | added first token, p50 / p99 ms |", "|---|---|---|"]
    for turns in HISTORIES:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(talk(args.rig, turns), file)
            file.flush()
            kilobytes = os.path.getsize(file.name) / 1000
            run = compared(args.rig, clm, "s2-10", args.scale, ["--body", file.name])["runs"][0]
        rows.append(f"| {turns} | {kilobytes:,.0f} | {added(run['direct'], run['gateway'])} |")
    return rows
