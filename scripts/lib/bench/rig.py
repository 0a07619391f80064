"""The load rig, which knows the direct path, and how its findings are read."""

import json
import os
import subprocess
import sys
import tempfile

from lib.bench.service import PORT, Lacking, service

WHAT = {
    "s1": "1 stream, no waits",
    "s3": "64 streams, no waits",
    "s4": "300 starts a second",
}


def rigged(rig, pid, scenarios, scale, *more):
    """What the rig finds of the process that listens: its JSON."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = ["./compare", "--url", f"http://127.0.0.1:{PORT}", "--pid", str(pid), "--name", "served"]
        command += ["--scenarios", scenarios, "--scale", str(scale), "--out", out.name, *more]
        # The rig builds itself in a folder of its own.
        own = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        subprocess.run(command, check=True, cwd=rig, stdout=sys.stderr, env=own)
        found = json.load(open(out.name))
    for run in found["runs"]:
        for side in (run["direct"], run["gateway"]):
            if "failed" in side or side["streams"]["started"] and not side["streams"]["ok"]:
                raise Lacking(f"no stream of {run['scenario']} came whole: {side.get('failed') or side['first_error']}")
    found["cancel"] = found["cancel"] or {}
    return found


def compared(rig, clm, scenarios, scale, options=(), more=None, look=None):
    with service(clm, more) as (process, home):
        found = rigged(rig, process.pid, scenarios, scale, *options)
        if look is not None:
            found["seen"] = look(home)
        return found


def untouched(clm, args, scenarios):
    """A sitting where the allocator touches no memory before there are streams."""
    return compared(args.rig, clm, scenarios, args.scale, more={"GLIBC_TUNABLES": ""})


def ms(us):
    return f"{us / 1000:.2f}" if us >= 10 else f"{us / 1000:.3f}"


def pair(run, of):
    return " / ".join(ms(run[of][q]) for q in ("p50_us", "p99_us"))


def added(direct, through):
    own = (through["path_ttft"][q] - direct["path_ttft"][q] for q in ("p50_us", "p99_us"))
    return " / ".join(ms(max(0.0, us)) for us in own)


def load(scenario):
    return WHAT.get(scenario) or f"{int(scenario.removeprefix('s2-')):,} voice streams"


def over(run, q):
    """Milliseconds that a first token comes later than on the direct path."""
    return max(0.0, run["gateway"]["path_ttft"][q] - run["direct"]["path_ttft"][q]) / 1000


def delay(run, q):
    return run["gateway"]["token_delay"][q] / 1000


def held_kib(found, run):
    """Memory of a stream beyond what there was before any."""
    through = run["gateway"]
    return max(0, through["gateway"]["rss_peak"] - found["rss_idle"]) / 1024 / through["streams"]["peak_in_flight"]


def lost(run):
    return run["gateway"]["streams"]["started"] - run["gateway"]["streams"]["ok"]


def run_of(found, scenario):
    return next(run for run in found["runs"] if run["scenario"] == scenario)


def short(value):
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def some(values, form=short):
    """One or two as they are; of more the middle, the least and the most."""
    values = list(values)
    if len(values) > 2:
        values.sort()
        middle, least, most = (form(values[at]) for at in (len(values) // 2, 0, -1))
        return middle if least == most else f"{middle} ({least} to {most})"
    return ", ".join(map(form, values))


def whole_streams(runs):
    started = sum(run["gateway"]["streams"]["started"] for run in runs)
    return f"{started - sum(map(lost, runs)):,} of {started:,}"
