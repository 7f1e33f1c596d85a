"""A bank's file as `tpo bill paid` reads it: which form it is in is seen from how it begins, and what each line may name."""

import pytest
from support.bank_files import entry, payment, statement

from gateway.cli.bank_files import lines_of

SAID = statement(entry("2.50", reference="B-1", details=payment("P-1", remittance="bill RF45991"))).decode()


@pytest.mark.parametrize("name", ["may.053", "may.xml"])
@pytest.mark.parametrize("form", ["utf-8", "utf-8-sig", "utf-16"])
def test_xml_is_known_as_such_by_whatever_name_and_in_whatever_encoding(tmp_path, name, form):
    file = tmp_path / name
    file.write_bytes(SAID.replace("UTF-8", form.removesuffix("-sig").upper()).encode(form))
    (line,) = lines_of(file)
    assert (line["amount"], line["payer_reference"]) == ("2.50", "P-1")
    assert "bill RF45991" in line["texts"]


def test_a_structured_reference_is_handed_on_beside_a_long_text(tmp_path):
    more = "<RmtInf><Strd><CdtrRefInf><Ref>RF45991</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>"
    file = tmp_path / "may.xml"
    file.write_bytes(statement(entry("2.50", details=payment("P-1", remittance="x" * 140).replace("</TxDtls>", more))))
    (line,) = lines_of(file)
    assert line["texts"] == ["x" * 140, "RF45991", "x" * 140]
