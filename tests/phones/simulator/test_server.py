from __future__ import annotations

import re
from pathlib import Path

import pytest

from lib.http import NoAnswer
from phones.base import (
    Attachment,
    BadNumber,
    BadSignature,
    Callback,
    Delivery,
    IncomingCall,
    IncomingMedia,
    IncomingSms,
    Misconfigured,
    NoCredit,
    OptedOut,
    OptOutNotice,
    PhoneError,
    Reason,
    Rejected,
    StatusReport,
    Temporary,
    Throttled,
)
from phones.simulator.behaviours import BY_ENDING
from phones.types.simulator import Simulator
from tests.phones.simulator.conftest import Line, line_to
from tests.phones.simulator.running import Heard, Receiver, simulator, until

NUMBER = "+336399800"


def callback(heard: Heard, receiver: Receiver) -> Callback:
    url = f"http://127.0.0.1:{receiver.port}{heard.path}"
    return Callback("POST", url, heard.headers, {}, {}, heard.body)


def events(line: Line, receiver: Receiver, count: int) -> list[object]:
    """Give what the type makes of the first `count` callbacks, each verified."""
    found: list[object] = []
    for heard in receiver.wait(count)[:count]:
        it = callback(heard, receiver)
        line.phone.verify(it)
        found += line.phone.parse(heard.path.rstrip("/").rpartition("/")[2], it)
    return found


def test_the_table_on_the_page_names_every_ending() -> None:
    assert [row[0] for row in Simulator.table[:-1]] == list(BY_ENDING)


def test_an_ordinary_number_is_delivered(line: Line, receiver: Receiver) -> None:
    sent = line.send(NUMBER + "00")

    [report] = events(line, receiver, 1)
    assert re.fullmatch(r"sim-[0-9a-f]{16}", sent.provider_id)
    assert (sent.segments, sent.cost, sent.currency) == (1, 50_000, "EUR")
    assert isinstance(report, StatusReport)
    assert report.state == Delivery.DELIVERED
    assert (report.reference, report.provider_id) == ("r1", sent.provider_id)
    assert report.at is not None


def test_what_was_sent_can_be_read_again(line: Line) -> None:
    picture = Attachment("https://sms.example.org/media/1", "image/png", 10)

    line.send(NUMBER + "04", text="Été 🌞", media=(picture,), flash=True)

    [arrival] = line.ask("/messages?reference=r1")
    assert (arrival["to"], arrival["text"], arrival["flash"]) == (NUMBER + "04", "Été 🌞", True)
    assert arrival["media"] == ["https://sms.example.org/media/1"]


@pytest.mark.parametrize(
    ("ending", "reason"),
    [("02", Reason.UNREACHABLE), ("18", Reason.EXPIRED), ("19", Reason.BLOCKED)],
)
def test_a_number_can_fail_later(
    line: Line, receiver: Receiver, ending: str, reason: Reason
) -> None:
    line.send(NUMBER + ending)

    [report] = events(line, receiver, 1)
    assert isinstance(report, StatusReport)
    assert (report.state, report.reason) == (Delivery.FAILED, reason)
    assert report.words


@pytest.mark.parametrize(("ending", "error"), [("03", BadNumber), ("09", OptedOut)])
def test_a_number_can_be_refused_for_ever(line: Line, ending: str, error: type[PhoneError]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            line.send(NUMBER + ending)

    counted = line.ask("/count")
    assert (counted["received"], counted["refused"], counted["owed"]) == (0, 2, 0)


@pytest.mark.parametrize(
    ("ending", "error"),
    [("10", Throttled), ("11", Temporary), ("12", NoCredit), ("13", Misconfigured)],
)
def test_the_second_try_of_a_passing_trouble_goes_through(
    line: Line, receiver: Receiver, ending: str, error: type[PhoneError]
) -> None:
    with pytest.raises(error) as caught:
        line.send(NUMBER + ending)

    line.send(NUMBER + ending)

    receiver.wait(1)
    assert type(caught.value) is error
    assert line.ask("/count")["doubled"] == 0


def test_a_busy_answer_says_when_to_come_back(line: Line) -> None:
    with pytest.raises(Throttled) as caught:
        line.send(NUMBER + "10")

    assert caught.value.retry_after == 2


def test_a_message_can_be_taken_without_an_answer(line: Line, receiver: Receiver) -> None:
    with pytest.raises(NoAnswer):
        line.send(NUMBER + "05")

    assert line.ask("/count")["received"] == 1
    assert receiver.heard == []


def test_silence_follows_a_number_that_never_reports(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "04")

    assert line.ask("/count")["owed"] == 0
    assert receiver.heard == []


def test_a_person_replies(line: Line, receiver: Receiver) -> None:
    sent = line.send(NUMBER + "06")

    _, reply = events(line, receiver, 2)
    assert isinstance(reply, IncomingSms)
    assert (reply.sender, reply.to) == (NUMBER + "06", line.phone.address())
    assert reply.text == "Yes, thank you."
    assert reply.provider_id == f"{sent.provider_id}-reply"


def test_a_person_rings(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "07")

    _, rings, ended = events(line, receiver, 3)
    assert isinstance(rings, IncomingCall)
    assert isinstance(ended, IncomingCall)
    assert rings.provider_id == ended.provider_id
    assert (rings.ended, ended.ended, ended.seconds) == (False, True, 8)


def test_a_person_sends_a_picture_that_can_be_fetched(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "08")
    _, reply = events(line, receiver, 2)
    assert isinstance(reply, IncomingSms)

    picture = line.phone.fetch(reply.media[0])

    assert picture.content_type == reply.media[0].content_type == "image/png"
    assert picture.content.startswith(b"\x89PNG")


def test_a_picture_is_never_fetched_from_elsewhere(line: Line) -> None:
    elsewhere = IncomingMedia("http://192.0.2.1/media/picture.png")

    assert line.phone.fetch(elsewhere).content.startswith(b"\x89PNG")


def test_a_picture_that_is_gone_says_so(line: Line) -> None:
    with pytest.raises(PhoneError, match="nothing here"):
        line.phone.fetch(IncomingMedia("/media/other.png"))


def test_a_person_replies_in_several_alphabets(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "14")

    _, reply = events(line, receiver, 2)
    assert isinstance(reply, IncomingSms)
    assert "спасибо" in reply.text
    assert "🙏🏽" in reply.text


def test_reports_can_come_twice_and_in_the_wrong_order(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "15")

    receiver.wait(4)
    # Each report travels by itself: only how many there are of each is sure.
    told = sorted(body["status"] for body in receiver.bodies("status"))
    assert told == ["delivered", "delivered", "sent", "sent"]


def test_the_report_can_come_before_the_answer(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "16")

    assert len(receiver.heard) == 1


def test_a_person_asks_for_no_more(line: Line, receiver: Receiver) -> None:
    line.send(NUMBER + "17")

    _, reply, notice = events(line, receiver, 2)
    assert isinstance(reply, IncomingSms)
    assert notice == OptOutNotice(NUMBER + "17", "STOP")


def test_a_late_delivery_waits_for_its_time(store: Path, receiver: Receiver) -> None:
    with simulator(store, pace=0.02) as base_url:
        line = line_to(base_url, receiver.base)
        line.send(NUMBER + "01", "late")
        line.send(NUMBER + "00", "soon")

        receiver.wait(2)

    assert [body["reference"] for body in receiver.bodies("status")] == ["soon", "late"]


def test_a_second_arrival_is_a_second_message_and_is_counted(
    line: Line, receiver: Receiver
) -> None:
    first = line.send(NUMBER + "00", "r1")
    second = line.send(NUMBER + "00", "r1")
    line.send(NUMBER + "00", "r2")

    receiver.wait(3)
    assert first.provider_id != second.provider_id
    counted = line.ask("/count")
    assert (counted["received"], counted["references"], counted["doubled"]) == (3, 2, 1)


def test_every_callback_is_signed_with_the_key_of_its_message(
    line: Line, receiver: Receiver
) -> None:
    line.send(NUMBER + "00")
    [heard] = receiver.wait(1)
    stranger = Simulator({"key": "another"}, line.http, line.phone.addresses)

    line.phone.verify(callback(heard, receiver))
    with pytest.raises(BadSignature):
        stranger.verify(callback(heard, receiver))


@pytest.mark.parametrize("status", [500, 503, 403, 302])
def test_a_callback_that_is_not_heard_comes_again(
    line: Line, receiver: Receiver, status: int
) -> None:
    receiver.statuses = [status]

    line.send(NUMBER + "00")

    first, second = receiver.wait(2)
    assert first.body == second.body
    until(lambda: line.ask("/count")["owed"] == 0)


def test_nobody_is_called_for_ever_at_an_address_that_is_gone(
    line: Line, receiver: Receiver
) -> None:
    receiver.statuses = [404]

    line.send(NUMBER + "00")

    receiver.wait(1)
    until(lambda: line.ask("/count")["owed"] == 0)


def test_callbacks_owed_survive_a_restart_of_everything(store: Path) -> None:
    away = Receiver()
    port = away.port
    away.close()
    with simulator(store) as base_url:
        line = line_to(base_url, away.base)
        line.send(NUMBER + "00")
        assert line.ask("/count")["owed"] == 1

    back = Receiver(port)
    try:
        with simulator(store) as base_url:
            back.wait(1)
            again = line_to(base_url, back.base)
            until(lambda: again.ask("/count")["owed"] == 0)
            counted = again.ask("/count")
    finally:
        back.close()

    assert counted["received"] == 1
    assert [body["reference"] for body in back.bodies("status")] == ["r1"]


def test_callbacks_can_be_delivered_to_another_place_than_their_address(
    store: Path, receiver: Receiver
) -> None:
    public = "https://sms.example.org/callbacks/t0ken/"
    with simulator(store, deliver_to=f"127.0.0.1:{receiver.port}") as base_url:
        line = line_to(base_url, public)
        line.send(NUMBER + "00")
        [heard] = receiver.wait(1)

    url = f"{public}status/"
    line.phone.verify(Callback("POST", url, heard.headers, {}, {}, heard.body))
    assert (heard.headers["host"], heard.path) == ("sms.example.org", "/callbacks/t0ken/status/")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "reference"),
        ([], "JSON object"),
        ({"reference": "", "to": "+33", "from": "", "text": "a", "callbacks": {}}, "reference"),
        ({"reference": "r", "to": "Anna", "from": "", "text": "a", "callbacks": {}}, "number"),
        ({"reference": "r", "to": "+33", "from": "", "text": "", "callbacks": {}}, "nothing"),
        ({"reference": "r", "to": "1", "from": "", "text": "a", "callbacks": {"status": 1}}, "not"),
    ],
    ids=["empty", "list", "no reference", "no number", "no text", "no address"],
)
def test_what_cannot_be_read_is_refused_in_words(line: Line, body: object, words: str) -> None:
    answer = line.http.request("POST", f"{line.base_url}/messages", json=body)

    assert answer.status == 400
    assert words in answer.json()["message"]
    assert line.ask("/count")["received"] == 0


def test_a_body_that_is_too_large_gets_no_answer_and_breaks_nothing(line: Line) -> None:
    with pytest.raises(NoAnswer):
        line.http.request("POST", f"{line.base_url}/messages", data=b"x" * 1_100_000)

    assert line.ask("/health") == {"running": True}


def test_a_message_without_a_number_is_rejected_by_the_type(line: Line) -> None:
    with pytest.raises(Rejected):
        line.send("nobody")


def test_health_and_balance_are_told(line: Line) -> None:
    assert line.phone.check() == "The simulator is running."
    assert line.phone.balance().amount == 100_000_000


def test_the_file_is_for_nobody_else(line: Line, store: Path) -> None:
    line.send(NUMBER + "04")

    assert {oct(file.stat().st_mode & 0o777) for file in store.parent.iterdir()} == {"0o600"}
