"""A Twilio that nobody here wrote: npm's `emulate` (https://github.com/vercel-labs/emulate, Apache-2.0).

    with start_twilio() as peer:
        phone settings: peer.settings
        peer.simulate_incoming("+33612345678", "Oui")
        peer.set_status(sid, "delivered")

`npm.py` installs it; where that cannot be, the test skips and says why.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from tests.peers import npm

# 0.12 needs Node 22.15; other majors of the name are other people's package.
VERSION = "0.11.2"
ACCOUNT_SID = "AC" + "0" * 32
AUTH_TOKEN = "emulated-auth-token"
API_KEY = ("SK" + "0" * 32, "emulated-key-secret")
NUMBER = "+15551234567"
SERVICE_SID = "MG" + "0" * 32
# Seconds to start.
PATIENCE = 20


@dataclass
class TwilioPeer:
    """A running emulator; `number` and `service_sid` belong to the account."""

    base_url: str
    process: subprocess.Popen[bytes]
    folder: Path
    account_sid: str = ACCOUNT_SID
    auth_token: str = AUTH_TOKEN
    api_key: tuple[str, str] = API_KEY
    number: str = NUMBER
    service_sid: str = SERVICE_SID
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False
        self.session.auth = (self.account_sid, self.auth_token)

    def __enter__(self) -> TwilioPeer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a phone that speaks to this emulator."""
        return {
            "account_sid": self.account_sid,
            "auth_token": self.auth_token,
            "sender": self.number,
            "base_url": self.base_url,
        }

    def messages(self) -> list[dict[str, Any]]:
        """Every message it took or sent us, the newest first."""
        answer = self._ask("GET", f"/2010-04-01/Accounts/{self.account_sid}/Messages.json")
        found: list[dict[str, Any]] = answer["messages"]
        return found

    def number_record(self) -> dict[str, Any]:
        """The number as the account has it, with its callback addresses."""
        path = f"/2010-04-01/Accounts/{self.account_sid}/IncomingPhoneNumbers.json"
        record: dict[str, Any] = self._ask("GET", path)["incoming_phone_numbers"][0]
        return record

    def simulate_incoming(self, sender: str, text: str) -> str:
        """Let somebody write to the number; give the SID. Needs its SmsUrl (`Twilio.connect`)."""
        form = {"To": self.number, "From": sender, "Body": text}
        return str(self._ask("POST", "/_twilio/simulate/inbound-message", form)["sid"])

    def set_status(self, sid: str, status: str) -> None:
        """Let a message become `status`, with its callback."""
        form = {"MessageSid": sid, "Status": status}
        self._ask("POST", "/_twilio/simulate/message-status", form)

    def simulate_call(self, caller: str) -> str:
        """Let somebody call the number; give the SID."""
        form = {"To": self.number, "From": caller}
        return str(self._ask("POST", "/_twilio/simulate/inbound-call", form)["sid"])

    def end_call(self, sid: str, status: str = "completed") -> None:
        self._ask("POST", "/_twilio/simulate/call-status", {"CallSid": sid, "Status": status})

    def stop(self) -> None:
        self.session.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Any:
        # It answers only after our side has answered its callback.
        answer = self.session.request(method, self.base_url + path, data=form, timeout=30)
        answer.raise_for_status()
        return answer.json()


def start_twilio() -> TwilioPeer:
    """Start an emulator on a free loopback port; skip the test where there can be none."""
    command = _command()
    folder = Path(tempfile.mkdtemp(prefix="smsapp-twilio-"))
    seed = folder / "seed.json"
    seed.write_text(json.dumps(_seed()))
    port = _free_port()
    base_url = f"http://127.0.0.1:{port}"
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "start", "--service", "twilio", "--port", str(port), "--seed", str(seed)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    peer = TwilioPeer(base_url, process, folder)
    try:
        _wait(peer, log)
    except BaseException:
        peer.stop()
        raise
    return peer


def _command() -> list[str]:
    return [npm.node(), str(npm.package("emulate", VERSION) / "dist" / "index.js")]


def _seed() -> dict[str, Any]:
    return {
        "twilio": {
            "account": {
                "sid": ACCOUNT_SID,
                "auth_token": AUTH_TOKEN,
                "friendly_name": "Les Tilleuls",
            },
            "api_keys": [{"sid": API_KEY[0], "secret": API_KEY[1]}],
            "phone_numbers": [{"phone_number": NUMBER, "friendly_name": "Accueil"}],
            "messaging_services": [
                {
                    "sid": SERVICE_SID,
                    "friendly_name": "Rappels",
                    "phone_numbers": [NUMBER],
                }
            ],
        }
    }


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait(peer: TwilioPeer, log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if peer.process.poll() is not None:
            break
        try:
            peer.messages()
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"The Twilio emulator did not start:\n{log.read_text()[-2000:]}")
