import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bank_files import balance, entry, payment, statement

from gateway.bank.camt import read, stream
from gateway.bank.xml import BankFileInvalid


def streamed(data):
    """The lines of a file that is read line by line."""
    return list(stream(io.BytesIO(data)))


@pytest.mark.parametrize(("version", "newer"), [("camt.053.001.08", True), ("camt.053.001.02", False)])
def test_a_batch_is_read_as_its_payments_in_both_versions(version, newer):
    details = payment("P-1", "2.50", newer=newer) + payment("P-2", "0.75", newer=newer)
    data = statement(
        balance("OPBD", "10.00"),
        entry("3.25", credit=False, newer=newer, reference="B-1", details=details),
        balance("CLBD", "6.75"),
        version=version,
    )
    (found,) = read(data)
    assert [(line.end_to_end_id, line.signed, line.status) for line in found.lines] == [
        ("P-1", -2_500_000, "BOOK"),
        ("P-2", -750_000, "BOOK"),
    ]
    assert found.balance("CLBD").amount == 6_750_000
    assert found.lines[0].reference == "B-1"
    assert found.lines[0].account == "GB33BUKB20201555555555"


def test_a_return_says_why_and_a_reference_that_stands_for_none_is_empty():
    back = entry("2.50", details=payment("P-1", returned="AC04"))
    other = entry("7.00", details=payment("NOTPROVIDED", remittance="bill 17"))
    (found,) = read(statement(back, other))
    assert (found.lines[0].returned, found.lines[0].credit) == ("AC04", True)
    assert (found.lines[1].end_to_end_id, found.lines[1].remittance, found.lines[1].returned) == ("", "bill 17", "")


def test_a_structured_reference_is_read_behind_whatever_the_payer_wrote():
    said = "<RmtInf><Ustrd>{}</Ustrd><Ustrd>for May</Ustrd><Strd><CdtrRefInf><Ref>RF45991</Ref></CdtrRefInf></Strd></RmtInf>"
    details = payment("P-1").replace("</TxDtls>", f"{said.format('thanks ' * 20)}</TxDtls>")
    (line,) = streamed(statement(entry("2.50", details=details)))
    assert line.texts == ("RF45991", ("thanks " * 20).strip(), "for May")
    assert line.remittance == " ".join([("thanks " * 20).strip(), "for May RF45991"])[:140]


def test_the_same_payment_has_one_identity_in_statement_and_notification_and_twins_have_two():
    one = entry("7.00", reference="R-9", details=payment("P-1"))
    (told,) = read(statement(one, version="camt.054.001.08"))
    (stated,) = read(statement(one))
    assert told.lines[0].identity == stated.lines[0].identity
    twin = entry("1.00", details=payment("X"))
    (twins,) = read(statement(twin, twin))
    assert len({line.identity for line in twins.lines}) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (statement(entry("1.00"), balance("OPBD", "1.00"), balance("CLBD", "1.00")), "do not lead"),
        (statement(entry("3.00", details=payment("A", "1.00") + payment("B", "1.00"))), "do not add up"),
        (statement(entry("3.00", details=payment("A") + payment("B"))), "does not say"),
        (statement(entry("-3.00")), "no amount"),
        (statement(entry("1e3")), "no amount"),
        (statement(entry("9300000000000.00")), "no amount"),
        (statement(entry("1.00"), balance("CLBD", "9300000000000.00")), "no amount"),
        (statement(entry("1.00", day="2026-02-30")), "no day"),
        (statement(entry("1.00")).replace(b"camt.053", b"camt.999"), "none of"),
        (b"<Document/>", "none of"),
        (b"\xff\xfe\x00", "not XML"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "not XML"),
        (statement(entry("1.00")).replace(b"CRDT", b"BOTH"), "neither"),
    ],
)
@pytest.mark.parametrize("by", [read, streamed], ids=["whole", "streamed"])
def test_what_no_bank_sends_or_does_not_add_up_is_refused_whole(by, data, why):
    with pytest.raises(BankFileInvalid, match=why):
        by(data)


@pytest.mark.parametrize(
    "head",
    [
        '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:9/evil.dtd">',
        '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
    ],
    ids=["external-entity", "external-dtd", "billion-laughs"],
)
@pytest.mark.parametrize("by", [read, streamed], ids=["whole", "streamed"])
def test_external_entities_and_billion_laughs_are_refused(by, head):
    with pytest.raises(BankFileInvalid, match="document type"):
        by(statement(entry("1.00", reference="&x;"), head=head))


def test_a_file_that_is_too_long_is_not_looked_at(monkeypatch):
    monkeypatch.setattr("gateway.bank.xml.MOST_OCTETS", 1 << 20)
    with pytest.raises(BankFileInvalid, match="more than 1 MiB"):
        read(b" " * ((1 << 20) + 1))


@given(st.data())
def test_any_octets_are_read_or_refused_and_alike_where_they_are_read_line_by_line(data):
    good = statement(balance("OPBD", "1.00"), entry("3.00", details=payment("A")), balance("CLBD", "4.00"))
    place = data.draw(st.integers(0, len(good)))
    more = data.draw(st.integers(0, 30))
    changed = good[:place] + data.draw(st.binary(max_size=8)) + good[place + more :]
    try:
        lines = [line for each in read(changed) for line in each.lines]
    except BankFileInvalid:
        with pytest.raises(BankFileInvalid):
            streamed(changed)
    else:
        assert streamed(changed) == lines


def test_a_file_that_is_read_line_by_line_keeps_no_line():
    entries = "".join(entry("1.00", reference=f"R-{number}", details=payment(f"P-{number}")) for number in range(2000))
    lines, peaks = stream(io.BytesIO(statement(entries))), []
    tracemalloc.start()
    for place, _ in enumerate(lines):
        if place in (100, 1900):
            peaks.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert peaks[1] - peaks[0] < 1000 * 1800
