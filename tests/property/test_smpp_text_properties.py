from hypothesis import given
from hypothesis import strategies as st

from protocols.smpp.alphabets import DEFAULT, SINGLE_SHIFT, Alphabet, Decoded, decode, encode, pack, unpack
from protocols.smpp.messages import DeliverSm
from protocols.smpp.receipts import IdForm, MessageState, id_forms, parse_receipt, stored_id
from protocols.smpp.segments import Concatenation, concatenation_header, parse_header
from protocols.smpp.text import UDHI, encode_text, read_text, user_data

GSM_CHARACTERS = DEFAULT.replace("\x1b", "") + "".join(SINGLE_SHIFT[0].values())
gsm_texts = st.text(st.sampled_from(GSM_CHARACTERS), max_size=700)
any_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff\ufffe"), max_size=300)
pages = st.text(st.sampled_from("aé€{😀Ω"), max_size=700)
LINKS = st.sampled_from([Alphabet.GSM7, Alphabet.LATIN1, Alphabet.CP1252, Alphabet.ASCII])


def parts_of(encoded, reference, default_alphabet):
    return [
        user_data(
            DeliverSm(esm_class=encoded.esm_class, data_coding=encoded.data_coding, short_message=segment),
            default_alphabet,
        )
        for segment in encoded.segments(reference)
    ]


@given(gsm_texts | any_texts | pages, LINKS, st.booleans(), st.integers(0, 0xFFFF), st.booleans())
def test_any_text_comes_back_whole_from_its_parts(text, default_alphabet, wide, reference, flash):
    encoded = encode_text(text, default_alphabet, wide=wide, flash=flash)
    parts = parts_of(encoded, reference, default_alphabet)
    assert read_text(parts) == Decoded(text, sound=True)
    if len(parts) > 1:
        told = reference if wide else reference & 0xFF
        assert [part.concatenation for part in parts] == [
            Concatenation(told, len(parts), number) for number in range(1, len(parts) + 1)
        ]


@given(gsm_texts | pages, LINKS, st.booleans())
def test_each_part_is_whole_characters_and_fits(text, default_alphabet, wide):
    encoded = encode_text(text, default_alphabet, wide=wide)
    for segment, part in zip(encoded.segments(1), parts_of(encoded, 1, default_alphabet), strict=True):
        assert read_text([part]).sound
        assert len(segment) <= (160 if encoded.alphabet is Alphabet.GSM7 else 140)
        if encoded.alphabet is Alphabet.GSM7 and len(encoded.pieces) > 1:
            assert len(part.octets) <= (152 if wide else 153)
    assert "".join(read_text([part]).text for part in parts_of(encoded, 1, default_alphabet)) == text


@given(gsm_texts.filter(lambda text: text[-1:] not in {"@", "\r"}))
def test_a_text_comes_back_whole_from_packed_parts(text):
    encoded = encode_text(text, Alphabet.GSM7_PACKED)
    parts = parts_of(encoded, 1, Alphabet.GSM7_PACKED)
    if not any(piece.endswith(b"\r") for piece in encoded.pieces[:-1]):
        assert read_text(parts) == Decoded(text, sound=True)


@given(st.binary(max_size=200), st.integers(0, 140))
def test_packing_and_unpacking_lose_nothing_but_what_fills_up(octets, header_size):
    septets = bytes(octet & 0x7F for octet in octets)
    packed = pack(septets, header_size)
    found = unpack(packed, header_size)
    assert found == septets or (found == septets[:-1] and septets[-1] in {0, 0x0D})
    assert len(packed) <= (len(septets) * 7 + 7 + 7) // 8


@given(st.binary(max_size=160), st.integers(0, 20), st.integers(0, 20))
def test_any_septets_are_read(septets, locking_shift, single_shift):
    found = decode(septets, Alphabet.GSM7, locking_shift, single_shift)
    assert len(found.text) <= len(septets)
    if locking_shift == single_shift == 0 and found.sound and b"\x1b" not in septets:
        assert encode(found.text, Alphabet.GSM7) == septets


@given(st.binary(max_size=60), st.integers(0, 255), st.sampled_from(Alphabet), st.integers(0, 255))
def test_any_octets_are_read_as_a_text(octets, data_coding, default_alphabet, esm_class):
    message = DeliverSm(esm_class=esm_class, data_coding=data_coding, short_message=octets)
    part = user_data(message, default_alphabet)
    assert isinstance(read_text([part, part]).text, str)
    assert part.header.size <= len(octets)
    assert esm_class & UDHI or part.header.size == 0


@given(st.binary(max_size=60))
def test_any_header_is_within_its_message(octets):
    header = parse_header(octets)
    assert header.size <= len(octets)
    assert sum(2 + len(data) for _, data in header.elements) <= max(header.size - 1, 0)
    if header.concatenation is not None:
        assert 1 <= header.concatenation.number <= header.concatenation.total <= 255


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.data())
def test_a_header_is_read_as_it_was_written(reference, total, data):
    part = Concatenation(reference, total, data.draw(st.integers(1, total)))
    octets = concatenation_header(part, wide=True)
    assert (parse_header(octets).concatenation, parse_header(octets).size) == (part, len(octets))


FIELDS = [
    "id:",
    "ID:",
    "sub:",
    "dlvrd:",
    "submit date:",
    "done date:",
    "stat:",
    "err:",
    "text:",
    "DELIVRD",
    " ",
    "\0",
    "7",
]


@given(
    st.lists(st.sampled_from(FIELDS) | st.text(st.characters(max_codepoint=255), max_size=5), max_size=20).map("".join),
    st.none() | st.integers(0, 255),
    st.none() | st.binary(max_size=5),
    st.sampled_from([0, 1, 4, 8, 0xF4]),
)
def test_any_receipt_is_read(text, message_state, network_error_code, data_coding):
    message = DeliverSm(
        esm_class=4,
        data_coding=data_coding,
        short_message=text.encode("latin-1")[:255],
        message_state=message_state,
        network_error_code=network_error_code,
    )
    found = parse_receipt(message)
    assert found.final == found.state.final
    assert message_state not in set(MessageState) or found.state == message_state


@given(st.text(st.characters(max_codepoint=255), max_size=70) | st.from_regex(r"[0-9a-fA-F]{1,40}", fullmatch=True))
def test_every_id_is_found_by_itself(message_id):
    for form in (IdForm.AUTO, IdForm.STRING):
        assert stored_id(message_id, form) in id_forms(message_id, form)
    assert all(id_forms(message_id, form) for form in IdForm)


@given(st.integers(0, 2**64 - 1), st.integers(0, 8), st.booleans())
def test_a_number_is_found_whichever_base_its_receipt_has(number, zeros, capitals):
    hexadecimal, decimal = "0" * zeros + f"{number:x}", "0" * zeros + str(number)
    if capitals:
        hexadecimal = hexadecimal.upper()
    for form in (IdForm.AUTO, IdForm.DECIMAL):
        assert stored_id(hexadecimal, form) in id_forms(decimal, form)
    for form in (IdForm.AUTO, IdForm.HEX):
        assert stored_id(decimal, form) in id_forms(hexadecimal, form)
