"""SMSD's backend "files": a spool with folders, https://docs.gammu.org/smsd/files.html, read 2026-11.

`outbox`, `sent` and `error` are SMSD's; a message of ours moves from the first to one of the others.
`inbox` is where SMSD puts what came in, delivery reports too; `read` is where we put that once it is
stored here.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from phones.base import (
    Delivery,
    Event,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    StatusReport,
    Temporary,
)
from phones.types.gammu import backup, codes, stores
from phones.types.gammu.backup import Section
from phones.types.gammu.parts import cut, joined
from phones.types.gammu.stores import Memory, News

FOLDERS = ("inbox", "outbox", "sent", "error", "read")
# SMSD hands over in the order of names, so the reference, which grows, comes first.
_OURS = re.compile(r"OUTC\d{12,}_\+?\d{1,15}_[0-9a-f]{16}\.smsbackup")
# Messages that one look takes out of the inbox, and sent files it compares with one report.
_MOST, _COMPARED = 200, 100
# Bytes. 50 parts are 50 kB.
_LARGEST = 256 * 1024
# Seconds that SMSD may leave a message in the outbox; it looks into it every few seconds.
_PATIENCE = 600
_MINUTE = 60
# Errors that a person mends; any other may pass.
_SETTLED = {
    errno.EACCES, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR,
    errno.EPERM, errno.EROFS,
}  # fmt: skip


def name_of(sms: OutgoingSms) -> str:
    """Give the file of a message: the same at each try, another for any other message."""
    digest = hashlib.blake2b(sms.key.encode(), digest_size=8).hexdigest()
    number = re.sub(r"[^+0-9]", "", sms.to)
    reference = re.sub(r"[^0-9]", "", sms.reference)
    return f"OUTC{reference.zfill(12)}_{number}_{digest}.smsbackup"


class Files:
    """The spool of one SMSD, for one look or one message."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    # ---- Sending --------------------------------------------------------------------------------

    def put(self, sms: OutgoingSms) -> str:
        parts = cut(sms)
        name = name_of(sms)
        content = backup.write([Section(part, sms.to, flash=sms.flash) for part in parts])
        with _said():
            if not self._has(name):
                self._write("outbox", name, content)
        return name

    def _has(self, name: str) -> bool:
        # In the order in which a file moves, else one that moves meanwhile would be missed.
        return any((self._spool / folder / name).exists() for folder in ("outbox", "sent", "error"))

    def _write(self, folder: str, name: str, content: str) -> None:
        """Let a file appear at once and whole, on the disk before anybody counts on it."""
        place = self._spool / folder
        # SMSD passes over hidden files.
        hidden = place / f".{name}"
        with suppress(FileNotFoundError):
            hidden.unlink()
        try:
            # SMSD, another user of the same group, writes into it what the network answered.
            handle = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o660)
            with open(handle, "w", encoding="ascii") as file:
                os.fchmod(handle, 0o660)
                file.write(content)
                file.flush()
                os.fsync(handle)
            hidden.rename(place / name)
        except OSError:
            with suppress(OSError):
                hidden.unlink()
            raise
        _sync(place)

    # ---- News -----------------------------------------------------------------------------------

    def look(self, memory: Memory, pending: Sequence[str]) -> News:
        with _said():
            self._put_away(memory.get("told", {}))
            news = News(memory={"told": {}, "half": {}, "parts": self._parts_of(memory, pending)})
            for name in self._arrived():
                self._take(name, memory.get("half", {}), news)
            news.events += [event for name in pending for event in self._fate(name)]
        return news

    def _put_away(self, told: dict[str, int]) -> None:
        """Move what is stored here out of the inbox; `told` = {name: when it was written, in ns}."""
        for name, written in told.items():
            place, target = self._spool / "inbox" / name, self._spool / "read" / name
            with suppress(FileNotFoundError):
                # SMSD may have given the name to another message since.
                if place.stat().st_mtime_ns == written:
                    free = target.with_name(f"{name}.{written}") if target.exists() else target
                    place.rename(free)

    def _parts_of(self, memory: Memory, pending: Sequence[str]) -> dict[str, list[int]]:
        """Give {name: references of its parts that arrived}, for messages that are still followed."""
        followed = set(pending)
        known: dict[str, list[int]] = memory.get("parts", {})
        return {name: seen for name, seen in known.items() if name in followed}

    def _arrived(self) -> list[str]:
        names = sorted(os.listdir(self._spool / "inbox"))
        return [name for name in names if name.startswith("IN")][:_MOST]

    def _take(self, name: str, half: dict[str, int], news: News) -> None:
        content, written, size = _read(self._spool / "inbox" / name)
        sections = backup.read(content)
        # Whatever looks unfinished is taken once it has stayed the same from one look to the next.
        if not backup.is_finished(content, sections) and half.get(name) != size:
            news.memory["half"][name] = size
            return
        news.memory["told"][name] = written
        if sections and sections[0].pdu == "Status_Report":
            for section in sections:
                news.events += self._report(section, news.memory["parts"])
        else:
            news.events.append(_incoming(name, content, sections, written))

    def _report(self, report: Section, arrived: dict[str, list[int]]) -> list[Event]:
        """Give what a delivery report says of a message: it arrived when each part has."""
        found = self._reported(report)
        state = codes.state_of(report.status)
        if found is None or state is Delivery.SENT:
            return []
        name, references = found
        if state is Delivery.FAILED:
            return [codes.failed(name, report.status, report.part.text)]
        seen = {*arrived.get(name, []), report.reference}
        if not seen >= set(references):
            arrived[name] = sorted(seen)
            return []
        arrived.pop(name, None)
        return [StatusReport(Delivery.DELIVERED, name)]

    def _reported(self, report: Section) -> tuple[str, list[int]] | None:
        """Give the newest message to that number of which the network numbered a part so."""
        # Operators report with or without the country; nobody has two numbers with one ending.
        ending = re.sub(r"\D", "", report.number)[-8:]
        ours = [name for name in self._sent if ending and f"{ending}_" in name]
        for name in ours[:_COMPARED]:
            with suppress(FileNotFoundError):
                content, _written, _size = _read(self._spool / "sent" / name)
                references = backup.references(backup.read(content))
                if report.reference in references:
                    return name, references
        return None

    @cached_property
    def _sent(self) -> list[str]:
        """Give the names of our sent files, the newest first: read once, they may be many."""
        names = sorted(os.listdir(self._spool / "sent"), reverse=True)
        return [name for name in names if _OURS.fullmatch(name)]

    def _fate(self, name: str) -> list[Event]:
        if not _OURS.fullmatch(name) or not (self._spool / "error" / name).exists():
            return []
        words = gettext(
            "SMSD could not send it and put it into the folder “error”. Its log says why."
        )
        return [codes.failed(name, -1, words)]

    # ---- How it is doing ------------------------------------------------------------------------

    def state(self) -> str:
        with _said():
            for folder in FOLDERS:
                self._try(folder)
            now = self._now()
            waiting = [self._age(name, now) for name in self._waiting()]
        if max(waiting, default=0) > _PATIENCE:
            words = gettext(
                "A message has waited for %(minutes)s minutes. Is SMSD running, and may it read the outbox?"
            )
            raise Temporary(words % {"minutes": int(max(waiting) // _MINUTE)})
        good = gettext("SMSD's folders can be used.")
        return f"{good} {stores.waiting(len(waiting))}".strip()

    def _try(self, folder: str) -> None:
        place = self._spool / folder
        os.listdir(place)
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))

    def _now(self) -> float:
        """Give the time of the disk that the files are on, by writing one."""
        probe = self._spool / "outbox" / ".smsapp"
        with suppress(FileNotFoundError):
            probe.unlink()
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            return probe.stat().st_mtime
        finally:
            probe.unlink()

    def _waiting(self) -> list[str]:
        return [name for name in os.listdir(self._spool / "outbox") if name.startswith("OUT")]

    def _age(self, name: str, now: float) -> float:
        with suppress(FileNotFoundError):
            return now - (self._spool / "outbox" / name).stat().st_mtime
        return 0


def _incoming(name: str, content: str, sections: Sequence[Section], written: int) -> IncomingSms:
    # IN<date>_<time>_<serial>_<number>_<part>.<ext>
    _start, _time, _serial, *number = [*name.split("_"), "", "", "", ""]
    sender = sections[0].number if sections else number[0]
    return IncomingSms(
        sender=sender or "anonymous",
        # Not as configured, but nothing is lost: SMSD wrote the bare text.
        text=joined([section.part for section in sections]) if sections else content,
        provider_id=f"{name}:{written}",
        # The time of the message itself lacks its time zone.
        at=datetime.fromtimestamp(written // 10**9, UTC),
    )


def _read(place: Path) -> tuple[str, int, int]:
    """Give the text of a file, when it was written (ns) and its size in bytes."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.ELOOP, "It is not a file", str(place))
        data = file.read(_LARGEST)
    encoding = "utf-16" if data[:2] in (b"\xfe\xff", b"\xff\xfe") else "utf-8"
    return data.decode(encoding, errors="replace"), about.st_mtime_ns, about.st_size


def _sync(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _said() -> Iterator[None]:
    """Say what an error of the disk means and what to do."""
    try:
        yield
    except OSError as error:
        raise _meaning(error) from None


def _meaning(error: OSError) -> Misconfigured | Temporary:
    # A temporary name says nothing to people.
    place = Path(str(error.filename or ""))
    folder = str(place.parent if place.name.startswith((".", "IN", "OUT")) else place)
    said: dict[str, Any] = {"folder": folder, "error": error.strerror or str(error)}
    code = errno.errorcode.get(error.errno or 0, "")
    if error.errno in (errno.EACCES, errno.EPERM):
        words = gettext(
            "%(folder)s: %(error)s. Let the user that runs this site be of SMSD's group, and the "
            "group write there: chmod 2770."
        )
        return Misconfigured(words % said, code)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        words = gettext("%(folder)s: %(error)s. Make the five folders that the page shows.")
        return Misconfigured(words % said, code)
    kind = Misconfigured if error.errno in _SETTLED else Temporary
    return kind(f"{folder}: {said['error']}", code)
