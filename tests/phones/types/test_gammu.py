"""Gammu SMSD over folders and over a database: both are shown with the same promises."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib import gsm
from phones.base import (
    Addresses,
    Delivery,
    Event,
    IncomingSms,
    Misconfigured,
    OutgoingSms,
    PhoneError,
    Reason,
    Rejected,
    StatusReport,
    Temporary,
)
from phones.types.gammu import Gammu, backup, database, files, parts
from phones.types.gammu.backup import Section
from phones.types.gammu.parts import BINARY, GSM, UNICODE, Part
from phones.types.gammu.settings import SettingsForm, places_of
from tests.fakes import FakeHttp
from tests.phones.cases import BASE, TEXTS, TO, Absent

CASES = Absent("It speaks no HTTP: the stores below are shown with the same cases.")
SENDER = "+33698765432"
CODE = "an access code"


def sms(text: str = "Hello", *, key: str = "k-42", flash: bool = False) -> OutgoingSms:
    return OutgoingSms(reference="42", to=TO, text=text, key=key, flash=flash)


def arriving(text: str) -> list[Part]:
    """Give the parts in which somebody's text comes in."""
    return parts.cut(OutgoingSms("1", TO, text, key="theirs"))


class Smsd(Protocol):
    """The other side of a store, in the hands of a test."""

    settings: dict[str, Any]

    def waiting(self) -> list[tuple[str, str, bool, list[Part]]]:
        """Give (name, number, flash, parts) of what is to be sent."""

    def sends(self, status: str = "SendingOK", code: int = -1) -> None:
        """Be through with what waits: SendingOK or SendingError."""

    def receives(self, sender: str, pieces: list[Part]) -> None: ...

    def reports(self, part: int, words: str, status: int) -> None:
        """Let a report come for a part, from 0, of the one message that was sent."""

    def unread(self) -> int: ...

    def breaks(self) -> None:
        """Be away for good, as after a wrong configuration."""


class Folders:
    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        for name in files.FOLDERS:
            (self.spool / name).mkdir(parents=True)
        self.settings: dict[str, Any] = {
            "place": "spool modem",
            "spools": {"modem": str(self.spool)},
        }
        self._count = 0

    def waiting(self) -> list[tuple[str, str, bool, list[Part]]]:
        found = []
        for file in sorted((self.spool / "outbox").iterdir()):
            sections = backup.read(file.read_text())
            first = sections[0]
            found.append((file.name, first.number, first.flash, [s.part for s in sections]))
        return found

    def sends(self, status: str = "SendingOK", code: int = -1) -> None:
        folder = "sent" if status == "SendingOK" else "error"
        for file in list((self.spool / "outbox").iterdir()):
            numbers = iter(range(7, 99))
            content = re.sub(
                "(MessageReference = )0",
                lambda found, numbers=numbers: f"{found[1]}{next(numbers)}",  # type: ignore[misc]
                file.read_text(),
            )
            file.write_text(content)
            file.rename(self.spool / folder / file.name)

    def receives(self, sender: str, pieces: list[Part]) -> None:
        self.arrives([Section(part, sender, "Deliver") for part in pieces], sender)

    def reports(self, part: int, words: str, status: int) -> None:
        text = Part(words.encode("utf-16-be"), b"", GSM)
        self.arrives([Section(text, TO, "Status_Report", False, 7 + part, status)], TO)

    def arrives(self, sections: list[Section], sender: str) -> Path:
        self._count += 1
        name = f"IN20261120_120000_{self._count:02}_{sender}_00.txt"
        place = self.spool / "inbox" / name
        place.write_text("; Saved\n\n" + backup.write(sections) + "\n")
        return place

    def unread(self) -> int:
        return len(list((self.spool / "inbox").iterdir()))

    def breaks(self) -> None:
        self.spool.rename(self.spool.with_name("elsewhere"))


# The columns that we use, of schema 17.
TABLES = """
CREATE TABLE inbox ("ID" INTEGER PRIMARY KEY AUTOINCREMENT, "UpdatedInDB" DEFAULT (datetime('now')),
    "ReceivingDateTime" DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    "SenderNumber" TEXT, "Coding" TEXT, "UDH" TEXT, "Text" TEXT, "RecipientID" TEXT DEFAULT '',
    "Processed" TEXT DEFAULT 'false');
CREATE TABLE outbox ("ID" INTEGER PRIMARY KEY AUTOINCREMENT, "Coding" TEXT, "UDH" TEXT, "Text" TEXT,
    "TextDecoded" TEXT, "Class" INTEGER, "MultiPart" TEXT, "DestinationNumber" TEXT, "CreatorID" TEXT,
    "SenderID" TEXT, "DeliveryReport" TEXT, "SendingDateTime" NUMERIC, "SendingTimeOut" NUMERIC);
CREATE TABLE outbox_multipart ("Coding" TEXT, "UDH" TEXT, "Text" TEXT, "TextDecoded" TEXT,
    "Class" INTEGER, "ID" INTEGER, "SequencePosition" INTEGER);
CREATE TABLE sentitems ("ID" INTEGER, "SequencePosition" INTEGER, "DestinationNumber" TEXT,
    "CreatorID" TEXT, "Status" TEXT, "StatusError" INTEGER DEFAULT -1);
CREATE TABLE phones ("ID" TEXT, "IMEI" TEXT, "UpdatedInDB" DEFAULT (datetime('now')), "Signal" INTEGER,
    "Battery" INTEGER, "NetName" TEXT);
"""


class Tables:
    def __init__(self, folder: Path) -> None:
        self.file = folder / "smsd.db"
        with closing(sqlite3.connect(self.file)) as db:
            db.executescript(TABLES)
        self.settings: dict[str, Any] = {
            "place": "database modem",
            "databases": {"modem": f"sqlite:///{self.file}"},
        }

    def __call__(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.file)) as db, db:
            return db.execute(statement, values).fetchall()

    def waiting(self) -> list[tuple[str, str, bool, list[Part]]]:
        found = []
        for number, mark, to, flash, *first in self(
            "SELECT ID, CreatorID, DestinationNumber, Class, Coding, UDH, Text FROM outbox"
        ):
            more = self(
                "SELECT Coding, UDH, Text FROM outbox_multipart WHERE ID = ? ORDER BY "
                "SequencePosition",
                number,
            )
            pieces = [
                Part(bytes.fromhex(text), bytes.fromhex(header), coding)
                for coding, header, text in [first, *more]
            ]
            key = mark.removeprefix("smsapp ")
            found.append((f"{number}:{key}", to, flash == 0, pieces))
        return found

    def sends(self, status: str = "SendingOK", code: int = -1) -> None:
        for name, to, _flash, pieces in self.waiting():
            number, _colon, key = name.partition(":")
            for position in range(1, len(pieces) + 1):
                self(
                    "INSERT INTO sentitems VALUES (?, ?, ?, ?, ?, ?)",
                    number, position, to, f"smsapp {key}", status, code,
                )  # fmt: skip
        self("DELETE FROM outbox")
        self("DELETE FROM outbox_multipart")

    def receives(self, sender: str, pieces: list[Part]) -> None:
        for part in pieces:
            self(
                "INSERT INTO inbox (SenderNumber, Coding, UDH, Text) VALUES (?, ?, ?, ?)",
                sender, part.coding, part.header.hex().upper(), part.data.hex().upper(),
            )  # fmt: skip

    def reports(self, part: int, words: str, status: int) -> None:
        names = {
            "Delivered": "DeliveryOK",
            "Failed": "DeliveryFailed",
            "Pending": "DeliveryPending",
            "Unknown": "DeliveryUnknown",
        }
        self(
            "UPDATE sentitems SET Status = ?, StatusError = ? WHERE SequencePosition = ?",
            names[words], status, part + 1,
        )  # fmt: skip

    def unread(self) -> int:
        [(count,)] = self("SELECT COUNT(*) FROM inbox WHERE Processed = 'false'")
        return int(count)

    def breaks(self) -> None:
        self.file.rename(self.file.with_name("elsewhere"))


@pytest.fixture(params=[Folders, Tables], ids=["folders", "database"])
def smsd(request: pytest.FixtureRequest, tmp_path: Path) -> Smsd:
    made: Smsd = request.param(tmp_path)
    return made


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables(tmp_path)


def phone(smsd: Smsd, **changes: Any) -> Gammu:
    return Gammu({**smsd.settings, **changes}, FakeHttp(), Addresses(BASE))


def looked(smsd: Smsd, cursor: str = "", *pending: str) -> tuple[list[Event], str]:
    polled = phone(smsd).poll(cursor, pending)
    return list(polled.events), polled.cursor


# ---- Sending ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*TEXTS.values(), ""], ids=[*TEXTS, "empty"])
def test_any_text_is_handed_over_whole(smsd: Smsd, text: str) -> None:
    sent = phone(smsd).send(sms(text))

    [(name, number, flash, pieces)] = smsd.waiting()
    assert (name, number, flash) == (sent.provider_id, TO, False)
    assert "".join(part.text for part in pieces) == text
    assert sent.segments == len(pieces) == max(gsm.measure(text).segments, 1)
    assert {part.coding for part in pieces} == {UNICODE if "🎉" in text else GSM}
    assert parts.is_whole(pieces)


def test_a_flash_message_is_one(smsd: Smsd) -> None:
    phone(smsd).send(sms(TEXTS["long"], flash=True))

    assert [flash for _name, _number, flash, _parts in smsd.waiting()] == [True]


@pytest.mark.parametrize("status", [None, "SendingOK", "SendingError"])
def test_a_message_is_given_once(smsd: Smsd, status: str | None) -> None:
    first = phone(smsd).send(sms())
    if status:
        smsd.sends(status)

    again = phone(smsd).send(sms())

    assert again == first
    assert len(smsd.waiting()) == (status is None)


def test_the_same_text_again_is_another_message(smsd: Smsd) -> None:
    names = {phone(smsd).send(sms(key=key)).provider_id for key in ("k-1", "k-2")}

    assert {name for name, *_rest in smsd.waiting()} == names
    assert len(names) == 2


def test_a_text_that_gammu_cannot_hold_is_refused(smsd: Smsd) -> None:
    with pytest.raises(Rejected, match="at most 50 parts"):
        phone(smsd).send(sms("A" * 153 * 51))

    assert smsd.waiting() == []


def test_a_place_that_is_gone_pauses_the_phone_and_says_which(smsd: Smsd) -> None:
    smsd.breaks()

    for act in (
        lambda: phone(smsd).send(sms()),
        lambda: phone(smsd).poll("", []),
        phone(smsd).check,
    ):
        with pytest.raises(Misconfigured) as caught:
            act()
        assert "spool" in caught.value.words or "GAMMU_DATABASES" in caught.value.words


# ---- What comes in ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sender", "text", "shown"),
    [
        (SENDER, "Yes", SENDER),
        (SENDER, "", SENDER),
        (SENDER, TEXTS["unicode"], SENDER),
        (SENDER, TEXTS["long"], SENDER),
        (SENDER, "🎉" * 90, SENDER),
        ("Tilleul", "Hello", "Tilleul"),
        ("", "Hello", "anonymous"),
    ],
    ids=["valid", "empty", "unicode", "long", "long unicode", "name", "no sender"],
)
def test_each_incoming_message_is_read(smsd: Smsd, sender: str, text: str, shown: str) -> None:
    smsd.receives(sender, arriving(text))

    [came], _cursor = looked(smsd)
    [again], _cursor = looked(smsd)

    assert isinstance(came, IncomingSms)
    assert (came.sender, came.text) == (shown, text)
    assert came.at
    assert abs((datetime.now(UTC) - came.at).total_seconds()) < 60
    # A look whose news could not be stored is repeated: it must be recognisable as one message.
    assert again == came
    assert came.provider_id


def test_what_came_in_stays_until_it_is_stored(smsd: Smsd) -> None:
    smsd.receives(SENDER, arriving("Yes"))
    _events, cursor = looked(smsd)
    assert smsd.unread() == 1

    events, _cursor = looked(smsd, cursor)

    assert events == []
    assert smsd.unread() == 0


def test_news_between_two_looks_is_not_put_away_untold(smsd: Smsd) -> None:
    smsd.receives(SENDER, arriving("One"))
    _events, cursor = looked(smsd)
    smsd.receives(SENDER, arriving("Two"))

    events, cursor = looked(smsd, cursor)
    rest, _cursor = looked(smsd, cursor)

    assert [event.text for event in events if isinstance(event, IncomingSms)] == ["Two"]
    assert (rest, smsd.unread()) == ([], 0)


def test_a_database_that_begins_anew_loses_nothing(tables: Tables) -> None:
    tables.receives(SENDER, arriving("Yes"))
    (first,), cursor = looked(tables)
    tables("DELETE FROM inbox")
    tables("DELETE FROM sqlite_sequence")
    tables.receives(SENDER, arriving("No"))
    tables("UPDATE inbox SET ReceivingDateTime = '2026-11-22 08:00:00'")

    (second,), _cursor = looked(tables, cursor)

    assert isinstance(first, IncomingSms)
    assert isinstance(second, IncomingSms)
    assert second.text == "No"
    assert second.provider_id != first.provider_id


def test_a_phone_that_moves_elsewhere_goes_on(folders: Folders, tables: Tables) -> None:
    folders.receives(SENDER, arriving("In the folder"))
    _events, in_folder = looked(folders)
    tables.receives(SENDER, arriving("In the database"))

    came, in_database = looked(tables, in_folder)
    back, _cursor = looked(folders, in_database)

    texts = [event.text for event in (*came, *back) if isinstance(event, IncomingSms)]
    assert texts == ["In the database", "In the folder"]


def test_a_part_that_never_comes_holds_nothing_back(smsd: Smsd) -> None:
    first, _second, third = arriving(TEXTS["long"])
    smsd.receives(SENDER, [first, third])

    at_first, cursor = looked(smsd)
    [then], _cursor = looked(smsd, cursor)

    assert at_first == []
    assert isinstance(then, IncomingSms)
    assert then.text == first.text + third.text


def test_parts_in_any_order_are_one_message(smsd: Smsd) -> None:
    smsd.receives(SENDER, arriving(TEXTS["long"])[::-1])

    [came], _cursor = looked(smsd)

    assert isinstance(came, IncomingSms)
    assert came.text == TEXTS["long"]


def test_what_is_no_text_says_so(smsd: Smsd) -> None:
    smsd.receives(SENDER, [Part(b"\x06\x05\x04", b"", BINARY)])

    [came], _cursor = looked(smsd)

    assert isinstance(came, IncomingSms)
    assert came.text == "[3 bytes that are no text]"


# ---- What became of messages --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "status", "state", "reason"),
    [
        ("Delivered", 0x00, Delivery.DELIVERED, ""),
        ("Pending", 0x20, None, ""),
        ("Unknown", 0x30, None, ""),
        ("Failed", 0x43, Delivery.FAILED, Reason.BAD_NUMBER),
        ("Failed", 0x46, Delivery.FAILED, Reason.EXPIRED),
        ("Failed", 0x62, Delivery.FAILED, Reason.UNREACHABLE),
        ("Failed", 0x5A, Delivery.FAILED, Reason.REJECTED),
    ],
)
def test_each_report_is_read(
    smsd: Smsd, words: str, status: int, state: Delivery | None, reason: str
) -> None:
    name = phone(smsd).send(sms()).provider_id
    smsd.sends()
    smsd.reports(0, words, status)

    events, _cursor = looked(smsd, "", name)

    reports = [event for event in events if isinstance(event, StatusReport)]
    assert [report.state for report in reports] == ([state] if state else [])
    assert [(r.provider_id, r.reason) for r in reports] == ([(name, reason)] if state else [])
    assert not reports or state is Delivery.DELIVERED or reports[0].code == f"0x{status:02x}"


def test_a_message_that_was_only_sent_has_no_news(smsd: Smsd) -> None:
    name = phone(smsd).send(sms()).provider_id
    waiting, _cursor = looked(smsd, "", name)
    smsd.sends()

    assert (waiting, looked(smsd, "", name)[0]) == ([], [])


def test_a_message_that_could_not_be_sent_failed(smsd: Smsd) -> None:
    name = phone(smsd).send(sms()).provider_id
    smsd.sends("SendingError")

    [report], _cursor = looked(smsd, "", name)

    assert isinstance(report, StatusReport)
    assert (report.state, report.provider_id) == (Delivery.FAILED, name)
    assert report.words


def test_a_long_message_is_delivered_once_each_part_is(smsd: Smsd) -> None:
    name, cursor = phone(smsd).send(sms(TEXTS["long"])).provider_id, ""
    smsd.sends()

    states = []
    for part in (2, 0, 1):
        smsd.reports(part, "Delivered", 0)
        events, cursor = looked(smsd, cursor, name)
        states.append([event.state for event in events if isinstance(event, StatusReport)])

    assert states == [[], [], [Delivery.DELIVERED]]


def test_messages_of_others_are_none_of_ours(smsd: Smsd) -> None:
    others = ["", "7", "7:k-1", "abc:k-1", "../../etc/passwd", "inbox 7"]
    phone(smsd).send(sms())
    smsd.sends("SendingError")

    events, _cursor = looked(smsd, "", *others)

    assert events == []


# ---- Folders ------------------------------------------------------------------------------------


def test_smsd_never_sees_half_a_message(folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Temporary, match="No space left"):
        phone(folders).send(sms())

    assert os.listdir(folders.spool / "outbox") == []


def test_smsd_may_write_into_a_message(folders: Folders) -> None:
    old = os.umask(0o077)
    try:
        name = phone(folders).send(sms()).provider_id
    finally:
        os.umask(old)

    assert (folders.spool / "outbox" / name).stat().st_mode & 0o777 == 0o660


def test_messages_leave_in_the_order_they_were_written(folders: Folders) -> None:
    numbers = [2, 10, 9, 100000]
    for number in numbers:
        phone(folders).send(OutgoingSms(str(number), TO, str(number), key=f"k-{number}"))

    texts = [pieces[0].text for _name, _to, _flash, pieces in folders.waiting()]
    assert texts == ["2", "9", "10", "100000"]


def test_nothing_is_written_or_read_through_a_link(folders: Folders, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not for others")
    name = files.name_of(sms())
    (folders.spool / "outbox" / f".{name}").symlink_to(secret)
    (folders.spool / "inbox" / "IN20261120_120000_00_+336_00.txt").symlink_to(secret)

    phone(folders).send(sms())
    with pytest.raises(PhoneError):
        looked(folders)

    assert secret.read_text() == "not for others"


def test_a_file_that_is_still_being_written_waits(folders: Folders) -> None:
    place = folders.arrives([Section(arriving("Hello")[0], SENDER, "Deliver")], SENDER)
    whole = place.read_text()
    place.write_text(whole[:80])
    early, cursor = looked(folders)
    place.write_text(whole)

    [came], _cursor = looked(folders, cursor)

    assert early == []
    assert isinstance(came, IncomingSms)
    assert came.text == "Hello"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_bare_text_is_not_lost(folders: Folders, encoding: str) -> None:
    place = folders.spool / "inbox" / f"IN20261120_120000_00_{SENDER}_00.txt"
    place.write_bytes("Déjà vu".encode(encoding))

    _early, cursor = looked(folders)
    [came], _cursor = looked(folders, cursor)

    assert isinstance(came, IncomingSms)
    assert (came.sender, came.text) == (SENDER, "Déjà vu")


def test_a_name_that_smsd_uses_again_is_another_message(folders: Folders) -> None:
    first = folders.arrives([Section(arriving("One")[0], SENDER, "Deliver")], SENDER)
    [one], cursor = looked(folders)
    # Stored, put away, and the worker killed before the place to go on was: it looks again.
    looked(folders, cursor)
    folders._count = 0
    second = folders.arrives([Section(arriving("Two")[0], SENDER, "Deliver")], SENDER)
    os.utime(second, ns=(2 * 10**18, 2 * 10**18))

    [two], cursor = looked(folders, cursor)
    looked(folders, cursor)

    assert first == second
    assert isinstance(one, IncomingSms)
    assert isinstance(two, IncomingSms)
    assert (two.text, two.provider_id != one.provider_id) == ("Two", True)
    assert len(os.listdir(folders.spool / "read")) == 2


def test_a_check_of_folders_leaves_nothing_behind(folders: Folders) -> None:
    phone(folders).send(sms())

    assert phone(folders).check() == "SMSD's folders can be used. 1 message waits."
    assert len(os.listdir(folders.spool / "outbox")) == 1


def test_a_check_sees_that_smsd_takes_nothing(folders: Folders) -> None:
    name = phone(folders).send(sms()).provider_id
    place = folders.spool / "outbox" / name
    at = place.stat().st_mtime - 1800
    os.utime(place, (at, at))

    with pytest.raises(Temporary, match=r"waited for 30 minutes\. Is SMSD running"):
        phone(folders).check()


@pytest.mark.parametrize("folder", files.FOLDERS)
def test_a_missing_folder_is_named(folders: Folders, folder: str) -> None:
    (folders.spool / folder).rmdir()

    with pytest.raises(Misconfigured, match=f"spool/{folder}: No such file") as caught:
        phone(folders).check()
    assert caught.value.code == "ENOENT"


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (errno.EACCES, Misconfigured, "chmod 2770"),
        (errno.EROFS, Misconfigured, "Read-only"),
        (errno.ENOSPC, Temporary, "No space"),
        (errno.EIO, Temporary, "Input/output"),
    ],
)
def test_an_error_of_the_disk_is_classed(
    folders: Folders,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[PhoneError],
    words: str,
) -> None:
    def fail(place: Path, *_args: object) -> None:
        raise OSError(number, os.strerror(number), str(place))

    monkeypatch.setattr(os, "open", fail)

    with pytest.raises(kind, match=words) as caught:
        phone(folders).send(sms())
    assert (caught.value.code, "spool/outbox" in caught.value.words) == (
        errno.errorcode[number],
        True,
    )


@given(
    text=st.text(max_size=500),
    number=st.from_regex(r"\+[1-9][0-9]{3,14}", fullmatch=True),
    flash=st.booleans(),
    reference=st.integers(0, 255),
)
def test_a_backup_reads_what_it_wrote(text: str, number: str, flash: bool, reference: int) -> None:
    cut = parts.cut(OutgoingSms("1", number, text, key="k"))
    sections = [Section(part, number, "Deliver", flash, reference) for part in cut]

    written = backup.write(sections) + "\n"

    assert backup.read(written) == sections
    assert backup.is_finished(written, sections)
    assert written.isascii()
    # Cut anywhere, it is not taken for whole.
    assert not backup.is_finished(
        written[: len(written) // 2], backup.read(written[: len(written) // 2])
    )


@given(content=st.text())
def test_no_content_breaks_the_reader(content: str) -> None:
    backup.read("[SMSBackup000]\n" + content)


@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=900))
def test_parts_joined_are_the_text(text: str) -> None:
    cut = parts.cut(OutgoingSms("1", TO, text, key="k"))

    assert parts.joined(cut[::-1]) == text


@given(
    reference=st.integers(0),
    number=st.from_regex(r"\+[1-9][0-9]{3,14}", fullmatch=True),
    key=st.text(),
)
def test_the_name_of_a_message_is_one_of_ours(reference: int, number: str, key: str) -> None:
    name = files.name_of(
        OutgoingSms(str(reference), number, "", key=key.encode("utf-8", "replace").decode())
    )

    assert files._OURS.fullmatch(name)


def test_the_numbers_of_parts_are_read_as_any_smsd_writes_them() -> None:
    one, two, three = (Section(part, TO) for part in arriving(TEXTS["long"]))

    def numbered(section: Section, reference: int) -> Section:
        return Section(section.part, TO, reference=reference)

    later = [numbered(one, 7), numbered(two, 8), numbered(three, 9)]
    # SMSD 1.42 puts copies of the first section in front.
    old = [numbered(one, 7), numbered(one, 8), numbered(one, 9), one, two, three]

    assert backup.references(later) == backup.references(old) == [7, 8, 9]
    assert backup.references([]) == []


# ---- The database -------------------------------------------------------------------------------


def modem(tables: Tables, *, minutes: int = 0, name: str = "") -> None:
    tables(
        "INSERT INTO phones VALUES (?, '99', datetime('now', ?), 42, 80, 'Free')",
        name, f"-{minutes} minutes",
    )  # fmt: skip


def test_a_check_tells_how_the_modem_is(tables: Tables) -> None:
    modem(tables)

    said = phone(tables).check()

    assert said == ("SMSD is running. Network: Free. Signal: 42 %. Battery: 80 %.")
    assert tables.waiting() == []


def test_a_check_sees_that_smsd_has_stopped(tables: Tables) -> None:
    with pytest.raises(Temporary, match="No SMSD has written"):
        phone(tables).check()
    modem(tables, minutes=30)
    with pytest.raises(Temporary, match="30 minutes ago"):
        phone(tables).check()


def test_each_of_several_modems_has_its_own(tables: Tables) -> None:
    tables.receives(SENDER, arriving("For the other"))
    tables("UPDATE inbox SET RecipientID = 'b'")
    modem(tables, name="b")

    phone(tables, modem="a").send(sms())

    assert tables("SELECT SenderID FROM outbox") == [("a",)]
    assert phone(tables, modem="a").poll("", []).events == ()
    assert len(phone(tables, modem="b").poll("", []).events) == 1
    with pytest.raises(Temporary, match="No SMSD"):
        phone(tables, modem="a").check()


def test_a_message_that_smsd_is_not_through_with_has_no_news(tables: Tables) -> None:
    name = phone(tables).send(sms(TEXTS["long"])).provider_id
    tables("INSERT INTO sentitems VALUES (1, 1, ?, 'smsapp k-42', 'Error', -1)", TO)

    assert looked(tables, "", name)[0] == []


def test_the_words_of_a_failure_are_those_of_smsd(tables: Tables) -> None:
    name = phone(tables).send(sms()).provider_id
    tables.sends("SendingError", 69)

    [report], _cursor = looked(tables, "", name)

    assert isinstance(report, StatusReport)
    assert (report.words, report.code) == ("SendingError", "0x45")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite3.OperationalError("database is locked"), Temporary),
        (sqlite3.OperationalError("database or disk is full"), Temporary),
        (sqlite3.OperationalError("no such table: outbox"), Misconfigured),
        (sqlite3.OperationalError("attempt to write a readonly database"), Misconfigured),
        (sqlite3.OperationalError("unable to open database file"), Misconfigured),
        (psycopg.OperationalError("connection refused"), Temporary),
        (psycopg.OperationalError('password authentication failed for user "a"'), Misconfigured),
        (psycopg.OperationalError('database "smsd" does not exist'), Misconfigured),
        (psycopg.errors.InsufficientPrivilege("permission denied"), Misconfigured),
        (psycopg.errors.UndefinedTable("no table"), Misconfigured),
        (psycopg.errors.QueryCanceled("statement timeout"), Temporary),
        (psycopg.errors.AdminShutdown("terminating connection"), Temporary),
    ],
    ids=lambda value: str(value) if isinstance(value, Exception) else "",
)
def test_an_error_of_the_database_is_classed(
    error: sqlite3.Error | psycopg.Error, kind: type[PhoneError]
) -> None:
    said = database._meaning(error, "")

    assert type(said) is kind
    assert str(error) in said.words


def test_the_password_of_the_database_is_never_said() -> None:
    error = psycopg.OperationalError("cannot parse smsd:hunter2@localhost")

    assert "hunter2" not in database._meaning(error, "hunter2").words


def test_a_server_that_is_away_is_waited_for() -> None:
    url = "postgres://smsd:hunter2@127.0.0.1:1/smsd"
    line = Gammu({"place": "database m", "databases": {"m": url}}, FakeHttp(), Addresses(BASE))

    with pytest.raises(Temporary, match=r"(?i)refused") as caught:
        line.send(sms())
    assert "hunter2" not in caught.value.words


# ---- What the operator lends --------------------------------------------------------------------


GIVEN = {
    "spools": {"modem": "/var/spool/gammu", f"closed:{CODE}": "/var/spool/other"},
    "databases": {"modem": "sqlite:////var/lib/smsd.db"},
}


def form(given: dict[str, Any], **data: str) -> SettingsForm:
    made = SettingsForm(data or None)
    Gammu.offer(made, given)
    return made


def test_the_form_offers_what_the_operator_named() -> None:
    choices = list(form(GIVEN).fields["place"].choices)  # type: ignore[attr-defined]

    assert choices == [
        ("spool modem", "modem (folder)"),
        ("spool closed", "closed (folder)"),
        ("database modem", "modem (database)"),
    ]
    assert "/var" not in form(GIVEN).as_p()
    assert CODE not in form(GIVEN).as_p()


def test_a_code_is_asked_for_only_where_there_is_one() -> None:
    assert "access_code" in form(GIVEN).fields
    assert "access_code" not in form({"spools": {"modem": "/var/spool/gammu"}}).fields


def test_without_any_the_form_says_what_to_set() -> None:
    empty = form({})

    assert "GAMMU_SPOOLS" in str(empty.fields["place"].help_text)
    assert not form({}, place="spool modem").is_valid()


@pytest.mark.parametrize(
    ("data", "wrong"),
    [
        ({"place": "spool modem"}, set()),
        ({"place": "database modem", "modem": "usb-1", "number": "+33 6 39 98 00 00"}, set()),
        ({"place": "spool closed", "access_code": CODE}, set()),
        ({"place": "spool closed"}, {"access_code"}),
        ({"place": "spool closed", "access_code": "a guess"}, {"access_code"}),
        ({"place": "spool elsewhere"}, {"place"}),
        ({"place": "/etc"}, {"place"}),
        ({"place": "spool ../../etc"}, {"place"}),
        ({"place": "spool modem", "number": "0612345678"}, {"number"}),
        ({"place": "spool modem", "modem": "a b; c"}, {"modem"}),
    ],
    ids=repr,
)
def test_only_places_of_the_operator_can_be_chosen(data: dict[str, str], wrong: set[str]) -> None:
    assert set(form(GIVEN, **data).errors) == wrong


@pytest.mark.parametrize(
    "stored",
    [
        {"place": "spool gone"},
        {"place": ""},
        {},
        {"place": "spool closed"},
        {"place": "spool closed", "access_code": "the old code"},
    ],
    ids=repr,
)
def test_a_place_that_is_no_longer_lent_is_not_touched(stored: dict[str, str]) -> None:
    line = Gammu({**stored, **GIVEN}, FakeHttp(), Addresses(BASE))

    for act in (lambda: line.send(sms()), lambda: line.poll("", []), line.check):
        with pytest.raises(Misconfigured, match="this SMSD"):
            act()
    assert line.sheets() == []


def test_the_access_code_is_a_secret() -> None:
    assert Gammu.secret_fields() == ["access_code"]
    assert places_of(GIVEN)["spool closed"].code == CODE


# ---- What is pasted into SMSD -------------------------------------------------------------------


def sheets(where: str, kind: str = "databases", **changes: str) -> list[str]:
    settings = {"place": f"{kind.removesuffix('s')} m", kind: {"m": where}, **changes}
    line = Gammu(settings, FakeHttp(), Addresses(BASE))
    return [text for _heading, text in line.sheets()]


def test_the_configuration_of_folders_is_whole() -> None:
    smsdrc, commands = sheets("/var/spool/gammu/", "spools")

    for line in (
        "Service = files",
        "OutboxPath = /var/spool/gammu/outbox/",
        "InboxFormat = detail",
        "DeliveryReport = sms",
    ):
        assert line in smsdrc.splitlines()
    assert "-m 2770 /var/spool/gammu/{inbox,outbox,sent,error,read}" in commands


@pytest.mark.parametrize(
    ("where", "lines"),
    [
        (
            "sqlite:////var/lib/gammu/smsd.db",
            ["Driver = sqlite3", "DBDir = /var/lib/gammu", "Database = smsd.db"],
        ),
        (
            "postgres://smsd:hunter2@db:5433/sms",
            ["Driver = native_pgsql", "Host = db:5433", "Database = sms", "User = smsd"],
        ),
        ("postgresql:///sms", ["Host = localhost", "Database = sms"]),
    ],
)
def test_the_configuration_of_a_database_has_no_password(where: str, lines: list[str]) -> None:
    [smsdrc] = sheets(where, modem="usb-1")

    assert set(lines) <= set(smsdrc.splitlines())
    assert "PhoneID = usb-1" in smsdrc.splitlines()
    assert "hunter2" not in smsdrc


@pytest.mark.parametrize("cursor", ["", "{}", "[]", "null", '"x"'])
def test_any_memory_of_a_look_will_do(smsd: Smsd, cursor: str) -> None:
    assert looked(smsd, cursor)[0] == []
