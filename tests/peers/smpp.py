"""An SMSC that nobody here wrote: npm's `smpp` (node-smpp, https://github.com/farhadi/node-smpp, MIT).

    with start_smsc() as smsc:
        bind to 127.0.0.1:smsc.port
        smsc.behave("throttle", times=3)
        smsc.wait_for_submits(1)
        smsc.receipt(1, "DELIVRD")

`smsc.js` beside this file does what the orders here say, and tells what it got. `npm.py` installs the
package; where that cannot be, the test skips and says why. Sources: SMPP 3.4 §4 and §5.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.peers import npm
from tests.peers.tls import Authority

VERSION = "0.5.1"
# Seconds to start, to wait for anything.
PATIENCE = 30
FROM, TO = "+33612345678", "12345"

Tlvs = Sequence[tuple[int, bytes]]
# What waits for an answer of the SMSC's client: the fields of a PDU, as `parts` gives them.
Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Submit:
    """A submit_sm as it came.

    number: from 1 on, over all connections     link: the connection, from 1 on
    id: the SMSC's message_id, empty when it refuses     at: milliseconds of the SMSC's clock
    window: submits that were unanswered on this link, this one included
    outcome: what the SMSC was told to do with it     sequence: its sequence_number
    fields: the mandatory ones, by their names in SMPP 3.4 (validity_period, registered_delivery …)
    header, data: user data header and the rest, of short_message or message_payload
    text: as node-smpp decodes `data`, None where data_coding is no text     raw: the whole PDU
    """

    number: int
    id: str
    link: int
    at: float
    window: int
    outcome: str | int
    sequence: int
    fields: Mapping[str, Any]
    header: bytes
    data: bytes
    text: str | None
    tlvs: Mapping[int, bytes]
    raw: bytes

    @property
    def part(self) -> tuple[int, int, int] | None:
        """Give (reference, parts, part) of a long message's part."""
        if self.header[1:2] == b"\x00":
            return self.header[3], self.header[4], self.header[5]
        if self.header[1:2] == b"\x08":
            return int.from_bytes(self.header[3:5]), self.header[5], self.header[6]
        if 0x020C in self.tlvs:
            sar = (self.tlvs[tag] for tag in (0x020C, 0x020E, 0x020F))
            reference, parts, part = map(int.from_bytes, sar)
            return reference, parts, part
        return None


class Smsc:
    """A running SMSC on 127.0.0.1:`port`. `news` is all it told, in order."""

    def __init__(self, settings: Mapping[str, Any], tls: Mapping[str, Any] | None) -> None:
        self.news: list[dict[str, Any]] = []
        self._answers: dict[int, dict[str, Any]] = {}
        self._orders = 0
        self._changed = threading.Condition()
        modules = npm.package("smpp", VERSION).parent
        given = {"port": 0, "settings": settings, "tls": tls}
        self.process = subprocess.Popen(
            [npm.node(), str(Path(__file__).with_name("smsc.js")), json.dumps(given)],
            env={**os.environ, "NODE_PATH": str(modules)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.port = int(self.wait_for("listening")[0]["port"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.kill()
        self.process.wait()
        self._listener.join()
        self.process.stdin.close()
        self.process.stdout.close()

    # ---- What it does -----------------------------------------------------------------------

    def behave(self, kind: str | int = "ok", *, times: int = 0, **options: Any) -> None:
        """Say what becomes of the next `times` submits, after what was said before; 0 = of all from now.

        "ok"        taken
        "throttle"  refused with 0x58          "full"  with 0x14          a number: with that status;
                    `tail` = bytes behind the header of the refusal, as hex
        "mute"      taken, never answered
        "nack"      generic_nack with `status`, with its own or another `sequence`
        "reorder"   taken; `batch` answers in reverse, fewer when none comes for 100 ms
        "drop"      taken and not answered; the connection is lost with the last of `times`
        "unbind"    taken; the SMSC unbinds after the last of `times`

        `delay` = milliseconds before it happens; `held` = not before `release`; `ids` as in `set`;
        `tlvs` goes into the answer.
        """
        if "tlvs" in options:
            options["tlvs"] = _hex(options["tlvs"])
        self._ask("behave", rule={"kind": kind, "times": times, **options})

    def release(self) -> None:
        """Do with the submits that are held what was to become of them, and hold no more."""
        self._ask("release")

    def set(self, **values: Any) -> None:
        """Change how it is; `reset` undoes it. Times in milliseconds.

        system_id, password: None = any; else another is refused with 0x0E
        max_binds: of one system_id; more are refused with `max_binds_status`
        bind: "ok", "mute", "nack"     bind_status: refuse each     greet: enquire_link before the answer
        enquire: "ok", "mute"     mute: hear nothing at all any more     rate: submits per second, then 0x58
        output: "plain", "bytes", "coalesce"; `output_ms`
        ids, receipt_ids: {"base": 16, "width": 8, "upper": False}, or a string: the same id for each
        alphabet: of data_coding 0: "gsm", "latin1", "ascii", "utf8"
        retry: until a deliver_sm that was not acknowledged is sent again     patience: for the answer
        """
        self._ask("set", values=values)

    def reset(self) -> None:
        """Be as at the start: forget all news and what nobody acknowledged; numbers and ids begin anew."""
        self._ask("reset")
        self.news.clear()

    def plain(self) -> None:
        """Write each PDU as it is."""
        self.set(output="plain")

    def byte_at_a_time(self) -> None:
        """Write byte by byte."""
        self.set(output="bytes")

    def coalesce(self, milliseconds: int = 20) -> None:
        """Write all PDUs of some milliseconds in one piece (one TLS record, up to 16 KB)."""
        self.set(output="coalesce", output_ms=milliseconds)

    def receipts(self, stat: str = "DELIVRD", **options: Any) -> None:
        """From now on, send a receipt for each message that asks for one.

        `delay` in milliseconds; `early`: before the submit_sm_resp; `always`: also when not asked for;
        `times`: how often; and the options of `receipt`.
        """
        self.set(receipts={"stat": stat, **_receipt(options)})

    def no_receipts(self) -> None:
        self.set(receipts=None)

    def refuse(self) -> None:
        """Take no more connections; those that are stay."""
        self._ask("refuse")

    def listen(self) -> None:
        """Take connections again, on the same port."""
        self._ask("listen")

    def drop(self) -> None:
        """Lose all connections."""
        self._ask("drop")

    def unbind(self) -> None:
        """Unbind all, and close each when it has answered."""
        self._ask("unbind")

    def enquire(self) -> list[int | None]:
        """Send enquire_link to each; give the statuses of the answers, None for none in time."""
        answers: list[int | None] = self._ask("enquire")["answers"]
        return answers

    def alert(self, sender: str = FROM) -> None:
        """Send alert_notification."""
        self._ask("alert", **{"from": sender.lstrip("+")})

    def raw(self, data: bytes) -> None:
        """Send these bytes to each connection, whatever they are."""
        self._ask("raw", hex=data.hex())

    # ---- What it delivers -------------------------------------------------------------------

    def parts(
        self,
        text: str,
        *,
        coding: str = "",
        split: str = "",
        sender: str = FROM,
        to: str = TO,
        tlvs: Tlvs = (),
        **fields: Any,
    ) -> list[Part]:
        """Give a text as a subscriber writes it, for `deliver`.

        `coding` is "gsm", "ascii", "latin1", "ucs2", "utf8", or found; `split` is "udh8", "udh16", "sar",
        "payload", or not at all. UCS-2 is cut wherever 134 octets end, within an emoji too.
        """
        order = {"text": text, "coding": coding, "split": split, "from": sender, "to": to}
        parts: list[Part] = self._ask("parts", **order, fields=fields, tlvs=_hex(tlvs))["parts"]
        return parts

    def deliver(
        self, part: Part, *, by: str = "deliver_sm", once: bool = False, wait: bool = True
    ) -> int | None:
        """Deliver a part by deliver_sm or data_sm; give the status of the first answer, None for none.

        What is not answered with 0 comes again after `retry`, unless it is to come `once`. Without
        `wait`, give the delivery's number at once.
        """
        content = {**part, "by": by, "once": once}
        return self._delivered(self._ask("deliver", content=content, wait=wait), wait)

    def write(self, text: str, *, by: str = "deliver_sm", **options: Any) -> list[int | None]:
        """Deliver all `parts` of a text in order; give their statuses."""
        return [self.deliver(part, by=by) for part in self.parts(text, **options)]

    def receipt(
        self, number: int = 0, stat: str = "DELIVRD", *, wait: bool = True, **options: Any
    ) -> int | None:
        """Report about the submit of that number; give the status of the first answer, None for none.

        err                     three digits
        form                    "both", "text" (of the message), "tlv" (0x001E and 0x0427)
        by                      "deliver_sm", "data_sm"
        id                      another message_id      source, destination: other addresses
        nul                     False: no NUL at the end of 0x001E
        digits                  of the dates: 10, 12
        esm_class, text, tlvs   others; `message_state` other than that of `stat`
        once                    do not repeat it

        Number 0 is a message that was never here.
        """
        order = {"number": number, "options": {"stat": stat, **_receipt(options)}, "wait": wait}
        return self._delivered(self._ask("receipt", **order), wait)

    # ---- What it got ------------------------------------------------------------------------

    @property
    def submits(self) -> list[Submit]:
        return [_submit(item) for item in self.told("submit")]

    @property
    def statuses(self) -> list[int | None]:
        """The status of each answer to a delivery, in order; None for none."""
        return [item["status"] for item in self.told("response")]

    @property
    def errors(self) -> list[str]:
        """What node-smpp could not read."""
        return [item["words"] for item in self.told("error")]

    def binds(self) -> list[dict[str, Any]]:
        """Give who is bound now: link, mode, system_id, unanswered."""
        binds: list[dict[str, Any]] = self._ask("binds")["binds"]
        return binds

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Give the news of one kind so far.

        connect, close (unanswered)     bind (mode, status, fields)     unbind (unanswered): by the client
        unbound (status): asked for by the SMSC     submit     response (delivery, attempt, status)
        enquire     nack (status), stray (command): answers to nothing     error (words)
        """
        if self.process.poll() is None:
            self._ask("pause")  # it answers behind all that it has to tell
        return self._of(kind)

    def _of(self, kind: str) -> list[dict[str, Any]]:
        with self._changed:
            return [item for item in self.news if item["news"] == kind]

    def texts(self) -> list[str]:
        """Give the texts, the parts of long ones put together, in the order of their first parts."""
        whole: dict[Any, dict[int, Submit]] = {}
        for submit in self.submits:
            part = submit.part
            peer = submit.fields["source_addr"], submit.fields["destination_addr"]
            key = (*peer, part[0], part[1]) if part else submit.number
            whole.setdefault(key, {})[part[2] if part else 1] = submit
        return [
            "".join(parts[index].text or "" for index in sorted(parts)) for parts in whole.values()
        ]

    def wait_for(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Give the news of a kind once there are `count`. Raises AssertionError when they do not come."""
        self.wait_until(lambda: len(self._of(kind)) >= count, f"{count} × {kind}")
        return self._of(kind)

    def wait_for_submits(self, count: int) -> list[Submit]:
        return [_submit(item) for item in self.wait_for("submit", count)]

    def wait_for_text(self, text: str) -> Submit:
        """Give the first submit of that text once it is there."""
        found: list[Submit] = []

        def came() -> bool:
            found[:] = [one for item in self._of("submit") if (one := _submit(item)).text == text]
            return bool(found)

        self.wait_until(came, text)
        return found[0]

    def wait_until(self, holds: Callable[[], bool], what: str = "that") -> None:
        """Wait for more news until it holds. Raises AssertionError when it does not."""
        end = time.monotonic() + PATIENCE
        with self._changed:
            while not holds():
                left = end - time.monotonic()
                told = [str(item)[:200] for item in self.news[-5:]]
                assert left > 0, f"The SMSC waited for {what}; last it said {told}."
                assert self.process.poll() is None, f"The SMSC ended; last it said {told}."
                self._changed.wait(min(left, 0.5))

    # ---- Lines of JSON ----------------------------------------------------------------------

    def _ask(self, order: str, **content: Any) -> dict[str, Any]:
        assert self.process.stdin
        with self._changed:
            self._orders += 1
            number = self._orders
            line = json.dumps({"order": order, **content, "serial": number})
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        self.wait_until(lambda: number in self._answers, f"an answer to {order}")
        return self._answers.pop(number)

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            item = json.loads(line)
            with self._changed:
                if "answer" in item:
                    self._answers[item["answer"]] = item
                else:
                    self.news.append(item)
                self._changed.notify_all()

    @staticmethod
    def _delivered(answer: Mapping[str, Any], wait: bool) -> int | None:
        status: int | None = answer["status" if wait else "number"]
        return status


def start_smsc(
    *, authority: Authority | None = None, client_certificate: bool = False, **settings: Any
) -> Smsc:
    """Start an SMSC on a free loopback port; `settings` as in `Smsc.set`.

    With an `authority` it speaks TLS as `localhost`; with `client_certificate` too, only to clients that
    show one of that authority.
    """
    if authority is None:
        return Smsc(settings, None)
    own = authority.sign("localhost", "127.0.0.1")
    tls = {"key": own.key, "cert": own.certificate, "ca": authority.certificate}
    return Smsc(settings, {**tls, "requestCert": client_certificate, "rejectUnauthorized": True})


def _hex(tlvs: Tlvs) -> list[tuple[int, str]]:
    return [(tag, value.hex()) for tag, value in tlvs]


def _receipt(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**options, "tlvs": _hex(options.get("tlvs", ()))}


def _submit(item: Mapping[str, Any]) -> Submit:
    same = {
        name: item[name]
        for name in (
            "number",
            "id",
            "link",
            "at",
            "window",
            "outcome",
            "sequence",
            "fields",
            "text",
        )
    }
    return Submit(
        **same,
        header=bytes.fromhex(item["header"]),
        data=bytes.fromhex(item["data"]),
        tlvs={int(tag): bytes.fromhex(value) for tag, value in item["tlvs"].items()},
        raw=bytes.fromhex(item["raw"]),
    )
