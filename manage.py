#!/usr/bin/env python
"""Run a Django command of smsapp: `./run manage <command>` does it inside the right environment."""

import os
import sys

from django.core.management import execute_from_command_line

# What serves people or works for them wants secrets of its own, not those of builds (settings.py).
SERVING = {
    "up",
    "runserver",
    "testserver",
    "rqworker",
    "rqworker-pool",
    "rqscheduler",
    "tick",
    "sessions",
}

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
    if SERVING.intersection(sys.argv[1:2]):
        os.environ.pop("DJANGO_BUILD", None)
    # `move-database` reads better, and a module cannot be named so.
    if sys.argv[1:] and sys.argv[1] not in SERVING and not sys.argv[1].startswith("-"):
        sys.argv[1] = sys.argv[1].replace("-", "_")
    execute_from_command_line(sys.argv)
