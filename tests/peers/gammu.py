"""A real Gammu SMSD with the dummy phone that Gammu brings along, over folders or over PostgreSQL.

    with start_smsd(tmp_path) as peer:
        phone settings: peer.settings
        peer.receive("+33698765432", "Oui")
        peer.wait(lambda: peer.names("inbox"))

Over folders it comes from the wheel python-gammu. The wheel was built without any database, so over
PostgreSQL it is Debian's package gammu-smsd.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import gammu
import pytest

# Seconds until what SMSD does at once has happened, on a busy machine.
PATIENCE = 20
_WHEEL = "import sys, gammu.smsd; gammu.smsd.SMSD(sys.argv[1]).MainLoop()"
# The pauses are for modems.
_CONFIGURATION = """
[gammu]
model = dummy
connection = none
port = {folder}/dummy

[smsd]
logfile = {folder}/log
debuglevel = 255
loopsleep = 0
commtimeout = 0
receivefrequency = 0
statusfrequency = 1
maxretries = 0
deliveryreport = sms
{store}
"""


@dataclass
class SmsdPeer:
    """A running SMSD. `settings` are those of a phone that uses it, with the operator's over them."""

    folder: Path
    settings: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None
    _written: int = field(default=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            [*command, str(self.folder / "smsdrc")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def names(self, folder: str) -> list[str]:
        """Give the files of a folder of the spool, without hidden ones."""
        place = self.folder / "spool" / folder
        return sorted(item.name for item in place.iterdir() if not item.name.startswith("."))

    def sent(self, name: str) -> dict[str, Any]:
        """Read a sent file as Gammu does: its text, number, class, and how many parts."""
        parts = gammu.ReadSMSBackup(str(self.folder / "spool" / "sent" / name))
        whole = gammu.DecodeSMS(gammu.LinkSMS([[part] for part in parts])[0])
        text = parts[0]["Text"] if whole is None else whole["Entries"][0]["Buffer"]
        first = parts[0]
        return {
            "text": text,
            "number": first["Number"],
            "class": first["Class"],
            "parts": len(parts),
        }

    def receive(self, sender: str, text: str) -> None:
        """Let a message come in, in as many parts as Gammu cuts it into."""
        unicode = not text.isascii()
        entries = [{"ID": "ConcatenatedTextLong", "Buffer": text}]
        for part in gammu.EncodeSMS({"Unicode": unicode, "Entries": entries}):
            self._put([{**part, "Number": sender, "Type": "Deliver", "State": "UnRead"}])

    def report(self, number: str, words: str, status: int, reference: int = 255) -> None:
        """Let the network report on a message; the dummy phone numbers all of its own 255."""
        values = {
            "PDU": "Status_Report",
            "DeliveryStatus": status,
            "DateTime": time.strftime("%Y%m%dT%H%M%SZ", time.localtime()),
            # That of the dummy phone: SMSD compares it.
            "SMSC": '"123456"',
            "State": "UnRead",
            "Number": f'"{number}"',
            "NumberUnicode": number.encode("utf-16-be").hex().upper(),
            "Text00": words.encode("utf-16-be").hex().upper(),
            "Coding": "Default_No_Compression",
            "Folder": 1,
            "Length": len(words),
            "Class": -1,
            "MessageReference": reference,
        }
        lines = "".join(f"{name} = {value}\n" for name, value in values.items())
        self._place().write_text(f"[SMSBackup000]\n{lines}")

    def _put(self, parts: list[dict[str, Any]]) -> None:
        gammu.SaveSMSBackup(str(self._place()), parts)

    def _place(self) -> Path:
        self._written += 1
        return self.folder / "dummy" / "sms" / "1" / str(self._written)

    def wait(self, ready: Callable[[], object]) -> None:
        """Wait until something is so. Raises AssertionError, with SMSD's log, if it never is."""
        end = time.monotonic() + PATIENCE
        while not ready():
            log = self.folder / "log"
            assert time.monotonic() < end, log.read_text(errors="replace")[-3000:]
            time.sleep(0.02)


def prepare(folder: Path) -> SmsdPeer:
    """Make a spool and a dummy phone; nothing runs yet."""
    for name in ("inbox", "outbox", "sent", "error", "read"):
        (folder / "spool" / name).mkdir(parents=True)
    for number in range(1, 6):
        (folder / f"dummy/sms/{number}").mkdir(parents=True)
    spool = str(folder / "spool")
    return SmsdPeer(folder, {"place": "spool modem", "spools": {"modem": spool}})


def start_smsd(folder: Path, store: str) -> SmsdPeer:
    """Start the SMSD of the wheel; `store` are the lines a phone shows for [smsd]."""
    peer = prepare(folder)
    _configure(peer, store)
    peer.start([sys.executable, "-c", _WHEEL])
    return peer


def start_smsd_sql(folder: Path, url: str, store: str) -> SmsdPeer:
    """Start Debian's SMSD on an empty PostgreSQL; skip the test where it is not installed."""
    program = shutil.which("gammu-smsd")
    if program is None:
        pytest.skip("There is no gammu-smsd here (Debian: apt install gammu-smsd).")
    peer = prepare(folder)
    peer.settings = {"place": "database modem", "databases": {"modem": url}}
    _configure(peer, store)
    peer.start([program, "-c"])
    return peer


def _configure(peer: SmsdPeer, store: str) -> None:
    # What the peer sets itself comes first, and Gammu takes the first of two.
    (peer.folder / "smsdrc").write_text(_CONFIGURATION.format(folder=peer.folder, store=store))


def tables() -> str:
    """Give the statements that make SMSD's tables in PostgreSQL, as Debian's package brings them."""
    place = Path("/usr/share/doc/gammu-smsd/examples/pgsql.sql")
    if not place.exists():
        pytest.skip("There is no gammu-smsd here (Debian: apt install gammu-smsd).")
    return place.read_text().replace("CREATE LANGUAGE plpgsql;", "")
