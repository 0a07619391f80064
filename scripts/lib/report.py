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


def ran(is_given=None):
    """What runs, told when it begins: commits may come meanwhile. A given program cannot tell what it was built from."""
    if bool(os.environ.get("CLM_BIN")) if is_given is None else is_given:
        known = os.environ.get("CLM_COMMIT")
        return f"commit `{known}`" if known else "a program of an untold commit"
    known = told(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT)
    parts = ("src", "sql", "benches", "profile", ".cargo", "Cargo.toml", "Cargo.lock")
    is_changed = told(["git", "status", "--porcelain", *parts], cwd=ROOT)
    return f"commit `{known}`" + (" with changes" if is_changed else "")


def circumstances(ran):
    """Today, of what, on what machine: two lines."""
    day = time.strftime("%Y-%m-%d", time.gmtime())
    cores = f"{os.cpu_count()} cores of {processor()}"
    return f"{day}, {ran}, {cores},\nLinux {platform.release().split('-')[0]}"


def build(clm):
    return "a debug build" if Path(clm).parent.name == "debug" else "a release build"


def tables(results):
    """Each under its name."""
    lines = []
    for result in results:
        lines += ["", f"### {result.name}", "", *table(result.rows)]
    return lines


def table(rows):
    return ["| what | counted |", "|---|---|", *(f"| {what} | {value} |" for what, value in rows)]


class Place:
    """Between two lines of a document, where a script puts what it finds. Made before anything is measured: one that is not
    there ends the script then."""

    def __init__(self, path, begin, end):
        self.path, self.begin, self.end = Path(path), begin + "\n", end
        self._parts()

    def _parts(self):
        text = self.path.read_text()
        if text.count(self.begin) != 1 or text.count(self.end) != 1:
            raise SystemExit(f"{self.path} has no place for this, between the lines {self.begin.strip()} and {self.end}")
        before, rest = text.split(self.begin)
        return before, rest.split(self.end)[1]

    def put(self, lines):
        before, after = self._parts()
        self.path.write_text(before + self.begin + "\n".join([*lines, ""]) + self.end + after)


def told_of(script, results, took, left=""):
    """The last words of a script; it ends with 1 where something was not as promised."""
    broken = [line for result in results for line in result.broken]
    for line in broken:
        print(f"{script}: not as promised: {line}")
    if broken:
        raise SystemExit(1)
    print(f"{script}: all as promised{left}, in {took:.0f} s")
