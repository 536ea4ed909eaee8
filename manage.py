#!/usr/bin/env python
"""Run a Django command of smsapp: `./run manage <command>` does it inside the right environment."""

import importlib
import os
import sys
from pathlib import Path

# What serves people or works for them wants secrets of its own, not those of builds (settings.py).
SERVING = {
    "prepare",
    "family",
    "session",
    "runserver",
    "testserver",
    "rqworker",
    "rqworker-pool",
    "rqscheduler",
    "tick",
    "sessions",
    "backup",
    "restore",
    "rotate_keys",
    "move_database",
}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
    # `move-database` reads better, and a module cannot be named so.
    name = "".join(sys.argv[1:2]).replace("-", "_")
    if name and any(Path(__file__).parent.glob(f"*/management/commands/{name}.py")):
        sys.argv[1] = name
    if SERVING.intersection(sys.argv[1:2]):
        os.environ.pop("DJANGO_BUILD", None)
    if sys.argv[1:2] == ["up"]:
        os.environ.pop("DJANGO_BUILD", None)
        importlib.import_module("smsapp.starting").main(sys.argv[2:])
    else:
        execute = importlib.import_module("django.core.management").execute_from_command_line
        execute(sys.argv)
