"""More connections at once, and more turns, than there is room for."""

import asyncio
import collections
import contextlib
import json
import resource
import sys
import time
from pathlib import Path

from lib import report
from lib.house import blocking, pace
from lib.local import ROOT
from lib.strain.callers import NAME, Callers, at
from lib.strain.rig import Rig


async def crowd(port, count):
    """Connects so many within a second, each of which then asks; what came of them. A process of its own."""
    told = collections.Counter()
    times = []
    began = time.perf_counter()

    async def one(number):
        await asyncio.sleep(max(0.0, began + number / count - time.perf_counter()))
        writer = None
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                told["connected"] += 1
                last[0] = time.perf_counter() - began
                if told["connected"] == count:
                    everybody.set()
                # All are there before anybody leaves.
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(everybody.wait(), 5)
                asked = time.perf_counter()
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: clm\r\nConnection: close\r\n\r\n")
                answer = await reader.read()
                times.append(time.perf_counter() - asked)
                told["answered" if answer.startswith(b"HTTP/1.1 200") else "odd"] += 1
        except ConnectionRefusedError:
            told["refused"] += 1
        except ConnectionResetError:
            told["reset"] += 1
        except (OSError, TimeoutError) as error:
            told[type(error).__name__] += 1
        finally:
            if writer is not None:
                writer.close()

    everybody, last = asyncio.Event(), [0.0]
    await asyncio.gather(*(one(number) for number in range(count)))
    print(json.dumps({**told, "last_s": last[0], "slowest_ms": at(times, 100)}))


def overflows():
    """How often the kernel had no room for a connection to be accepted."""
    names, values = [line.split() for line in Path("/proc/net/netstat").read_text().splitlines()[:2]]
    return int(dict(zip(names, values))["ListenOverflows"])


async def connects(result, options):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    count = min(5000, (files - 200) // 2)
    queue = int(Path("/proc/sys/net/core/somaxconn").read_text())
    result.row("files a process may open, net.core.somaxconn", f"{files:,}, {queue:,}")
    with Rig(options) as rig:
        before = overflows()
        asking = [sys.executable, str(ROOT / "scripts" / "strain"), "--as", "crowd", str(rig.ports[NAME]), str(count)]
        told = json.loads(await blocking(report.told, asking))
        refused, reset = told.get("refused", 0), told.get("reset", 0)
        made, answered = told.get("connected", 0), told.get("answered", 0)
        others = count - answered - refused - reset
        result.row("connections asked for, made, within", f"{count:,}, {made:,}, {told['last_s']:.2f} s")
        result.row("refused, reset, anything else", f"{refused}, {reset}, {others}", not refused + reset + others)
        result.row("asked all at once: answered", f"{answered:,}", answered == count)
        result.row("the slowest answer", f"{told['slowest_ms']:.0f} ms")
        result.row("the queue of the kernel was full", f"{overflows() - before} times")
        heard = await Callers(rig).steadily(2)
        whole = sum(h.is_answered for h in heard)
        result.row("turns after it, answered whole", f"{whole} of {len(heard)}", whole == len(heard))


def parted(heard):
    """Those that were shed, by a 503 or by a sentence, and the others."""
    parts = ([], [])
    for turn in heard:
        is_shed = turn.status == 503 or (turn.is_whole and not turn.is_answered)
        parts[not is_shed].append(turn)
    return parts


async def overload(result, options):
    places, speaks = 100, 2.0
    with Rig(options, settings={"MAX_TURNS": str(places), "HEDGING": "false"}) as rig:
        callers = Callers(rig)
        await pace(rig, first_token_ms=20, gap_ms=1)
        await callers.steadily(3, 20)
        words = len((await callers.say("I want a raise.")).words().split())
        await pace(rig, first_token_ms=20, gap_ms=int(speaks * 1000 / (words * 1.3)))
        rate = 3 * places / speaks
        # A shed turn of every other caller is a sentence, of the others a 503.
        heard = await callers.steadily(options.seconds, rate, True)
        shed, began = parted(heard)
        told = sum(h.status == 503 for h in shed)
        cut = sum(not h.is_whole for h in began)
        # What has ended is counted within a tenth of a second.
        await asyncio.sleep(1)
        counted = rig.metric("clm_turns_total{", 'outcome="shed"')
        result.row("places, turns asked for a second, for", f"{places}, {rate:.0f}, {options.seconds} s")
        # Nearly as many as the places allow.
        enough = 0.8 * places * options.seconds / speaks
        result.row("turns that ran, cut", f"{len(began):,}, {cut}", len(began) >= enough and not cut)
        result.row("turns shed: by a 503, by a sentence", f"{told:,}, {len(shed) - told:,}", 0 < told < len(shed))
        result.row("shed, as clm counts them", f"{counted:,.0f}", counted == len(shed))
        half, most = (at((h.ended for h in shed), percent) for percent in (50, 99))
        result.row("from a request to the end of its shed answer, p50, p99", f"{half:.1f}, {most:.1f} ms", most <= 20)
        result.row("callers began later than planned, p99", f"{at((h.late for h in heard), 99):.1f} ms")
