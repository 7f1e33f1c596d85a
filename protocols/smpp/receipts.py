"""Delivery receipts: which deliver_sm is one, what it says, and of which message (SMPP 3.4 §2.11, §5.2.12, appendix B).

Only esm_class makes a message a receipt: its text alone can be forged from any handset. A link may be said to send receipts
in plain messages (`reads_as_receipt`), at that risk. The text is a vendor's own matter, so it is read leniently, and the TLVs
beat it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum, IntEnum
from typing import Final

import msgspec

from protocols.smpp.alphabets import Alphabet, decode
from protocols.smpp.codec import wide_number
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.tags import Tag
from protocols.smpp.text import user_data

TYPE_MASK: Final = 0x3C
"""Bits 5 to 2 of esm_class: what kind of message (SMPP 3.4 §5.2.12)."""


class MessageType(IntEnum):
    """Values of those bits."""

    DEFAULT = 0x00
    DELIVERY_RECEIPT = 0x04
    DELIVERY_ACKNOWLEDGEMENT = 0x08
    USER_ACKNOWLEDGEMENT = 0x10
    CONVERSATION_ABORT = 0x18
    INTERMEDIATE_NOTIFICATION = 0x20


class MessageState(IntEnum):
    """message_state (SMPP 3.4 §5.2.28; SCHEDULED and SKIPPED are of 5.0 §4.7.15)."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9

    @property
    def final(self) -> bool:
        """Nothing else will come for this message."""
        return self in _FINAL


_FINAL: Final = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)

STATS: Final[Mapping[str, MessageState]] = {
    name: state
    for state, names in {
        MessageState.DELIVERED: "DELIVRD DELIVERED DELIVERD DELVRD DELIVER DELIV DLVRD SUCCESS ACKED ACK READ "
        "SEEN DISPLAYED DELIVEREDTOHANDSET DELIVEREDTOTERMINAL DELIVEREDTODEVICE DELIVEREDTOPHONE DELIVEREDTORECIPIENT "
        "DELIVEREDTOSUBSCRIBER 0 2",
        MessageState.EXPIRED: "EXPIRED EXPIRD EXPIRE TIMEOUT VALIDITYEXPIRED 3",
        MessageState.DELETED: "DELETED DELETD CANCELED CANCELLED CANCELD 4",
        MessageState.UNDELIVERABLE: "UNDELIV UNDELIVERABLE UNDELIVERED UNDELIVRD UNDELIVERD UNDLVRD UNDLV NOTDELIVERED "
        "NOTDELIVRD NONDELIV NONDELIVERED DELIVERYFAILED DELIVERYFAIL DELIVERYFAILURE DELIVERYERROR DELIVERYIMPOSSIBLE "
        "DELIVERFAILED DELIVERFAIL DELIVFAILED DELIVFAIL FAILED FAIL FAILURE ERROR ERR "
        "NACK NACKED INVALID ABSENT NOROUTE UNROUTABLE PERMFAIL 5",
        MessageState.REJECTED: "REJECTD REJECTED REJECT REJ BLACKLST BLACKLIST BLACKLISTED BLOCKED BARRED SPAM 8",
        MessageState.ACCEPTED: "ACCEPTD ACCEPTED ACCEPT 6",
        MessageState.ENROUTE: "ENROUTE INPROGRESS BUFFRED BUFFERD BUFFERED QUEUED PENDING SENT SUBMITTED SUBMITD "
        "DELIVEREDTONETWORK DELIVEREDTOSMSC DELIVEREDTOGATEWAY DELIVEREDTOOPERATOR DELIVEREDTOCARRIER MESSAGEWAITING 1",
        MessageState.SCHEDULED: "SCHEDULED",
        MessageState.SKIPPED: "SKIPPED 9",
        MessageState.UNKNOWN: "UNKNOWN UNKNWN 7",
    }.items()
    for name in names.split()
}
"""`stat` of a receipt's text, in the form of `stat_name`: appendix B's seven, what else message centres write, and the numbers
of message_state, but 0, which those that write numbers mean for delivered. A link may have others."""


def stat_name(stat: str) -> str:
    """A `stat` as the tables have it: in capitals, letters and digits alone, a number without leading zeros."""
    name = "".join(filter(str.isalnum, stat.upper()))
    return name.lstrip("0") or "0" if name.isdecimal() else name


_STAT_RUN: Final = re.compile(r"[^\W\d_]+|\d+")
_STAT_ENDS: Final = re.compile(r"[,;|/&]")
_MOST_STAT_WORDS: Final = 3


def read_stat(stat: str, stats: Mapping[str, MessageState] = STATS) -> tuple[str, MessageState | None]:
    """A `stat` and the state that it means, None for one that nobody knows.

    As many words count as are a name together (`NOT DELIVERED`), else the first one, and of that its beginning (`DELIVRD000`,
    `UNDELIV:27`). What follows is not given back: without a label before it, it may be the customer's text. Letters behind the
    beginning may take a delivery back (`DELIVERED_PARTIALLY`): it is none that is known then.
    """
    words = stat.split()[:_MOST_STAT_WORDS]
    for end in range(len(words), 0, -1):
        written = " ".join(words[:end])
        if (name := stat_name(written)) in stats:
            return written, stats[name]
    first = words[0] if words else ""
    runs = _STAT_RUN.findall(_STAT_ENDS.split(first, maxsplit=1)[0])
    for end in range(len(runs), 0, -1):
        state = stats.get(stat_name("".join(runs[:end])))
        if state is not None:
            taken_back = state is MessageState.DELIVERED and any(map(str.isalpha, runs[end:]))
            return first, None if taken_back else state
    return first, None


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """What became of a message.

    Attributes:
        message_id: the message centre's; "" if the receipt names none.
        text_id: the id in the text, where a TLV names another: a message centre may hand on its upstream's receipts.
        state: UNKNOWN where none, or one that nobody knows, is told.
        recognised: a state is told that is known, UNKNOWN among them.
        stat: the state as the text has it, "" without.
        final: no other receipt follows; False for an intermediate notification whatever its state.
        error: the vendor's error code: digits or letters of the text, or the number of network_error_code.
        network_type: first octet of network_error_code; None without.
        submit_date, done_date: as the text has them; `parse_date` reads them.
        submitted, delivered: numbers of messages, None without.
        text: how the message began.
        user_message_reference: our own reference, where the message centre echoes it.
    """

    message_id: str
    state: MessageState
    final: bool
    recognised: bool = True
    text_id: str = ""
    stat: str = ""
    error: str = ""
    network_type: int | None = None
    submit_date: str = ""
    done_date: str = ""
    submitted: int | None = None
    delivered: int | None = None
    text: str = ""
    user_message_reference: int | None = None


def message_type(esm_class: int) -> int:
    """The kind of message, one of MessageType or a reserved value."""
    return esm_class & TYPE_MASK


def is_receipt(esm_class: int) -> bool:
    """Whether a deliver_sm or data_sm tells what the message centre did with a message of ours."""
    return esm_class & TYPE_MASK in {MessageType.DELIVERY_RECEIPT, MessageType.INTERMEDIATE_NOTIFICATION}


_TEXT: Final = re.compile(r"\btext\s*[:=](.*)", re.IGNORECASE | re.DOTALL)
_LABEL: Final = re.compile(
    r"(?<![a-z0-9])(?:(?:(?:message|msg|sms)[ _]?)?(?P<id>id)|(?P<stat>stat(?:us|e)?)|(?P<err>err(?:or)?(?:[ _]?code)?)"
    r"|(?P<other>sub|dlvrd|submit[ _]?date|done[ _]?date))[\"']?\s*[:=]",
    re.IGNORECASE | re.ASCII,
)
_SEPARATORS: Final = ",;|/&\"'<> "
"""What stands around a value: the rest of appendix B's form, of a query's (`id=1&stat=...`) or of JSON."""
_LONGEST_TEXT: Final = 1000
"""Octets of a receipt that are read; appendix B's have about 130."""


def reads_as_receipt(message: DeliverSm | DataSm) -> bool:
    """Whether a message of any class is written like a receipt: by its TLVs, or an id and a state or date in its text.

    Some message centres send receipts with esm_class 0 (the text form in a plain deliver_sm); so may any handset.
    """
    if message.receipted_message_id or message.message_state is not None:
        return True
    payload = getattr(message, "short_message", b"") or message.message_payload or b""
    if b":" not in payload and b"=" not in payload:
        return False
    return _AS_RECEIPTS_BEGIN.search(_ascii(payload)) is not None and _is_whole(parse_text(_ascii(payload)))


_AS_RECEIPTS_BEGIN: Final = re.compile(
    r"^\W*(?:(?:message|msg|sms)[ _]?)?id\s*[:=]|(?<![a-z0-9])(?:stat|dlvrd|(?:submit|done)[ _]?date)\s*:",
    re.IGNORECASE | re.ASCII,
)
"""An id at the very beginning, or a name of appendix B anywhere: people write `status:` and `id:` to a service, too."""
_TELLING: Final = frozenset({"stat", "dlvrd", "submit date", "done date"})


def parse_receipt(message: DeliverSm | DataSm, stats: Mapping[str, MessageState] = STATS) -> Receipt:
    """What a receipt says. Never fails: what is missing is empty, and a receipt may be all empty.

    `stats`: what each `stat` means on this link.
    """
    said = _said(message)
    stated_id = said.get("id", "")
    stat, meant = read_stat(said.get("stat", ""), stats)
    state = _state(_told_state(message), meant)
    error, network_type = said.get("err", ""), None
    if message.network_error_code is not None:
        network_type, told = network_error(message.network_error_code)
        error = error or told
    intermediate = message_type(message.esm_class) == MessageType.INTERMEDIATE_NOTIFICATION
    message_id = message.receipted_message_id or stated_id
    reference = message.user_message_reference
    if reference is None:
        reference = wide_number(message.tlvs, Tag.USER_MESSAGE_REFERENCE)
    return Receipt(
        message_id=message_id,
        state=MessageState.UNKNOWN if state is None else state,
        final=state is not None and state.final and not intermediate,
        recognised=state is not None,
        text_id=stated_id if stated_id != message_id else "",
        stat=stat,
        error=error,
        network_type=network_type,
        submit_date=said.get("submit date", ""),
        done_date=said.get("done date", ""),
        submitted=_number(said.get("sub", "")),
        delivered=_number(said.get("dlvrd", "")),
        text=said.get("text", ""),
        user_message_reference=reference,
    )


def _said(message: DeliverSm | DataSm) -> dict[str, str]:
    """The fields of the text, as data_coding says (the default alphabet is Latin-1 here), or else as ASCII.

    Message centres write receipts in ASCII under the data_coding, or the header bit, of the message that they tell of.
    """
    data = user_data(message, Alphabet.LATIN1)
    said = parse_text(decode(data.octets[:_LONGEST_TEXT], data.alphabet).text)
    if _is_whole(said):
        return said
    payload: bytes = getattr(message, "short_message", b"") or message.message_payload or b""
    return max(said, parse_text(_ascii(payload)), key=lambda fields: len(fields.keys() - {"text"}))


def _ascii(payload: bytes) -> str:
    """The text of a receipt: without its NULs it is the same in UCS-2 and in ASCII."""
    return payload[:_LONGEST_TEXT].replace(b"\0", b"").decode("latin-1")


def _is_whole(said: Mapping[str, str]) -> bool:
    return "id" in said and not _TELLING.isdisjoint(said)


def parse_text(text: str) -> dict[str, str]:
    """The fields of a receipt's text by name, in any order, any of them missing; the first of a name counts.

    Names: id, sub, dlvrd, `submit date`, `done date`, stat, err, text; `msgid`, `status` and `error` are other ones of three of
    them, and `=` stands for `:`. A stat may have several words. What follows `text:` is not searched: it is the customer's.
    """
    text = text.rstrip("\0")
    if text.startswith("{"):
        text = text[1:].rstrip().removesuffix("}")
    found: dict[str, str] = {}
    tail = _TEXT.search(text)
    if tail is not None:
        found["text"] = tail.group(1)
        text = text[: tail.start()]
    labels = list(_LABEL.finditer(text))
    for place, label in enumerate(labels, 1):
        end = labels[place].start() if place < len(labels) else len(text)
        words = text[label.end() : end].replace("\0", " ").strip(_SEPARATORS).split()
        name = _label_name(label)
        found.setdefault(name, " ".join(words) if name == "stat" else words[0].strip(_SEPARATORS) if words else "")
    return found


def _label_name(label: re.Match[str]) -> str:
    """The name of a field as appendix B writes it."""
    if label.lastgroup != "other":
        return label.lastgroup or ""
    name = label.group().rstrip(":= \"'\t\r\n").lower().replace("_", " ")
    return f"{name.removesuffix('date').strip()} date" if name.endswith("date") else name


def _told_state(message: DeliverSm | DataSm) -> int | None:
    """The parameter's state, which some write in more octets than one, or as a digit."""
    told = message.message_state
    if told is None:
        told = wide_number(message.tlvs, Tag.MESSAGE_STATE)
    digit = told is not None and ord("0") <= told <= ord("9")
    return told - ord("0") if told is not None and digit else told


def _state(message_state: int | None, stat: MessageState | None) -> MessageState | None:
    """Of the parameter's state and the text's the final one; the parameter's, if both are, or neither is."""
    try:
        told = None if message_state is None else MessageState(message_state)
    except ValueError:
        told = None
    if told is None or (stat is not None and stat.final and not told.final):
        return stat
    return told


def _number(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 9 else None


def network_error(network_error_code: bytes) -> tuple[int | None, str]:
    """Network type and error of the TLV (SMPP 3.4 §5.3.2.31). Some send three digits instead; no type is known then."""
    if len(network_error_code) != 3:
        return None, network_error_code.hex()
    if network_error_code.isdigit():
        return None, network_error_code.decode("ascii")
    return network_error_code[0], str(int.from_bytes(network_error_code[1:], "big"))


def parse_date(digits: str) -> datetime | None:
    """`submit date` or `done date`: YYMMDDhhmm, YYMMDDhhmmss or YYYYMMDDhhmmss. None if it is none.

    No time zone is told: the datetime has the digits, marked UTC, and is the message centre's local time.
    """
    form = {10: "%y%m%d%H%M", 12: "%y%m%d%H%M%S", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None or not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 12 and digits[:2] == "20" and not _sensible_month(digits[2:4]):
        form = "%Y%m%d%H%M"
    try:
        return datetime.strptime(digits, form).replace(tzinfo=UTC)
    except ValueError:
        return None


def _sensible_month(digits: str) -> bool:
    return 1 <= int(digits) <= 12


def receipt_text(
    message_id: str, state: MessageState, submit_date: datetime, done_date: datetime, error: str = "000", text: str = ""
) -> bytes:
    """The text of a receipt as appendix B writes it: what a message centre sends."""
    stat = next(name for name, named in STATS.items() if named is state)
    delivered = 1 if state is MessageState.DELIVERED else 0
    return (
        f"id:{message_id} sub:001 dlvrd:{delivered:03} submit date:{submit_date:%y%m%d%H%M} "
        f"done date:{done_date:%y%m%d%H%M} stat:{stat} err:{error} text:{text[:20]}"
    ).encode("latin-1", "replace")


class IdForm(Enum):
    """How a link's receipts write the message_id of the response; the value is the operator's word for it."""

    AUTO = "auto"
    STRING = "string"
    """As the response has it."""
    HEX = "hex"
    """In base 16, where the response has base 10."""
    DECIMAL = "decimal"
    """In base 10, as appendix B has it, where the response has base 16."""


_LONGEST_ID: Final = 64
_HEX: Final = re.compile(r"(?:0[xX])?0*([0-9a-fA-F]{1,40})", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-fA-F]+(?:[-.:_][0-9a-fA-F]+)+", re.ASCII)
"""RFC 9562 §4, and hexadecimal digits in other groups."""
_DECIMAL: Final = re.compile(r"0*([0-9]{1,40})", re.ASCII)


def _bare(message_id: str) -> str:
    """An id without the blanks, quotes and brackets that are put around it in one place and not in another."""
    return message_id.strip(" \t\r\n\"'<>()[]{}") or message_id


def stored_id(message_id: str, form: IdForm = IdForm.AUTO) -> str:
    """A response's message_id as it is kept, to be found again by `id_forms` of its receipts.

    A number loses leading zeros, a leading 0x and capitals, a UUID capitals: receipts don't copy them faithfully. A name
    stays as it is. Of one that is longer than SMPP 3.4 §5.2.23 lets it be, the first 64 octets count.
    """
    message_id = _bare(message_id)
    number = _HEX.fullmatch(message_id)
    if number is not None and form is not IdForm.STRING:
        return number.group(1).lower()
    kept = message_id[:_LONGEST_ID]
    return kept.lower() if _UUID.fullmatch(kept) else kept


def id_forms(message_id: str, form: IdForm = IdForm.AUTO) -> dict[str, IdForm]:
    """What a receipt's message_id may be stored as, likeliest first, and the form that a match would prove.

    With AUTO a short number may name one message as it is and another one in the other base: whoever looks it up has
    to see that the receipt comes from the number that the message went to, and can keep to the proven form from then on.
    A form other than AUTO leaves no choice, unless the id is no number.
    """
    message_id = _bare(message_id)
    same = stored_id(message_id, form)
    found = {same: IdForm.STRING}
    decimal, hexadecimal = _DECIMAL.fullmatch(message_id), _HEX.fullmatch(message_id)
    if decimal is not None and form in {IdForm.AUTO, IdForm.DECIMAL}:
        found.setdefault(f"{int(decimal.group(1)):x}", IdForm.DECIMAL)
    if hexadecimal is not None and form in {IdForm.AUTO, IdForm.HEX}:
        found.setdefault(str(int(hexadecimal.group(1), 16)), IdForm.HEX)
    if form in {IdForm.HEX, IdForm.DECIMAL} and len(found) > 1:
        del found[same]
    return found
