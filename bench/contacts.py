"""How fast people come in from a file, and how fast pages of many are. On a database of its own.

    .venv/bin/python -m bench.contacts [how many, 100000 unless told]

With DATABASE_URL of an empty PostgreSQL database it measures that instead of SQLite.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HOW_MANY = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="smsapp-bench-") as folder:
        os.environ |= {"DATA_DIR": folder, "DJANGO_BUILD": "1", "LOG_LEVEL": "ERROR"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smsapp.settings")
        import django  # noqa: PLC0415

        django.setup()
        measure()


def measure() -> None:
    from django.core.management import call_command  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415

    from accounts.models import Membership, User, Workspace  # noqa: PLC0415
    from contacts.importing import files, reading, running  # noqa: PLC0415
    from contacts.importing.guessing import mapping  # noqa: PLC0415
    from contacts.models import Contact, Group, Import, Segment  # noqa: PLC0415
    from contacts.rules import language, tree  # noqa: PLC0415
    from contacts.rules.subjects import subjects  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    running.wake = lambda *_given, **_named: None  # type: ignore[assignment]
    running.awake = lambda *_given: None  # type: ignore[assignment]
    workspace = Workspace.objects.create(name="Bench")
    user = User.objects.create_user("bench@example.org", "x")
    Membership.objects.create(workspace=workspace, user=user, role="owner")
    made = Import(workspace=workspace, by=user, name="people.csv")
    files.folder(made).mkdir(parents=True)
    write(files.upload(made))
    shape = reading.shape_of(files.upload(made))
    made.shape = shape.as_dict()
    made.mapping = mapping(
        shape.columns, list(reading.rows(files.upload(made), shape))[:50], [], "FR"
    )
    made.options = {"known": "update", "group": "Everybody"}
    made.save()

    print(f"{HOW_MANY:,} people, {os.environ.get('DATABASE_URL', 'SQLite').partition(':')[0]}")
    before = memory()
    for state in ("checking", "running"):
        if state == "running":
            running.make_fields(made)
        running.begin(made, state)
        began, busy = time.perf_counter(), time.process_time()
        while Import.objects.filter(pk=made.pk, state=state).exists():
            running.run(made.pk)
        took, busy = time.perf_counter() - began, time.process_time() - busy
        rate = HOW_MANY / took
        more = memory() - before
        print(f"{state:9} {took:5.1f} s ({busy:.1f} s busy) {rate:7,.0f} rows/s +{more:.0f} MB")
        made.refresh_from_db()
    print(f"           {made.added:,} added, {made.updated:,} updated, {made.rejected:,} rejected")

    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    middle = Contact.objects.order_by("sorted_name", "id")[HOW_MANY // 2 : HOW_MANY // 2 + 1].get()
    group = Group.objects.get()
    rule = 'age(born) >= 40 AND NOT town = "Lyon 3" AND (member = yes OR birthday(born) WITHIN 7)'
    tests = tree.dump(language.read(f"{rule} AND last reply IS EMPTY", subjects(workspace)))
    segment = Segment.objects.create(workspace=workspace, name="S", folded="s", rule=tests)
    pages: dict[str, str] = {
        "list": "/contacts/",
        "middle": f"/contacts/?after={middle.pk}.{middle.sorted_name}",
        "newest": "/contacts/?order=newest",
        "changed": "/contacts/?order=changed",
        "word": "/contacts/?q=person+777",
        "nobody": "/contacts/?q=xyzzy",
        "number": "/contacts/?q=0612",
        "group": f"/groups/{group.pk}/",
        "groups": "/groups/",
        "country": "/contacts/?country=FR",
        "segment": f"/segments/{segment.pk}/",
        "doubles": "/contacts/duplicates/",
        "person": f"/contacts/{middle.pk}/",
        "suggest": "/compose/recipients/?q=person",
        "csv": "/contacts/export/?format=csv",
        "xlsx": "/contacts/export/?format=xlsx",
    }
    for name, path in pages.items():
        print(f"{name:10} {timed(client, path) * 1000:8.0f} ms")
    print(f"memory at the end +{memory() - before:.0f} MB")


def write(path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write("Name,Phone,Town,Born,Member\n")
        for n in range(HOW_MANY):
            known = f"Lyon {n % 50},19{n % 90 + 10}-05-17,{'yes' if n % 2 else 'no'}"
            file.write(f"Pérson {n},06{n:08},{known}\n")


def timed(client: Any, path: str) -> float:
    """Give the seconds of the best of three."""
    best = float("inf")
    for _ in range(1 if "export" in path else 3):
        began = time.perf_counter()
        answer = client.get(path)
        if answer.streaming:
            for _block in answer.streaming_content:
                pass
        assert answer.status_code == 200, (path, answer.status_code)
        best = min(best, time.perf_counter() - began)
    return best


def memory() -> float:
    """Give the most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
