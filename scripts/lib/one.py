"""One machine with PostgreSQL, and models that fail in every way."""

import random

from lib.local import local

NAME = "clm1"
# Of every kind but those that say that the key is no good: they end every turn.
FAULTS = (
    "slow-first:1500", "slow-nth:6,900", "cut:4", "fin:5", "stall:5", "stall-comments:4", "err-a:3", "err-b:4",
    "err-d:2", "bad-json:3", "comments-only", "role-only", "reasoning-only", "empty", "no-done:9", "usage-nochoices",
    "no-usage", "refusal", "429:1", "500", "503", "html", "json-error", "crlf", "split-utf8", "bytewise", "hang",
    "slow-headers:1200",
)
# What the program tells its allocator on a small machine (`src/cli/heap.rs`), but for the large pages that it touches.
ALLOCATOR = (
    "glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=223696212:glibc.malloc.mmap_threshold=8388608"
)


class One(local.House):
    """PostgreSQL, the simulator and one machine."""

    def __init__(self, clm, settings=None, touches=False):
        self.touches = touches
        # One machine is asked about whatever asks about all.
        local.MACHINES = (NAME,)
        super().__init__(clm, settings)

    def start_lb(self):
        """There is nothing to choose between."""

    def start(self, name, command, environment=None, user=None):
        """Without memory that is touched at the start, unless that is wanted: what leaks would go there first, unseen."""
        own = {} if self.touches else {"GLIBC_TUNABLES": ALLOCATOR}
        super().start(name, command, own | (environment or {}), user)


def script(calls, share):
    """Names of faults for so many calls."""
    ok = 100 - share * len(FAULTS)
    names = random.choices(("ok", *FAULTS), (ok, *[share] * len(FAULTS)), k=calls)
    return [f"sim/{name}" for name in names]
