"""What a first word takes, without some trouble and with it, in turns."""

import statistics

from lib.house import pace
from lib.strain.callers import QUICK, Callers, at

# The noise that is always allowed for, milliseconds; where windows without any trouble differ more, that, but no more
# than the second.
NOISE_MS, MOST_NOISE_MS = 1.0, 2.0
# What a turn waits for Redis at most, and a little less.
LATE_MS = 8


async def in_pairs(result, options, rig, trouble, promise, begin, end, least=0):
    """What a first word takes without and with it, in windows of so many seconds at least; `promise`: how many
    milliseconds later 99 of 100 may be."""
    callers, seconds = Callers(rig), max(options.seconds, least)
    await pace(rig, **QUICK)
    # The first find nothing warm.
    await callers.steadily(5)
    windows = {False: [], True: []}
    for _ in range(options.pairs):
        windows[False].append(await callers.steadily(seconds))
        try:
            await begin()
            windows[True].append(await callers.steadily(seconds))
        finally:
            await end()
        # What went on with its end is over.
        await callers.steadily(2)

    def of(is_with, percent):
        return [at((heard.first for heard in window), percent) for window in windows[is_with]]

    def both(percent):
        return ", ".join(f"{statistics.median(of(is_with, percent)):.1f}" for is_with in (False, True)) + " ms"

    heard = [heard for each in windows.values() for window in each for heard in window]
    silent = sum(not h.is_answered for h in heard)
    result.row(f"{trouble}: turns, and those not answered whole", f"{len(heard):,}, {silent}", not silent)
    result.row(f"{trouble}: first word p50, without and with it", both(50))
    result.row(f"{trouble}: first word p99, without and with it", both(99))
    usual = statistics.median(of(False, 50))
    late = [sum((h.first or 0) * 1000 > usual + LATE_MS for w in windows[kind] for h in w) for kind in (False, True)]
    result.row(f"{trouble}: first words {LATE_MS} ms late or more, without and with it", ", ".join(map(str, late)))
    # How much windows without any trouble differ from the middle one, half of them at least.
    middle = statistics.median(of(False, 99))
    noise = statistics.median(abs(ms - middle) for ms in of(False, 99))
    noise = min(max(noise, NOISE_MS), MOST_NOISE_MS)
    more = [with_it - without for without, with_it in zip(of(False, 99), of(True, 99))]
    added, told = statistics.median(more), ", ".join(f"{ms:+.1f}" for ms in more)
    result.row(
        f"{trouble}: p99 is later by (promised: {promise:g} ms; allowed besides for noise: {noise:.1f} ms; each pair)",
        f"{added:+.1f} ms ({told})", added <= promise + noise,
    )
