"""A bank to test against: accounts whose statements it writes (camt.053.001.08), payment orders that it takes (pain.001) and
answers (pain.002). It knows no gateway: money is in minor units, days are YYYY-MM-DD.

    bank = Bank([company, charity])
    bank.credit(company, "2027-02-03", 1250, payer_reference="RF18...", remittance="RF18...")
    company_statement = bank.statement(company)
"""

from collections.abc import Callable, Iterable
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

import msgspec
from defusedxml.ElementTree import fromstring

STATEMENT: Final = "camt.053.001.08"
REPORT: Final = "pain.002.001.10"
NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
NO_ACCOUNT: Final = "AC04"
"""The account is closed: why a payment is rejected, or comes back."""


class Account(msgspec.Struct, frozen=True):
    """An account in the UK, and whose it is."""

    name: str
    sort_code: str
    number: str

    @property
    def iban(self) -> str:
        """What statements call it."""
        return f"GB33YEAR{self.sort_code}{self.number}"


class Entry(msgspec.Struct, frozen=True):
    """A booking of an account: minor units, below zero where money went out. `returned` is why it came back."""

    day: str
    amount: int
    reference: str
    end_to_end_id: str
    remittance: str = ""
    returned: str = ""


class Order(msgspec.Struct, frozen=True):
    """A payment of a payment order."""

    end_to_end_id: str
    amount: int
    to: Account


class Bank:
    """Some accounts of one company, and what others received of it (`received`, by sort code and account)."""

    def __init__(self, accounts: Iterable[Account], currency: str = "GBP") -> None:
        """Open the accounts, which are empty."""
        self.currency = currency
        self.balances: dict[Account, int] = dict.fromkeys(accounts, 0)
        self.received: dict[tuple[str, str], int] = {}
        self._told: dict[Account, int] = dict(self.balances)
        self._entries: dict[Account, list[Entry]] = {account: [] for account in self.balances}
        self._paid: dict[str, Order] = {}
        self._bookings = self._statements = 0

    def credit(self, account: Account, day: str, amount: int, payer_reference: str = "", remittance: str = "") -> None:
        """Book money that came in."""
        self._book(account, day, amount, payer_reference, remittance)

    def take_back(self, account: Account, day: str, amount: int, payer_reference: str) -> None:
        """Book that a debit of a payer's account was returned: what had come in goes out again."""
        self._book(account, day, -amount, payer_reference, returned=NO_ACCOUNT)

    def transfer(self, account: Account, to: Account, day: str, amount: int) -> None:
        """Move money between two accounts of the company."""
        self._book(account, day, -amount, remittance="to our account")
        self._book(to, day, amount, remittance="from our account")

    def take_order(self, account: Account, day: str, order: bytes, is_refused: Callable[[Order], bool]) -> bytes:
        """Make the payments of a pain.001, but for those that are refused; gives the report (pain.002)."""
        document = _without_namespaces(fromstring(order))
        message = document.findtext("CstmrCdtTrfInitn/GrpHdr/MsgId") or ""
        found = [_payment(each) for each in document.iter("CdtTrfTxInf")]
        refused = [each for each in found if is_refused(each)]
        for each in found:
            if each not in refused:
                self._book(account, day, -each.amount, each.end_to_end_id)
                self._receive(each, each.amount)
                self._paid[each.end_to_end_id] = each
        return _report(message, found, refused)

    def give_back(self, account: Account, day: str, end_to_end_id: str) -> None:
        """Book that a payment came back."""
        paid = self._paid.pop(end_to_end_id)
        self._receive(paid, -paid.amount)
        self._book(account, day, paid.amount, paid.end_to_end_id, returned=NO_ACCOUNT)

    def payments_to(self, account: Account) -> list[Order]:
        """Return the payments to an account that did not come back."""
        return [each for each in self._paid.values() if (each.to.sort_code, each.to.number) == _known_by(account)]

    def statement(self, account: Account, day: str) -> bytes:
        """Write what was booked since the last statement, with the balances before and after."""
        self._statements += 1
        entries, self._entries[account] = self._entries[account], []
        opening, self._told[account] = self._told[account], self.balances[account]
        document, statement = _document(STATEMENT, "BkToCstmrStmt", f"M{self._statements}", "Stmt")
        SubElement(statement, "Id").text = f"S{self._statements}"
        SubElement(SubElement(SubElement(statement, "Acct"), "Id"), "IBAN").text = account.iban
        self._balance(statement, "OPBD", opening, day)
        self._balance(statement, "CLBD", self.balances[account], day)
        head, end, tail = _written(document).rpartition(b"</Stmt>")
        return head + b"".join(map(self._entry, entries)) + end + tail  # one of many entries is never a tree as a whole

    def _book(
        self,
        account: Account,
        day: str,
        amount: int,
        end_to_end_id: str = "NOTPROVIDED",
        remittance: str = "",
        returned: str = "",
    ) -> None:
        self._bookings += 1
        self.balances[account] += amount
        entry = Entry(day, amount, f"B{self._bookings:08d}", end_to_end_id, remittance, returned)
        self._entries[account].append(entry)

    def _receive(self, order: Order, amount: int) -> None:
        known_by = (order.to.sort_code, order.to.number)
        self.received[known_by] = self.received.get(known_by, 0) + amount

    def _balance(self, statement: Element, code: str, amount: int, day: str) -> None:
        balance = SubElement(statement, "Bal")
        SubElement(SubElement(SubElement(balance, "Tp"), "CdOrPrtry"), "Cd").text = code
        self._amount(balance, amount)
        SubElement(SubElement(balance, "Dt"), "Dt").text = day

    def _entry(self, entry: Entry) -> bytes:
        element = Element("Ntry")
        self._amount(element, entry.amount)
        SubElement(SubElement(element, "Sts"), "Cd").text = "BOOK"
        SubElement(SubElement(element, "BookgDt"), "Dt").text = entry.day
        SubElement(element, "AcctSvcrRef").text = entry.reference
        SubElement(element, "BkTxCd")
        details = SubElement(SubElement(element, "NtryDtls"), "TxDtls")
        SubElement(SubElement(details, "Refs"), "EndToEndId").text = entry.end_to_end_id
        if entry.remittance:
            SubElement(SubElement(details, "RmtInf"), "Ustrd").text = entry.remittance
        if entry.returned:
            SubElement(SubElement(SubElement(details, "RtrInf"), "Rsn"), "Cd").text = entry.returned
        octets: bytes = tostring(element, encoding="utf-8", xml_declaration=False)
        return octets

    def _amount(self, element: Element, amount: int) -> None:
        SubElement(element, "Amt", Ccy=self.currency).text = written(abs(amount))
        SubElement(element, "CdtDbtInd").text = "DBIT" if amount < 0 else "CRDT"


def written(minor: int) -> str:
    """Write pence as pounds."""
    return f"{minor // 100}.{minor % 100:02d}"


def minor_units(text: str) -> int:
    """Read pounds as pence; below zero with a sign."""
    whole, _, rest = text.lstrip("-").partition(".")
    pence = int(whole) * 100 + int(f"{rest}00"[:2])
    return -pence if text.startswith("-") else pence


def _known_by(account: Account) -> tuple[str, str]:
    return account.sort_code, account.number


def _payment(element: Element) -> Order:
    sort_code = element.findtext("CdtrAgt/FinInstnId/ClrSysMmbId/MmbId") or ""
    number = element.findtext("CdtrAcct/Id/Othr/Id") or ""
    return Order(
        element.findtext("PmtId/EndToEndId") or "",
        minor_units(element.findtext("Amt/InstdAmt") or "0"),
        Account(element.findtext("Cdtr/Nm") or "", sort_code, number),
    )


def _without_namespaces(document: Element) -> Element:
    for element in document.iter():
        element.tag = element.tag.rpartition("}")[2]
    return document


def _report(message: str, payments: list[Order], refused: list[Order]) -> bytes:
    """Write a status for each payment: accepted for settlement, or rejected, and why."""
    document, group = _document(REPORT, "CstmrPmtStsRpt", f"R{message}", "OrgnlGrpInfAndSts")
    SubElement(group, "OrgnlMsgId").text = message
    SubElement(group, "OrgnlMsgNmId").text = "pain.001.001.09"
    about = SubElement(document[0], "OrgnlPmtInfAndSts")
    SubElement(about, "OrgnlPmtInfId").text = message
    for each in payments:
        status = SubElement(about, "TxInfAndSts")
        SubElement(status, "OrgnlEndToEndId").text = each.end_to_end_id
        SubElement(status, "TxSts").text = "RJCT" if each in refused else "ACSC"
        if each in refused:
            SubElement(SubElement(SubElement(status, "StsRsnInf"), "Rsn"), "Cd").text = NO_ACCOUNT
    return _written(document)


def _document(version: str, name: str, message: str, inner: str) -> tuple[Element, Element]:
    document = Element("Document", xmlns=NAMESPACE + version)
    root = SubElement(document, name)
    SubElement(SubElement(root, "GrpHdr"), "MsgId").text = message
    return document, SubElement(root, inner)


def _written(document: Element) -> bytes:
    octets: bytes = tostring(document, encoding="utf-8", xml_declaration=True)
    return octets
