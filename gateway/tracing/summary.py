"""What a captured message is, in a few words: the command and its number, how it was answered, whom it is about."""

from contextlib import suppress

import msgspec

from gateway.tracing import diameter_offsets, smpp_offsets
from protocols.diameter.codec import HEADER_SIZE as DIAMETER_HEADER
from protocols.smpp.codec import HEADER_SIZE as SMPP_HEADER
from protocols.smpp.codec import CommandId
from protocols.smpp.errors import CommandStatus

_COMMANDS = {257: "CE", 258: "RA", 271: "AC", 272: "CC", 274: "AS", 275: "ST", 280: "DW", 282: "DP"}
_REQUEST_TYPES = {1: "INITIAL", 2: "UPDATE", 3: "TERMINATION", 4: "EVENT"}
MAX_LINE = 160


class Words(msgspec.Struct, frozen=True):
    """What it is, its number on the connection, its status (of a response), and the numbers in it."""

    what: str
    sequence: int | None
    status: str
    numbers: str


def words(protocol: str, message: bytes) -> Words:
    """Return a message; the numbers in it are as they stand in these octets, masked or not."""
    if protocol == "smpp" and len(message) >= SMPP_HEADER:
        return _smpp(message)
    if protocol == "diameter" and len(message) >= DIAMETER_HEADER:
        return _diameter(message)
    return _lines(message)


def _smpp(message: bytes) -> Words:
    command_id, status = int.from_bytes(message[4:8], "big"), int.from_bytes(message[8:12], "big")
    what, shown = f"{command_id:#010x}", ""
    with suppress(ValueError):
        what = CommandId(command_id).name.lower()
    if command_id & 0x80000000:
        shown = f"{status:#010x}"
        with suppress(ValueError):
            shown = CommandStatus(status).name
    found = smpp_offsets.values(message)
    pair = [found.get(name, b"").decode("latin-1") for name in ("source_addr", "destination_addr")]
    numbers = " > ".join(pair) if any(pair) else found.get("message_id", b"").decode("latin-1")
    return Words(what, int.from_bytes(message[12:16], "big"), shown, plain(numbers))


def _diameter(message: bytes) -> Words:
    code, request = int.from_bytes(message[5:8], "big"), bool(message[4] & 0x80)
    name = _COMMANDS.get(code, f"command {code} ")
    found = {leaf.name: message[leaf.start : leaf.end] for leaf in reversed(diameter_offsets.leaves(message))}
    kind = int.from_bytes(found.get("CC-Request-Type", b""), "big")
    number = found.get("CC-Request-Number")
    what = name + ("R" if request else "A")
    if kind:
        what += f" {_REQUEST_TYPES.get(kind, kind)} {int.from_bytes(number or b'', 'big')}"
    result = found.get("Result-Code", found.get("Experimental-Result-Code"))
    numbers = found.get("Subscription-Id-Data", found.get("User-Name", b"")) if request else b""
    shown = str(int.from_bytes(result, "big")) if result is not None and not request else ""
    return Words(what, int.from_bytes(message[12:16], "big"), shown, plain(numbers.decode("utf-8", "replace")))


def _lines(message: bytes) -> Words:
    first = message.lstrip().split(b"\n", 1)[0].decode("utf-8", "replace").strip()
    if first.startswith("HTTP/"):
        parts = first.split(" ", 2)
        return Words("response", None, plain(" ".join(parts[1:])), "")
    return Words(plain(first), None, "", "")


def plain(text: str) -> str:
    """Return text that does nothing to a terminal, MAX_LINE characters at most."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:MAX_LINE]
