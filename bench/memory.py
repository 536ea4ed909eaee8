"""How much memory a whole site takes: PSS of all its processes, at rest and after some work.

    .venv/bin/python -m bench.memory [--light]

PSS counts a page that n processes share as 1/n for each, so that the sum is what the machine gives up
(https://docs.kernel.org/filesystems/proc.html, smaps_rollup). Linux only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from bench.site import Process, Site, start

# Seconds after the start, until all has been imported and what starts once has ended.
_SETTLE = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--light", action="store_true", help="as ./run --light")
    arguments = parser.parse_args()
    options = ("--light",) if arguments.light else ()
    with (
        tempfile.TemporaryDirectory(prefix="smsapp-bench-") as folder,
        start(Path(folder), options=options) as site,
    ):
        time.sleep(_SETTLE)
        show(site, "at rest")
        for _ in range(200):
            urlopen(f"{site.url}/login/").read()
        time.sleep(1)
        show(site, "after 200 pages")


def show(site: Site, when: str) -> None:
    """Print each process and the sum, in MB."""
    print(f"\n{when}")
    processes = [Process(site.process.pid, 0, 0, "supervisor"), *site.processes()]
    sizes = {process: pss(process.pid) for process in processes}
    for process, size in sizes.items():
        words = process.command.split("manage.py ")[-1].split("--worker-class")[0]
        print(f"{size / 1024:8.1f}  {words[:70]}")
    print(f"{sum(sizes.values()) / 1024:8.1f}  in all")


def pss(pid: int) -> int:
    """Give the PSS of a process in kB, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
