import pytest

from protocols.diameter import messages
from protocols.diameter.dictionary import AvpType, Dictionary, standard
from protocols.diameter.fields import plan
from protocols.errors import LocalProtocolError

CLASSES = [
    item
    for item in vars(messages).values()
    if isinstance(item, type)
    and issubclass(item, (messages.Command, messages.Group))
    and item not in {messages.Command, messages.Group}
]


def load(tmp_path, text):
    path = tmp_path / "vendor.dia"
    path.write_text(text, encoding="utf-8")
    return Dictionary.load(path)


def test_dictionary_is_wide():
    vendors = {definition.vendor_id for definition in standard()}
    assert len(standard()) > 1000
    assert {0, 10415, 8164, 2011, 193} <= vendors


@pytest.mark.parametrize(
    ("name", "code", "vendor_id", "kind", "mandatory"),
    [
        ("Session-Id", 263, 0, AvpType.UTF8_STRING, True),
        ("Result-Code", 268, 0, AvpType.UNSIGNED32, True),
        ("CC-Total-Octets", 421, 0, AvpType.UNSIGNED64, True),
        ("Multiple-Services-Credit-Control", 456, 0, AvpType.GROUPED, True),
        ("Volume-Quota-Threshold", 869, 10415, AvpType.UNSIGNED32, True),
        ("PS-Information", 874, 10415, AvpType.GROUPED, True),
        ("3GPP-User-Location-Info", 22, 10415, AvpType.OCTET_STRING, True),
        ("Allocation-Retention-Priority", 1034, 10415, AvpType.GROUPED, False),
        ("Recipient-Info", 2026, 10415, AvpType.GROUPED, True),
        ("Product-Name", 269, 0, AvpType.UTF8_STRING, False),
        ("QoS-Final-Unit-Indication", 669, 0, AvpType.GROUPED, False),
    ],
)
def test_known_avps_are_as_their_specification_has_them(name, code, vendor_id, kind, mandatory):
    definition = standard().by_name(name)
    assert (definition.code, definition.vendor_id, definition.type) == (code, vendor_id, kind)
    assert definition.mandatory is mandatory
    assert standard().by_code(code, vendor_id) is definition


def test_enumerated_values_are_known():
    assert standard().by_name("CC-Request-Type").values["TERMINATION_REQUEST"] == 3
    assert standard().by_name("Reporting-Reason").values["VALIDITY_TIME"] == 4


def test_only_enumerated_avps_have_values_and_only_grouped_ones_members():
    for definition in standard():
        assert not definition.values or definition.type is AvpType.ENUMERATED, definition
        assert not definition.members or definition.type is AvpType.GROUPED, definition


def test_grammar_of_a_group_tells_what_it_needs():
    members = {member.name: member for member in standard().by_name("Multiple-Services-Credit-Control").members}
    assert (members["Used-Service-Unit"].minimum, members["Used-Service-Unit"].maximum) == (0, None)
    assert (members["Rating-Group"].minimum, members["Rating-Group"].maximum) == (0, 1)
    (kind, data) = standard().by_name("Subscription-Id").members
    assert (kind.minimum, data.minimum) == (1, 1)


@pytest.mark.parametrize("cls", [cls for cls in CLASSES if issubclass(cls, messages.Group)])
def test_group_classes_agree_with_the_grammar(cls):
    name = next(field.avp.name for other in CLASSES for field in plan(other).fields if field.group is cls)
    members = {member.name: member for member in standard().by_name(name).members}
    for field in plan(cls).fields:
        member = members.get(field.avp.name)
        if member is not None:
            assert field.repeated == (member.maximum != 1), field.avp.name
            assert field.required <= bool(member.minimum), field.avp.name


@pytest.mark.parametrize("cls", CLASSES)
def test_field_names_are_the_specification_s(cls):
    for field in plan(cls).fields:
        assert field.attribute == field.avp.name.lower().replace("-", "_")


@pytest.mark.parametrize(
    ("text", "line", "complaint"),
    [
        ("Foo 1 Unsigned32 M\nBar x Unsigned32 M\n", 2, "is not a number"),
        ("Foo 1 Unsigned33 M\n", 1, "unknown type"),
        ("Foo 1 Unsigned32 Q\n", 1, "flags are M or -"),
        ("Foo 1 Unsigned32\n", 1, "cannot read"),
        ("Foo 1 Unsigned32 M\n\n# more\nBar 1 Unsigned32 M\n", 4, "is defined already"),
        ("Foo 1 Unsigned32 M\nFoo 2 Unsigned32 M\n", 2, "is defined already"),
        ("@enum Foo\n    A 1\n", 1, "is not defined above"),
        ("Foo 1 Enumerated M\n@enum Foo\n    A 1  B\n", 2, "pairs"),
        ("Foo 1 Enumerated M\n@enum Foo A one\n", 2, "is not a number"),
        ("Foo 1 Grouped M\n@grouped Foo ::= < AVP Header: 2 > { Foo }\n", 2, "is AVP 1"),
        ("Foo 1 Unsigned32 M\n@grouped Foo ::= < AVP Header: 1 > { Foo }\n", 2, "not Grouped"),
        ("Foo 1 Grouped M\n@grouped Foo ::= < AVP Header: 1 > { Bar }\n", 2, "not defined: Bar"),
        ("Foo 1 Grouped M\n@grouped Foo ::= < AVP Header: 1 > ( Foo )\n", 2, "cannot read the group"),
        ("Foo 1 Grouped M\n@grouped Foo { Foo }\n", 2, "a group begins with"),
        ("@vendor Foo bar\n", 1, "is not a number"),
        ("@nonsense\n", 1, "cannot read"),
    ],
)
def test_a_mistake_in_a_file_names_file_and_line(tmp_path, text, line, complaint):
    with pytest.raises(LocalProtocolError) as caught:
        load(tmp_path, text)
    assert f"vendor.dia:{line}: " in str(caught.value)
    assert complaint in str(caught.value)


def test_a_vendor_file_extends_a_copy(tmp_path):
    path = tmp_path / "vendor.dia"
    path.write_text(
        "@vendor ACME 99999\nACME-Plan 1 Grouped M\nACME-Name 2 UTF8String -\n"
        "@grouped ACME-Plan ::= < AVP Header: 1 99999 > { ACME-Name } [ Rating-Group ] 1*2 { Session-Id }\n",
        encoding="utf-8",
    )
    extended = standard().extended(path)
    assert extended.by_code(1, 99999).members[2].maximum == 2
    assert extended.vendors["ACME"] == 99999
    assert "ACME-Plan" in extended
    assert len(extended) == len(standard()) + 2
    assert standard().by_code(1, 99999) is None


def test_an_unknown_name_is_a_key_error():
    with pytest.raises(KeyError):
        standard().by_name("No-Such-AVP")
