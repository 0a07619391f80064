"""Redis, PostgreSQL, the spool's disk, and who reads standard output."""

import asyncio
import os
import signal
import threading
import time

from lib.house import blocking, tell_postgres
from lib.strain.callers import NAME, Callers
from lib.strain.pairs import in_pairs
from lib.strain.rig import Rig, needs_root, until

# Five turns wait for a Redis that hangs before it is left alone: so many seconds of turns, or they are the p99.
TELLING = 20


async def redis(result, options):
    def is_well():
        return rig.readiness()["redis"]["status"] == "ok"

    def redis_pid():
        return rig.running["redis"].pid

    async def well_again():
        # It is left alone for a minute after five failures.
        await until("Redis is asked again", is_well)

    async def hang():
        os.kill(redis_pid(), signal.SIGSTOP)

    async def wake():
        os.kill(redis_pid(), signal.SIGCONT)
        await well_again()

    # A call that comes while it is stopped takes up to 8 ms: less than a turn waits, or it would soon be left alone.
    slow = threading.Event()

    def slowly(pid):
        while slow.is_set():
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.008)
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.004)

    async def slow_down():
        slow.set()
        threading.Thread(target=slowly, args=(redis_pid(),), daemon=True).start()

    async def speed_up():
        slow.clear()
        await asyncio.sleep(0.1)
        await well_again()

    async def lose():
        await blocking(rig.end, "redis", signal.SIGKILL)

    async def find():
        await blocking(rig.start_again, "redis")
        await well_again()

    with Rig(options, ("redis",)) as rig:
        await well_again()
        await in_pairs(result, options, rig, "it hangs", 2, hang, wake, TELLING)
        await in_pairs(result, options, rig, "it is gone", 2, lose, find, TELLING)
        # Where another machine answers a request is waited for by each turn, ten milliseconds at most.
        await in_pairs(result, options, rig, "it takes up to 8 ms", 10, slow_down, speed_up)


async def postgres(result, options):
    def is_shipped():
        told = rig.readiness()
        return not told["spool"]["rows"] and told["store"]["status"] == "ok"

    async def hang():
        await blocking(tell_postgres, rig, signal.SIGSTOP)

    async def wake():
        await blocking(tell_postgres, rig, signal.SIGCONT)
        await until("every row is in the database", is_shipped)

    async def lose():
        await blocking(rig.end, "postgres", signal.SIGINT)

    async def find():
        await blocking(rig.start_again, "postgres")
        await until("every row is in the database", is_shipped)

    with Rig(options, ("postgres",)) as rig:
        await in_pairs(result, options, rig, "it hangs", 1, hang, wake)
        await in_pairs(result, options, rig, "it is gone", 1, lose, find)
        lost = await blocking(rig.metric, "clm_spool_dropped_total")
        result.row("rows lost by it", f"{lost:.0f}", not lost)


# A disk of its own for the spool, of one mebibyte; what fills it; what forbids writing.
DISK = """
mkdir -p "$DATA_DIR/spool"
mount -t tmpfs -o size=1m strain "$DATA_DIR/spool"
"""
FULL = 'dd if=/dev/zero of="$DATA_DIR/spool/filler" bs=4096 2>/dev/null || true\n'
READ_ONLY = 'mount -o remount,ro "$DATA_DIR/spool"\n'


async def spool(result, options):
    needs_root()
    lost, codes = [], []

    async def again(before):
        codes.append(await blocking(rig.end, NAME))
        rig.before = before
        await blocking(rig.start_clm)
        await Callers(rig).steadily(5)

    def is_degraded():
        return rig.readiness()["spool"]["status"] == "degraded"

    # It is so from the start: what clm has of a disk that fills later it uses again and again, as long as the
    # database takes its rows.
    async def fill():
        await again(DISK + FULL)
        await until("the spool is degraded", is_degraded, 20)

    async def forbid():
        await again(DISK + READ_ONLY)
        await until("the spool is degraded", is_degraded, 20)

    async def mend():
        if not is_degraded():
            raise RuntimeError("the spool was well before its disk was")
        lost.append(await blocking(rig.metric, "clm_spool_dropped_total"))
        await again(DISK)

    with Rig(options, ("postgres",), before=DISK) as rig:
        await in_pairs(result, options, rig, "its disk is full", 1, fill, mend)
        await in_pairs(result, options, rig, "its disk takes no writing", 1, forbid, mend)
        result.row("rows lost by it", f"{sum(lost):.0f}", not sum(lost))
        result.row("exit codes of its servers", ", ".join(map(str, sorted(set(codes)))), not any(codes))


async def output(result, options):
    # Everything is logged, by libraries too: a pipe and a queue are soon full.
    with Rig(options, settings={"RUST_LOG": "trace"}, is_piped=True) as rig:
        lost = [0.0]

        def dropped():
            return rig.metric("clm_log_dropped_total")

        async def fall_deaf():
            rig.reader.reads.clear()
            before = await blocking(dropped)
            for _ in range(60):
                await Callers(rig).steadily(2)
                if await blocking(dropped) > before:
                    return
            raise RuntimeError("the log is never full")

        async def listen():
            lost.append(await blocking(dropped))
            rig.reader.reads.set()
            await asyncio.sleep(2)

        await in_pairs(result, options, rig, "nobody reads", 1, fall_deaf, listen)
        result.row("log lines dropped and counted", f"{max(lost):,.0f}", max(lost) > 0)
