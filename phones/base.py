"""THE contract between smsapp and a provider.

A phone type is one class in one file or folder of `phones/types/`, whose name is its slug. It never
sees a model, a web request, Django's settings, the clock or the network: it gets decrypted settings, an
injected `lib.http.Http` and `lib.mail.Mail`, and its callback addresses, takes and gives the frozen
records below, and may raise the errors at the top. So it is tested by tables of cases, and needs no
database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from lib import stored
from lib.http import Http, NoAnswer, NotSent
from lib.mail import Mail

if TYPE_CHECKING:
    from phones.sessions import Session

Words = str | Promise
# Seconds. A provider that asks for more would hold a message, or the whole phone, for ever.
LONGEST_WAIT = 86_400.0


# ---- What sending can end in, other than `Sent` -------------------------------------------------


class PhoneError(Exception):
    """The provider's own words and code; both are shown to people as they are."""

    def __init__(self, words: str, code: str = "") -> None:
        self.words = stored.text(words)
        self.code = stored.text(code)
        super().__init__(self.words)


class Temporary(PhoneError):
    """Not accepted, and safe to try again.

    `retry_after` in seconds, where the provider says it; at most LONGEST_WAIT, nonsense is left out.
    """

    def __init__(self, words: str, code: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(words, code)
        # Written so that "not a number" is left out too.
        sensible = retry_after is not None and retry_after > 0
        self.retry_after = min(retry_after or 0, LONGEST_WAIT) if sensible else None


class Throttled(Temporary):
    """Too fast: slow the whole phone down. Does not count as an attempt."""


class Rejected(PhoneError):
    """Will never be accepted: the message failed."""


class BadNumber(Rejected):
    """This number can never be reached."""


class OptedOut(Rejected):
    """The person asked the provider for no more messages."""


class Misconfigured(PhoneError):
    """Every message would fail: pause the phone, keep the message."""


class NoCredit(Misconfigured):
    """The account is empty."""


class OutcomeUnknown(PhoneError):
    """The request left and no usable answer came. Never sent again by itself."""


class BadAnswer(OutcomeUnknown):
    """The provider answered something that this type does not understand: ours to mend."""


class Reason(TextChoices):
    """Why a message was not delivered, in one word of ours beside the provider's own."""

    NONE = "", _("No reason known")
    BAD_NUMBER = "bad_number", _("This number cannot receive SMS")
    OPTED_OUT = "opted_out", _("This person asked for no more messages")
    UNREACHABLE = "unreachable", _("The handset could not be reached")
    BLOCKED = "blocked", _("The network or the recipient blocked it")
    EXPIRED = "expired", _("It could not be delivered in time")
    REJECTED = "rejected", _("The provider refused it")
    GAVE_UP = "gave_up", _("It could not be handed over within a day")
    NO_ANSWER = "no_answer", _("The provider never answered")
    WORKER_LOST = "worker_lost", _("The worker stopped while it was being sent")
    NOT_KNOWN = "not_known", _("The network does not know what became of it")
    PHONE_GONE = "phone_gone", _("Its phone was deleted")
    BY_HAND = "by_hand", _("Settled by hand")
    NOT_A_NUMBER = "not_a_number", _("This is not a phone number")
    LANDLINE = "landline", _("This is a landline")
    EMPTY = "empty", _("Its text is empty")
    BAD_TEXT = "bad_text", _("Its text could not be made")
    NO_PHONE = "no_phone", _("No phone can reach this number")
    TOO_LATE = "too_late", _("Its time had passed")
    NOT_PERMITTED = "not_permitted", _("Not among the people that the sender may write to")
    QUOTA = "quota", _("The workspace’s quota was used up")
    OWN_QUOTA = "own_quota", _("The sender’s own quota was used up")


# ---- What a callback can be refused for ---------------------------------------------------------


class BadSignature(Exception):
    """The callback does not come from the provider: 403."""


class Malformed(Exception):
    """The callback cannot be read: 400. The text says what is missing."""


# ---- Records ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Attachment:
    """A picture or file that goes with a message: `url` (public, expiring), MIME type, bytes.

    `read` gives its content, for types that carry it themselves.
    """

    url: str
    content_type: str
    size: int
    read: Callable[[], bytes] = field(default=bytes, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class OutgoingSms:
    """A message to hand over. `to` is E.164.

    `reference` is ours and comes back in callbacks; `key` is unique for ever and everywhere, and the
    same at each try: for providers that recognise what they have already taken. `carrier` is the slug
    of the recipient's carrier where the type wants it (`wants_carrier`), "" if nobody knows it.
    """

    reference: str
    to: str
    text: str
    media: tuple[Attachment, ...] = ()
    flash: bool = False
    key: str = ""
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took it. `segments` and `cost` as it counts them, where it says so.

    `cost` is in millionths of `currency` (ISO 4217): 49000 and "EUR" are 4.9 cents.
    `provider_ids` are those of each segment, in order, where the provider reports on each.
    """

    provider_id: str
    segments: int | None = None
    cost: int | None = None
    currency: str = ""
    provider_ids: tuple[str, ...] = ()


class Delivery(StrEnum):
    """What a status report says of a message the provider took."""

    SENT = "sent"  # on its way: handed to the network
    DELIVERED = "delivered"
    FAILED = "failed"
    UNKNOWN = "unknown"  # the network itself does not know what became of it


class Line(StrEnum):
    """What kind of number a look-up found."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    VOIP = "voip"
    UNKNOWN = ""


@dataclass(frozen=True, slots=True)
class StatusReport:
    """News of a message, found by our `reference` or by `provider_id`; one of them is enough.

    `aliases` are other names it may go by, for providers that write one id in two ways; they count
    only for a message to `peer`, the number the report is about.
    `segments`, `cost` and `currency` as in `Sent`, of the whole message, where the report says them.
    """

    state: Delivery
    provider_id: str = ""
    reference: str = ""
    reason: str = ""  # one of messaging.models.Reason, where the code is known
    code: str = ""
    words: str = ""
    at: datetime | None = None
    aliases: tuple[str, ...] = ()
    peer: str = ""
    segments: int | None = None
    cost: int | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a longer message that comes in pieces: the `number`-th of `total`, from 1.

    Pieces with the same sender, to, `reference` and `total` belong together.
    """

    reference: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class IncomingMedia:
    """An incoming picture: its `content` where that came along, else the `url` to fetch it from with
    this phone's credentials."""

    url: str = ""
    content_type: str = ""
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class IncomingSms:
    """A message that somebody sent us. `provider_id` tells a repetition from a second message.

    With `part` it is a piece of one, with a `provider_id` of its own where there is one. Its text may
    begin or end with half of a surrogate pair: phones cut an emoji in two.
    Where the provider has no such id, a session gives `fingerprint` instead: all that it sent, digested.
    `perhaps_repeated` = it may be one that we have, which the provider told again.
    """

    sender: str
    text: str
    provider_id: str
    to: str = ""
    media: tuple[IncomingMedia, ...] = ()
    at: datetime | None = None
    part: Part | None = None
    fingerprint: str = ""
    perhaps_repeated: bool = False


@dataclass(frozen=True, slots=True)
class IncomingCall:
    """A call that rings, or has ended. `seconds` is its length, once it has ended."""

    caller: str
    provider_id: str
    ended: bool = False
    seconds: int | None = None
    outcome: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OptOutNotice:
    """Somebody asked the provider for no more messages, or (`again`) for messages once more."""

    number: str
    words: str = ""
    again: bool = False


Event = StatusReport | IncomingSms | IncomingCall | OptOutNotice


@dataclass(frozen=True, slots=True)
class Callback:
    """A request from the provider, as it came.

    `url` is the address the provider was given, built from PUBLIC_URL, with the query it used.
    `headers` have lower-case names; `query` and `form` keep repeated values.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    form: Mapping[str, list[str]]
    body: bytes

    def first(self, name: str, default: str = "") -> str:
        """Give the first value of `name` in the form, else in the query."""
        values = self.form.get(name) or self.query.get(name)
        return values[0] if values else default

    def need(self, name: str) -> str:
        """Give the first non-empty value of `name`. Raises Malformed."""
        if not (value := self.first(name)):
            raise Malformed(f"{name} is missing.")
        return value


@dataclass(frozen=True, slots=True)
class Reply:
    """What the provider wants to read after a callback."""

    status: int = 200
    content_type: str = "text/plain"
    body: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left on the account, in millionths of `currency`."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Money:
    """What a segment costs, in millionths of `currency` (ISO 4217)."""

    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What a look-up says of a number.

    `carrier` is the provider's name for the carrier that has the number today, "" where it knows none;
    `line` what kind of number it is; `country` ISO 3166 alpha-2; `code` the network's MCC-MNC, such as
    "310-410". All but the carrier may be missing.
    """

    carrier: str
    line: Line
    country: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Polled:
    """What asking the provider gave: events, and where to go on next time (the type's own words)."""

    events: tuple[Event, ...] = ()
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file fetched from the provider."""

    content: bytes
    content_type: str


# ---- What a type says about itself --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ability:
    """Yes or no, with a note where it matters."""

    ok: bool
    note: Words = ""

    def __bool__(self) -> bool:
        return self.ok


def yes(note: Words = "") -> Ability:
    return Ability(True, note)


def no(note: Words = "") -> Ability:
    return Ability(False, note)


def _can(label: Words, long: Words) -> Any:
    return field(default=Ability(False), metadata={"label": label, "long": long})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The capability matrix of one type. It feeds pages, composer, API, command and docs."""

    send: Ability = _can(_("Send"), _("Send SMS"))
    receive: Ability = _can(_("Receive"), _("Receive SMS"))
    phone_status: Ability = _can(_("Status"), _("Tell the state of the phone"))
    mms_out: Ability = _can(_("MMS out"), _("Send pictures (MMS)"))
    mms_in: Ability = _can(_("MMS in"), _("Receive pictures (MMS)"))
    delivery: Ability = _can(_("Delivery"), _("Follow delivery"))
    flash: Ability = _can(_("Flash"), _("Send flash SMS"))
    call: Ability = _can(_("Calls"), _("Alert on an incoming call"))
    call_end: Ability = _can(_("Call ends"), _("Alert on the end of a call"))
    own_name: Ability = _can(_("Own name"), _("Show a name as sender"))
    unicode: Ability = _can(_("Unicode"), _("Send any alphabet and emoji"))
    long: Ability = _can(_("Long"), _("Send long messages"))
    balance: Ability = _can(_("Balance"), _("Tell what is left on the account"))
    price: Ability = _can(_("Price"), _("Tell what a message costs"))
    look_up: Ability = _can(_("Look-up"), _("Look up a number's carrier"))
    polling: Ability = _can(_("Polling"), _("Ask for news where no callback comes"))
    bulk: Ability = _can(_("Bulk"), _("Send many in one request"))
    safe_retry: Ability = _can(_("Never twice"), _("Recognise a message it has already taken"))
    signed: Ability = _can(_("Signed"), _("Sign its callbacks"))
    opt_out: Ability = _can(_("Opt-outs"), _("Tell us who asked for no more messages"))

    @classmethod
    def names(cls) -> list[str]:
        return [item.name for item in fields(cls)]

    @classmethod
    def label(cls, name: str) -> Words:
        """Give the short heading of a column."""
        label: Words = cls.__dataclass_fields__[name].metadata["label"]
        return label

    @classmethod
    def sentence(cls, name: str) -> Words:
        """Give the capability in full words."""
        words: Words = cls.__dataclass_fields__[name].metadata["long"]
        return words


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address the provider calls.

    `name` stands in the URL; `label`, `why` and `paste` are for people: what it is, what is missing
    without it, and where to paste it at the provider (steps of its menus).
    `automatic` = we tell the provider ourselves with each message; nothing has to be pasted.
    `carries_media` = whole pictures come with what is told there, so it may be large.
    """

    name: str
    label: Words
    why: Words
    paste: tuple[Words, ...] = ()
    methods: tuple[str, ...] = ("POST",)
    automatic: bool = False
    carries_media: bool = False


@dataclass(frozen=True, slots=True)
class Addresses:
    """The callback addresses of one phone, built from PUBLIC_URL."""

    base: str

    def of(self, endpoint: str, **query: str) -> str:
        """Give the address of an endpoint; `query` travels with it and comes back in the callback."""
        tail = f"?{urlencode(query)}" if query else ""
        return f"{self.base}{endpoint}/{tail}"


class PhoneType:
    """A provider. Subclass it once per file or folder of `phones/types/`; instances serve one phone.

    What a type must give: `label`, `what`, `can`, `Settings`, and each method that its capabilities
    promise. The contract test (tests/phones/test_contract.py) checks every type.
    """

    # Templates read the class; without this Django would call it.
    do_not_call_in_templates: ClassVar[bool] = True

    slug: ClassVar[str] = ""  # set by the registry: the module's name
    label: ClassVar[Words]
    # Who is behind it, where the label says more: “OVH” of “OVH short code”; set by the registry else.
    provider: ClassVar[Words] = ""
    # A few words under the label: where or what for.
    what: ClassVar[Words]
    # The provider's own documentation.
    docs: ClassVar[str] = ""
    can: ClassVar[Capabilities]
    endpoints: ClassVar[tuple[Endpoint, ...]] = ()
    # What to do on the provider's site, step by step; shown beside the form and the addresses.
    setup: ClassVar[tuple[Words, ...]] = ()
    # Why callbacks cannot be verified, for a provider that does not sign them.
    unsigned: ClassVar[Words] = ""
    # Nothing that leaves by it arrives anywhere: it is for trying.
    pretends: ClassVar[bool] = False
    # Segments per second that a new phone of this type starts with.
    rate: ClassVar[float] = 1
    # Other names that the provider's habit gives to endpoints in /c/ex/<token>/<name>: {name: endpoint}.
    actions: ClassVar[Mapping[str, str]] = {}
    # Messages that one request of `send_many` takes at most.
    bulk_size: ClassVar[int] = 1
    # Seconds between two looks of `poll`.
    poll_every: ClassVar[int] = 60
    # It stays connected: `session` is what sends and receives, `send` is not used.
    connected: ClassVar[bool] = False
    # Seconds after which `poll` is asked about a message that nothing was heard of.
    ask_after: ClassVar[int] = 0
    # Whether messages go elsewhere for each carrier, so that `OutgoingSms.carrier` must be looked up.
    wants_carrier: ClassVar[bool] = False
    # Rows (what a number does, ...) shown as a small table on the phone's page.
    table: ClassVar[tuple[tuple[Words, Words], ...]] = ()

    class Settings(forms.Form):
        """The fields of the settings page: also what is stored, and what is secret (PasswordInput)."""

    def __init__(self, settings: Mapping[str, Any], http: Http, addresses: Addresses) -> None:
        self.settings = settings
        self.http = http
        self.addresses = addresses
        # Whoever makes the type puts a guarded and recorded one in its place.
        self.mail = Mail()

    @classmethod
    def offer(cls, form: forms.Form, given: Mapping[str, Any]) -> None:
        """Fit a new form to what the operator set for every phone of this type, if anything."""

    def address(self) -> str:
        """Give the number or name that people see as the sender, or ""."""
        return ""

    def send(self, sms: OutgoingSms) -> Sent:
        """Hand one message over. Raises a PhoneError, NotSent or NoAnswer."""
        raise NotImplementedError

    def send_many(self, batch: Sequence[OutgoingSms]) -> list[Sent | PhoneError]:
        """Hand several over in one request (can.bulk): the outcome of each, in the order of `batch`.

        Messages of one batch have the same text, media and flash. Raises what `send` raises when
        the whole request fails.
        """
        raise NotImplementedError

    def poll(self, cursor: str, pending: Sequence[str]) -> Polled:
        """Ask for news (can.polling): what came in, and what became of `pending` (provider ids).

        `cursor` is what the last look gave, "" at first. Looks may overlap: the same news twice
        harms nothing. Raises a PhoneError, NotSent or NoAnswer.
        """
        raise NotImplementedError

    def account_name(self) -> str:
        """Name the account at the provider, so that all its phones slow down together; "" = just this."""
        return ""

    def session(self) -> Session:
        """Give a session, not yet started (connected)."""
        raise NotImplementedError

    def watch(self, seconds: float, stop: Callable[[], bool]) -> bool:
        """Wait for news, at most `seconds`; say whether there are any that `poll` would find.

        It looks at `stop` once a second at least, and gives False when that says so. The first call
        gives True if anything may have happened before it. What it opened it may keep for its next
        call; `close` ends it. `manage.py sessions` runs it, one thread per phone. Raises a
        PhoneError, NotSent or NoAnswer.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what calls have kept open. The next call opens it again."""
        self.mail.close()

    def verify(self, callback: Callback) -> None:
        """Raise BadSignature unless the callback comes from the provider."""

    def parse(self, endpoint: str, callback: Callback) -> list[Event]:
        """Read a verified callback. Raises Malformed."""
        raise NotImplementedError

    def reply(self, endpoint: str) -> Reply:
        """Give what the provider wants to read once the events are stored."""
        return Reply()

    def check(self) -> str:
        """Try the credentials without sending anything; give one sentence of good news.

        Raises a PhoneError, NotSent or NoAnswer.
        """
        raise NotImplementedError

    def balance(self) -> Balance:
        """Ask what is left on the account."""
        raise NotImplementedError

    def price_to(self, country: str) -> Money:
        """Ask what a segment to a country (ISO 3166 alpha-2) costs, by its dearest network.

        For the price table (can.price); optional. Raises Rejected where it does not send there.
        """
        raise NotImplementedError

    def look_up(self, number: str) -> LookedUp:
        """Ask which carrier a number (E.164) belongs to (can.look_up). Each answer costs money.

        Raises BadNumber where there is no such number, Rejected where this one cannot be looked up,
        and else what `send` raises; nothing leaves for the number itself.
        """
        raise NotImplementedError

    def fetch(self, media: IncomingMedia) -> Fetched:
        """Fetch a picture of an incoming message."""
        raise NotImplementedError

    def connect(self) -> str:
        """Set our callback addresses at the provider; give one sentence that says what was set."""
        raise NotImplementedError

    def sheets(self) -> list[tuple[Words, str]]:
        """Give what managers copy or check, as (heading, text): configuration, a sample request.

        Without secrets, but with the callback addresses.
        """
        return []

    @classmethod
    def connects(cls) -> bool:
        """Say whether `connect` can set the addresses at the provider."""
        return cls.connect is not PhoneType.connect

    @classmethod
    def watches(cls, settings: Mapping[str, Any]) -> bool:
        """Say whether a phone with these settings has something to `watch`."""
        return cls.watch is not PhoneType.watch

    @classmethod
    def has_price_list(cls) -> bool:
        """Say whether `price_to` can be asked."""
        return cls.price_to is not PhoneType.price_to

    @classmethod
    def carriers(cls, settings: Mapping[str, Any]) -> Mapping[str, str]:
        """Give {slug: name} of the carriers that a phone with these settings reaches."""
        return {}

    @classmethod
    def by_carrier(cls, settings: Mapping[str, Any]) -> bool:
        """Say whether a phone with these settings needs each recipient's carrier (wants_carrier)."""
        return cls.wants_carrier

    @classmethod
    def carrier_of(cls, settings: Mapping[str, Any], found: LookedUp) -> str:
        """Give the slug, of `carriers`, of the one carrier that a look-up found; "" for no sure one."""
        return ""

    @classmethod
    def secret_fields(cls) -> list[str]:
        """Give the names of the settings that are secrets."""
        return [
            name
            for name, item in cls.Settings.base_fields.items()
            if isinstance(item.widget, forms.PasswordInput)
        ]


# A type itself, not a phone of it.
Kind = type[PhoneType]


def in_turns(pending: Sequence[str], last: str, most: int) -> tuple[list[str], str]:
    """Give those of `pending` that a look asks about, at most `most`, and the one to go on after.

    `last` is what the look before gave as such, "" when it asked about all.
    """
    waiting = sorted(pending)
    turn = [name for name in waiting if name > last] + [name for name in waiting if name <= last]
    return turn[:most], turn[most - 1] if len(turn) > most else ""


def outcome_of(error: NotSent | NoAnswer) -> PhoneError:
    """Give what a transport error means for a type that is not safe to retry."""
    if isinstance(error, NotSent):
        return Temporary(str(error))
    return OutcomeUnknown(str(error))
