"""What is fuzzed: each target takes any octets as a stranger may send them. Only what its reader documents may come of them.

`python -m tests.fuzz.guided TARGET` looks for new ways through one of them, guided by coverage; `make test` replays the corpus.
"""

import sys
from functools import cache
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT / "tests") not in sys.path:
    sys.path.insert(0, str(ROOT / "tests"))  # as pytest has it, for `support`

from support.request_types import request_types

from gateway.api.conversion import to_request
from gateway.api.json_values import read_value
from gateway.api.problems import Problem
from gateway.balance.opening_balances import RowInvalid, read_row
from gateway.charging.gy import ccr
from gateway.cli.csv_table import CsvInvalid, CsvTable
from gateway.messaging.inbound import deliver_sm
from gateway.messaging.keywords import parser
from gateway.privacy.sealing import Sealer
from gateway.settings import load
from gateway.sims.bulk_import import Reader
from protocols.diameter import generated as diameter
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import Framer as DiameterFramer
from protocols.diameter.codec import decode_header as diameter_header
from protocols.diameter.codec import encode_message
from protocols.diameter.messages import COMMANDS, CreditControlRequest, ErrorAnswer
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.smpp import generated as smpp
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.codec import Framer as SmppFramer
from protocols.smpp.codec import decode_header as smpp_header
from protocols.smpp.messages import DataSm, DeliverSm, UnknownPdu
from protocols.smpp.receipts import IdForm, id_forms, parse_receipt, parse_text, stored_id
from protocols.smpp.text import decode_text
from protocols.smpp.times import parse_time
from provisioning.errors import IdentifierInvalid

NOW = 1_700_000_000_000_000
REQUESTS = request_types()
LENIENT = Profile(STANDARD.grouped, lenient=True)


def diameter_stream(data: bytes) -> None:
    """A Diameter peer's octets: frames, then whatever message each is."""
    framer = DiameterFramer()
    for frame in framer.feed(data):
        header = diameter_header(frame)
        cls = ErrorAnswer if header.error else COMMANDS.get((header.command_code, header.request), ErrorAnswer)
        for profile in (STANDARD, LENIENT):
            try:
                message = diameter.decode(cls, frame, profile=profile)
            except RemoteProtocolError:
                continue
            assert type(diameter.encode(message)) is bytes


def smpp_stream(data: bytes) -> None:
    """An SMSC's octets: PDUs, and what is made of a text or a receipt."""
    framer = SmppFramer()
    for frame in framer.feed(data):
        header = smpp_header(frame)
        try:
            message = smpp.decode(header, frame)
        except RemoteProtocolError:
            continue
        if isinstance(message, DeliverSm | DataSm):
            deliver_sm.receipt("link", message, parse_receipt(message), IdForm.AUTO, "GB")
            deliver_sm.arrival("link", "smsc", message, Alphabet.GSM7, came_at=NOW, bound_at=0, drops=())
        if isinstance(message, UnknownPdu):
            continue
        try:
            assert type(smpp.encode(message, 1)) is bytes
        except LocalProtocolError:
            continue  # a peer's strings may be longer than ours


def credit_control(data: bytes) -> None:
    """The AVPs of a CCR, read into a charging request."""
    frame = encode_message(0xC0, 272, 4, 1, 1, data[: len(data) & ~3])
    for profile in (STANDARD, LENIENT):
        try:
            message = diameter.decode(CreditControlRequest, frame, profile=profile)
            request = ccr.read(message, "pgw.host.example", NOW, "GB")
        except RemoteProtocolError:
            continue
        assert request.as_of <= max(NOW, request.event_at)
        msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=type(request))  # it crosses to the lane as it is


def receipts(data: bytes) -> None:
    """The text of a delivery receipt, in any coding, and its message id in any form."""
    coding, octets = data[0] if data else 0, data[1:]
    message = DeliverSm(
        esm_class=4, data_coding=coding, short_message=octets[:254], source_addr="4477", destination_addr="70070"
    )
    assert parse_receipt(message).state is not None
    text = decode_text(coding, octets).text
    parse_text(text)
    for form in IdForm:
        assert isinstance(stored_id(text[:64], form), str)
        assert all(isinstance(form, str) for form in id_forms(text[:64], form))


def validity_times(data: bytes) -> None:
    """A validity_period or a date, absolute or relative."""
    try:
        assert isinstance(parse_time(data.decode("latin-1"), NOW), int)
    except RemoteProtocolError:
        return


@cache
def _book():
    return next(iter(load(ROOT / "config" / "gateway.yaml", {}, for_client=True).keywords.values()))


def keywords(data: bytes) -> None:
    """The words of a text to one of our services."""
    parser.read(data.decode("utf-8", "replace"), _book())


@cache
def _plans():
    settings = load(ROOT / "config" / "gateway.yaml", {}, for_client=True)
    return settings.plans, list(settings.causes)


def import_rows(data: bytes) -> None:
    """The cells of a row of `subscriber import` and of `sim import`."""
    cells = [cell.decode("utf-8", "surrogateescape") for cell in data.split(b"\x1f")]
    plans, causes = _plans()
    row = dict(zip(("msisdn", "imsi", "iccid", "plan", "cause", "balance"), cells, strict=False))
    try:
        assert read_row(row, plans, causes).balance >= 0
    except RowInvalid as error:
        assert str(error)
    card = dict(zip(("iccid", "imsi", "ki", "opc", "eid"), cells, strict=False))
    try:
        Reader(Sealer(b"a key of the tests, long enough for anything")).read(1, card)
    except IdentifierInvalid as error:
        assert not any(len(cell) > 12 and cell in str(error) for cell in cells[2:4])


COLUMNS = ("msisdn", "imsi", "iccid", "plan", "cause", "balance")


def csv_files(data: bytes) -> None:
    """A file of rows, in any encoding: rows as wide as its header, or a sentence with a line."""
    try:
        table = CsvTable(data, COLUMNS[:3], COLUMNS)
    except CsvInvalid as error:
        assert error.what
        assert error.to_do
        assert 0 <= error.line <= len(data) + 1
        return
    rows = list(table)
    assert len(rows) == table.count
    assert all(set(row.values) <= set(COLUMNS) for row in rows)
    assert list(table) == rows


def api_requests(data: bytes) -> None:
    """A JSON body, converted to each request of the API."""
    try:
        value = read_value(data, "body.json")
    except Problem as problem:
        assert problem.status == 400
        return
    for kind in REQUESTS:
        try:
            assert isinstance(to_request(value, kind), kind)
        except Problem as problem:
            assert problem.status == 400
            assert problem.detail


TARGETS = {
    target.__name__: target
    for target in (
        diameter_stream, smpp_stream, credit_control, receipts, validity_times, keywords, import_rows, csv_files, api_requests,
    )
}  # fmt: skip
CORPUS = Path(__file__).with_name("corpus")
