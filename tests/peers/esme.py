"""smpplib's own client, for tests of the SMSCs: one PDU after the other, and nothing by itself."""

from __future__ import annotations

from typing import Any

from smpplib import client, smpp
from smpplib.pdu import PDU


class Esme(client.Client):
    """Bound to 127.0.0.1:`port` once it is made; it leaves without unbinding.

    Raises smpplib's PDUError when it is refused.
    """

    def __init__(
        self,
        port: int,
        *,
        mode: str = "transceiver",
        system_id: str = "acme",
        password: str = "s3cret",
    ) -> None:
        super().__init__(
            "127.0.0.1", port, logger_name="tests.esme", allow_unknown_opt_params=True, timeout=10
        )
        self.connect()
        try:
            getattr(self, f"bind_{mode}")(system_id=system_id, password=password)
        except BaseException:
            self.disconnect()
            raise

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def submit(self, text: bytes = b"Bonjour", **fields: Any) -> int:
        """Send a message that asks for a receipt; give its sequence number."""
        given = {"registered_delivery": 1, "source_addr": "acme", "source_addr_ton": 5}
        given |= {"dest_addr_ton": 1, "destination_addr": "33612345678", "short_message": text}
        return int(self.send_message(**given | fields).sequence)

    def read(self, count: int = 1) -> list[PDU]:
        return [self.read_pdu() for _ in range(count)]

    def read_bytes(self, count: int) -> bytes:
        return bytes(self._recv_exact(count))

    def answer(self, pdu: PDU, status: int = 0) -> None:
        made = smpp.make_pdu(f"{pdu.command}_resp", client=self, status=status)
        made.sequence = pdu.sequence
        self.send_pdu(made)
