"""A site in one file: database, pictures, imports and keys, taken while it runs.

The file is a tar.gz: `manifest.json` first, then the database (a copy by SQLite itself, or what pg_dump
writes), `secrets/`, the folders of uploads, and at the end `digests.json`, without which it is not whole. The
database comes before the files that its rows name, so that all of them are there. The queue server is left
out: it holds nothing that the tick does not find again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

FORMAT = 1
MANIFEST, DIGESTS, DATABASE = "manifest.json", "digests.json", "database"
# Folders of DATA_DIR that a backup holds, and the secrets, wherever they come from.
FOLDERS = ("media", "imports", "sheets")
SECRETS = {"secret_key": "SECRET_KEY", "field_keys": "FIELD_KEYS"}
_BLOCK = 1024 * 1024


class Problem(Exception):
    """One sentence: why it cannot be done, and what mends it."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself. `engine` = sqlite or postgresql; `migrations` = [app, name] each."""

    format: int
    version: str
    made_at: str
    engine: str
    migrations: list[list[str]]


# ---- Writing ------------------------------------------------------------------------------------


def write(file: Path) -> int:
    """Write a backup, whole or not at all, readable by us alone; give its bytes. Raises Problem."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with tempfile.TemporaryDirectory(prefix=".smsapp-backup-", dir=file.parent) as folder:
            database = Path(folder) / DATABASE
            manifest = _manifest()
            _copy_database(database)
            with draft.open("xb") as out:
                draft.chmod(0o600)
                with tarfile.open(fileobj=out, mode="w|gz") as archive:
                    _fill(archive, manifest, database)
                out.flush()
                os.fsync(out.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    return file.stat().st_size


def _manifest() -> Manifest:
    applied = sorted(
        [app, name] for app, name in MigrationRecorder(connection).applied_migrations()
    )
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(FORMAT, settings.VERSION, made_at, connection.vendor, applied)


def _copy_database(place: Path) -> None:
    if connection.vendor == "postgresql":
        command, env = client_of("pg_dump")
        run(
            [
                *command,
                "--format=custom",
                "--compress=0",
                "--no-owner",
                "--no-privileges",
                f"--file={place}",
            ],
            env,
        )
        return
    source = sqlite3.connect(str(connection.settings_dict["NAME"]), timeout=20)
    try:
        # Of one moment, and nobody who writes has to wait.
        source.execute("VACUUM INTO ?", (str(place),))
    finally:
        source.close()
    _check(place)


def _check(database: Path) -> None:
    copy = sqlite3.connect(database)
    try:
        said = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    finally:
        copy.close()
    if said != "ok":
        raise Problem(f"The database is damaged ({said}): restore the last good backup.")


def _fill(archive: tarfile.TarFile, manifest: Manifest, database: Path) -> None:
    digests: dict[str, str] = {}
    about = {name: getattr(manifest, name) for name in Manifest.__slots__}
    _add_text(archive, MANIFEST, json.dumps(about, indent=1), digests)
    _add_file(archive, DATABASE, database, digests)
    database.unlink()
    for name, setting in SECRETS.items():
        value = getattr(settings, setting)
        text = ",".join(value) if isinstance(value, list) else value
        _add_text(archive, f"secrets/{name}", f"{text}\n", digests)
    for folder in FOLDERS:
        for path in _files_in(Path(settings.DATA_DIR) / folder):
            name = path.relative_to(settings.DATA_DIR).as_posix()
            _add_file(archive, name, path, digests)
    _add_text(archive, DIGESTS, json.dumps(digests, indent=1), {})


def _files_in(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _add_text(archive: tarfile.TarFile, name: str, text: str, digests: dict[str, str]) -> None:
    content = text.encode()
    digests[name] = hashlib.sha256(content).hexdigest()
    archive.addfile(_member(name, len(content)), io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, path: Path, digests: dict[str, str]) -> None:
    try:
        source = path.open("rb")
    except FileNotFoundError:
        return  # deleted since we listed it, and with it the row
    with source:
        # What grows meanwhile, such as the report of an import, is taken as it was.
        size = os.fstat(source.fileno()).st_size
        reader = _Hashing(source)
        archive.addfile(_member(name, size), reader)
        digests[name] = reader.digest.hexdigest()


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o600
    member.mtime = int(datetime.now(UTC).timestamp())
    return member


class _Hashing:
    """A file that is hashed as it is read."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.digest.update(block)
        return block


# ---- Reading ------------------------------------------------------------------------------------


def unpack(file: Path, folder: Path) -> Manifest:
    """Unpack a backup into an empty folder and compare each file's digest. Raises Problem."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(file, mode="r|gz") as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or not _is_ours(member.name):
                    raise Problem(f"{file} holds {member.name!r}, which no backup of smsapp holds.")
                found[member.name] = _unpack_one(content, folder / member.name)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Problem(f"{file} cannot be read ({error}).") from error
    if DIGESTS not in found or MANIFEST not in found:
        raise Problem(f"{file} is not whole, or no backup of smsapp. Take another one.")
    wanted = json.loads((folder / DIGESTS).read_text())
    del found[DIGESTS]
    if wanted != found:
        wrong = sorted(
            name for name in wanted.keys() | found if wanted.get(name) != found.get(name)
        )
        raise Problem(f"{file} is damaged at {wrong[0]}. Take another one.")
    told: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    if told.get("format") != FORMAT:
        raise Problem(
            f"{file} was made by a newer smsapp: restore it with version {told.get('version')}."
        )
    return Manifest(**told)


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        return False
    single = {MANIFEST, DIGESTS, DATABASE, *(f"secrets/{secret}" for secret in SECRETS)}
    return name in single or (len(parts) > 1 and parts[0] in FOLDERS)


def _unpack_one(content: IO[bytes], place: Path) -> str:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    reader = _Hashing(content)
    with place.open("xb") as out:
        shutil.copyfileobj(reader, out, _BLOCK)
    return reader.digest.hexdigest()


# ---- PostgreSQL's programs ----------------------------------------------------------------------


def client_of(program: str) -> tuple[list[str], dict[str, str]]:
    """Give a program of PostgreSQL with where to connect, and its environment: there the password is."""
    major = connection.get_database_version()[0]
    path = Path(f"/usr/lib/postgresql/{major}/bin/{program}")
    binary = str(path) if path.exists() else shutil.which(program)
    if not binary:
        raise Problem(
            f"{program} is missing: install the programs of PostgreSQL (apt install postgresql-client)."
        )
    words, env = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    return [binary, *words[1:-1], f"--dbname={words[-1]}"], {**os.environ, **(env or {})}


def run(command: list[str], env: dict[str, str]) -> None:
    """Run a program of PostgreSQL. Raises Problem with its last words."""
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        words = ran.stderr.strip().splitlines() or ["no word"]
        raise Problem(f"{Path(command[0]).name} says: {words[-1]}")
