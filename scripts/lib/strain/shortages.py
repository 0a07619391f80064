"""Too little memory, too little of a processor, and a clock that jumps."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lib.house import blocking, calls, pace
from lib.local import local
from lib.strain.callers import NAME, QUICK, RATE, Callers, at
from lib.strain.crowds import parted
from lib.strain.rig import Group, LeftOut, Rig

# Somebody else in the group, who holds so many bytes.
BALLAST = "import sys, time; held = b'x' * int(sys.argv[1]); print(len(held), flush=True); time.sleep(3600)"


async def memory(result, options):
    limit, mib = 128 << 20, 1 << 20
    with Group("memory") as group, contextlib.ExitStack() as stack:
        # Without memory that is touched at the start: streams would lie in it, and nothing would fill.
        settings = {
            "GLIBC_TUNABLES": "", "MAX_TURNS": "100000", "HEDGING": "false",
            # A model that takes its time is not taken for stalled.
            "SPEECH_WPM": "60", "IDLE_DEADLINE_MS": "60000",
        }
        rig = stack.enter_context(Rig(options, settings=settings, before=f"echo $$ > {group.path}/cgroup.procs"))
        callers = Callers(rig)

        def used():
            stat = dict(line.split() for line in group.get("memory.stat").splitlines())
            cache = int(stat["inactive_file"]) + int(stat["active_file"])
            return int(group.get("memory.usage_in_bytes")) - cache

        def share():
            return f"{used() / mib:.1f} MiB ({100 * used() / limit:.0f} %)"

        await pace(rig, **QUICK)
        await callers.steadily(5, 20)
        if str(rig.running[NAME].pid) not in group.get("cgroup.procs").split():
            raise RuntimeError("clm is not in its group")
        group.set("memory.limit_in_bytes", limit)
        own = used()
        ballast = subprocess.Popen(
            ["sh", "-ec", f'echo $$ > {group.path}/cgroup.procs\nexec "$@"', "sh", sys.executable, "-c", BALLAST,
             str(limit * 78 // 100 - own - 6 * mib)],
            stdout=subprocess.PIPE, preexec_fn=local.ends_with_us,
        )

        def end_ballast():
            ballast.kill()
            ballast.wait()
            ballast.stdout.close()

        stack.callback(end_ballast)
        await blocking(ballast.stdout.readline)
        result.row("the group's limit, clm's part of it at rest", f"{limit / mib:.0f}, {own / mib:.1f} MiB")
        result.row("used before", share(), used() < 0.85 * limit)
        # Each of them is open for half a minute, and more come than there is room for.
        await pace(rig, first_token_ms=20, gap_ms=500)
        heard = await callers.steadily(20, RATE, True)
        shed, ran = parted(heard)
        cut = sum(not h.is_whole for h in ran)
        most = int(group.get("memory.max_usage_in_bytes"))
        kills = int(dict(line.split() for line in group.get("memory.oom_control").splitlines())["oom_kill"])
        result.row("turns that ran, cut", f"{len(ran):,}, {cut}", len(ran) >= len(heard) // 10 and not cut)
        result.row("turns shed", f"{len(shed):,}", bool(shed))
        told = f"{100 * most / limit:.0f} %, {kills}"
        result.row("filled at most, with what is kept of files; killed by the kernel", told, not kills and rig.is_there())
        result.row("used once all have left", share())
        end_ballast()
        await asyncio.sleep(2)
        await pace(rig, **QUICK)
        after = await callers.steadily(2)
        answered = sum(h.is_answered for h in after)
        result.row("with room again: turns answered", f"{answered} of {len(after)}", answered == len(after))


async def clock(result, options):
    libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not libraries:
        raise LeftOut("libfaketime is not there (Debian, Ubuntu: faketime)")
    with tempfile.TemporaryDirectory(prefix="clm-strain-") as folder:
        hand = Path(folder) / "hand"

        def put(hours):
            # Never half written.
            new = hand.with_suffix(".new")
            new.write_text(f"{hours:+d}h\n" if hours else "+0\n")
            new.rename(hand)

        put(0)
        settings = {
            "LD_PRELOAD": str(libraries[0]), "FAKETIME_TIMESTAMP_FILE": str(hand), "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "HEDGING": "false", "LEAD_INS": "false",
            # A stall of the machine is no jump of an hour.
            "FIRST_TOKEN_DEADLINE_MS": "20000", "FALLBACK_FIRST_TOKEN_DEADLINE_MS": "20000",
            "SPOKEN_FALLBACK_MS": "40000", "SPEECH_WPM": "60", "IDLE_DEADLINE_MS": "60000",
        }
        with Rig(options, settings=settings) as rig:
            callers = Callers(rig)
            await pace(rig, **QUICK)
            await callers.steadily(3, 10)
            put(1)
            # The Date is made anew twice a second.
            await asyncio.sleep(1)
            seen = (await callers.say("What time is it?")).wall - time.time()
            put(0)
            if abs(seen - 3600) > 60:
                raise LeftOut(f"clm does not heed libfaketime: told an hour more, it saw {seen:.0f} s")
            # Each is open over two jumps.
            await pace(rig, first_token_ms=300, gap_ms=100)
            still = await callers.steadily(10, 20)
            await blocking(local.get, rig.url("simulator") + "/__reset", None, b"")
            jumps = (1, 0, -1, 0, 1, -1, 1, 0)

            async def jump():
                for hours in jumps:
                    await asyncio.sleep(2.5)
                    put(hours)

            heard, _ = await asyncio.gather(callers.steadily(2.5 * (len(jumps) + 1), 20), jump())
            # Records of turns, and what is told of them.
            await asyncio.sleep(3)
            asked, since = calls(rig), time.time() - time.perf_counter()
            hours = sorted({round((h.wall - since - h.began) / 3600) for h in heard})
            wrong = ", ".join(map(str, hours))
            result.row("jumps; clm's clock was wrong by hours", f"{len(jumps)}; {wrong}", hours == [-1, 0, 1])
            result.row("turns, each open for", f"{len(heard)}, {at((h.ended for h in heard), 50) / 1000:.1f} s")
            cut = sum(not h.is_answered for h in heard)
            result.row("cut, or not answered", cut, not cut)
            gone = sum(call["end"] == "aborted" for call in asked)
            result.row("calls to models, those given up", f"{len(asked)}, {gone}", len(asked) == len(heard) and not gone)
            ended = rig.metric("clm_turns_total{", 'outcome="complete"'), rig.metric("clm_turns_total{")
            result.row("turns that clm counts, complete", f"{ended[1]:.0f}, {ended[0]:.0f}", ended[0] == ended[1])
            for what, each in (("without", still), ("with", heard)):
                told = f"{at((h.first for h in each), 50):.0f}, {at((h.first for h in each), 99):.0f} ms"
                result.row(f"first word {what} jumps (the model's 300 ms), p50, p99", told)
            told = rig.metric("clm_alerts_total", is_sure=False)
            result.row("alerts told", f"{told:.0f}", not told)


# Turns a second that a tenth of a processor does not carry.
MOST_STARVED = 500


async def processor(result, options):
    with Group("cpu") as group:
        with Rig(options) as rig:
            callers = Callers(rig)
            await pace(rig, **QUICK)
            await callers.steadily(3, 10)

            def waited():
                return int(dict(line.split() for line in group.get("cpu.stat").splitlines())["nr_throttled"])

            group.set("cpu.cfs_period_us", 100_000)
            group.set("cpu.cfs_quota_us", 10_000)
            group.set("cgroup.procs", rig.running[NAME].pid)
            # As many turns as make it wait for a processor, and no more: what is too much for it only gets longer.
            rate = 20
            while rate < MOST_STARVED:
                before = waited()
                await callers.steadily(2, rate)
                # In half of the twenty moments that its share is dealt out in.
                if waited() - before >= 10:
                    break
                rate *= 1.25
            before = waited()
            heard = await callers.steadily(options.seconds, rate)
            while_quick, before = waited() - before, waited()
            whole = sum(h.is_answered for h in heard)
            share = int(group.get("cpu.cfs_quota_us")) / int(group.get("cpu.cfs_period_us"))
            result.row("of a processor; turns a second", f"{share:.2f}, {rate:.0f}")
            result.row("turns of a quick model, answered whole", f"{len(heard)}, {whole}", whole == len(heard))
            told = f"{at((h.first for h in heard), 50):.0f}, {at((h.first for h in heard), 99):.0f} ms"
            result.row("their first word, p50, p99", told)
            # Silent for longer than anybody waits. A sentence of ours takes less than an answer: so more of them.
            await pace(rig, first_token_ms=120_000)
            heard = await callers.steadily(options.seconds, rate * 2.5)
            while_silent = waited() - before
            whole = sum(h.is_whole for h in heard)
            latest = at((h.ended for h in heard), 100)
            result.row("turns of a silent model, ended properly", f"{len(heard)}, {whole}", whole == len(heard))
            result.row("their line was said to its end after, the latest", f"{latest / 1000:.2f} s", latest <= 6000)
            told = f"{while_quick}, {while_silent}"
            result.row("times it had to wait for a processor, in the one and in the other", told, while_quick and while_silent)
