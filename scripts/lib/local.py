"""`deploy/local`, which starts PostgreSQL, Redis, HAProxy, the simulator and machines, as a module: it is a command, and
so has no module's name."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def loaded(path):
    loader = SourceFileLoader("local", str(path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("local", loader))
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    loader.exec_module(module)
    sys.dont_write_bytecode = writes
    return module


local = loaded(ROOT / "deploy" / "local")
