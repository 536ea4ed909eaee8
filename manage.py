#!/usr/bin/env python
"""Run a Django command of smsapp: `./run manage <command>` does it inside the right environment."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
    execute_from_command_line(sys.argv)
