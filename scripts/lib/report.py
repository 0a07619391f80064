"""What was found, as a table; what it was found of; and its place in a document."""

import os
import platform
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from lib.local import ROOT


@dataclass
class Result:
    name: str
    rows: list = field(default_factory=list)
    broken: list = field(default_factory=list)

    def row(self, what, value, is_well=True):
        """A line of the table; what is not well is a failure."""
        self.rows.append((what, value))
        print(f"  {what}: {value}{'' if is_well else '   <-- not so'}", flush=True)
        if not is_well:
            self.broken.append(f"{self.name}: {what}: {value}")


def told(command, **rest):
    return subprocess.run(command, capture_output=True, text=True, check=True, **rest).stdout.strip()


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def ran():
    """What ran. A given program cannot tell what it was built from."""
    if "CLM_BIN" not in os.environ:
        known = told(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT)
        parts = ("src", "sql", "profile", ".cargo", "Cargo.toml", "Cargo.lock")
        is_changed = told(["git", "status", "--porcelain", *parts], cwd=ROOT)
        return f"commit `{known}`" + (" with changes" if is_changed else "")
    known = os.environ.get("CLM_COMMIT")
    return f"commit `{known}`" if known else "a program of an untold commit"


def circumstances():
    """Today, of which commit, on what machine: two lines."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    cores = f"{os.cpu_count()} cores of {processor()}"
    return f"{day}, {ran()}, {cores},\nLinux {platform.release().split('-')[0]}"


def build(clm):
    return "a debug build" if "debug" in str(clm) else "a release build"


def tables(results):
    """Each under its name."""
    lines = []
    for result in results:
        lines += ["", f"### {result.name}", "", *table(result.rows)]
    return lines


def table(rows):
    return ["| what | counted |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]


def put(path, begin, end, lines):
    """Puts lines into a document between two lines of it, in the place of what is there.

    Raises ValueError where the document has no such two.
    """
    before, rest = Path(path).read_text().split(begin + "\n")
    _, after = rest.split(end + "\n")
    Path(path).write_text(before + begin + "\n" + "\n".join(lines) + "\n" + end + "\n" + after)


def told_of(script, results, took, left=""):
    """The last words of a script; it ends with 1 where something was not as promised."""
    broken = [line for result in results for line in result.broken]
    for line in broken:
        print(f"{script}: not as promised: {line}")
    if broken:
        raise SystemExit(1)
    print(f"{script}: all as promised{left}, in {took:.0f} s")
