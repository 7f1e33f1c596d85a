"""Statements and notifications of a bank account: camt.053, camt.054 and camt.052 of ISO 20022, versions 02 and 08.

What a bank says is read as *lines*, one for each single payment: an entry of the account may stand for a batch of them. A file
whose batches or balances do not add up is refused whole. In version 08 some texts moved (`Sts/Cd`, `TxDtls/Amt`): both are
read.
"""

import hashlib
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element

import msgspec

from gateway.bank.xml import BankFileInvalid, amount, needed, read_document, read_parts, text

MESSAGES: Final = ("camt.052.001.", "camt.053.001.", "camt.054.001.")
BOOKED: Final = "BOOK"
LONGEST: Final = 140
"""Characters of what a payer wrote (ISO 20022: Max140Text)."""
MOST_TEXTS: Final = 7
"""Of one payment; a file may say a thousand."""
STATEMENTS: Final = ("Stmt", "Rpt", "Ntfctn")
OPENING: Final = ("OPBD", "PRCD")
"""Balances that a statement begins with: that of its day, or that of the one before."""
CLOSING: Final = "CLBD"
RETURNED: Final = frozenset({"RRTN", "RPCR", "UPDD", "PRDD", "RCDD"})
"""Sub-families of bank transaction codes (ISO external code sets) for transfers and debits that came back, beside `RtrInf`."""


class BankLine(msgspec.Struct, frozen=True):
    """One payment of an account, as its bank says it.

    Attributes:
        identity: what it is known by, also in another file that tells of it: hexadecimal digits.
        account: the account's IBAN or other number, without spaces.
        amount: micro-units, more than zero; `credit` says that it came in.
        booked_on: YYYY-MM-DD, empty while it is pending, or where the bank does not say it.
        valued_on: the day from which it counts (ValDt), empty where the bank does not say it.
        status: BOOK, PDNG or INFO.
        reversal: whether it takes back an earlier entry, which was the other way round; `credit` is of this one (RvslInd).
        returned: the reason code of a return (such as AC04), `NARR` without one; empty where it is none.
        reference: the bank's own; `end_to_end_id`, `payment_id` and `instruction_id` are the payer's, `mandate_id` of a debit.
        remittance: what the payer wrote, and structured references, at most 140 characters: may name people, never log it.
        texts: the same, each by itself, structured references first: what a long one leaves no room for in `remittance`.
    """

    identity: str
    account: str
    amount: int
    currency: str
    credit: bool
    booked_on: str
    status: str
    reversal: bool = False
    returned: str = ""
    reference: str = ""
    end_to_end_id: str = ""
    payment_id: str = ""
    instruction_id: str = ""
    mandate_id: str = ""
    remittance: str = ""
    valued_on: str = ""
    texts: tuple[str, ...] = ()

    @property
    def came_back(self) -> bool:
        """Whether it undoes an earlier payment: one was returned, or the bank took its own entry back."""
        return bool(self.returned) or self.reversal

    @property
    def signed(self) -> int:
        """What the account's balance grew by."""
        return self.amount if self.credit else -self.amount


class Balance(msgspec.Struct, frozen=True):
    """What the account stood at: a code such as OPBD or CLBD, micro-units, and the day (YYYY-MM-DD)."""

    code: str
    amount: int
    currency: str
    day: str


class Statement(msgspec.Struct, frozen=True):
    """What one file says of one account: `id` is the bank's, `message` the kind of file."""

    message: str
    id: str
    account: str
    balances: tuple[Balance, ...]
    lines: tuple[BankLine, ...]

    def balance(self, code: str) -> Balance | None:
        """Return a balance by its code, the latest of several."""
        found = [each for each in self.balances if each.code == code]
        return max(found, key=lambda each: each.day) if found else None


def read(data: bytes) -> list[Statement]:
    """Read a file. Raises BankFileInvalid, also where a batch or the balances do not add up."""
    message, document = read_document(data, MESSAGES)
    statements = [_statement(message, each) for name in STATEMENTS for each in document.findall(name)]
    if not statements:
        raise BankFileInvalid("the file has no statement in it")
    return statements


def stream(file: BinaryIO) -> Iterator[BankLine]:
    """Read a file of any length line by line, keeping none of them. Raises BankFileInvalid, and that at the very end, too.

    So whoever books by it reads all of it before: see `gateway.cli.bank_files`.
    """
    places: dict[bytes, int] = {}
    statements = booked = 0
    for message, statement, entry in read_parts(file, MESSAGES, STATEMENTS, "Ntry"):
        if entry is not None:
            for line in _lines(entry, _account(statement)):
                booked += line.signed if line.status == BOOKED else 0
                yield _known(line, places)
            continue
        number, balances = needed(statement, "Id"), tuple(map(_balance, statement.findall("Bal")))
        if message.startswith("camt.053."):
            _check_balances(Statement(message, number, _account(statement), balances, ()), booked)
        statements, booked, places = statements + 1, 0, {}
    if not statements:
        raise BankFileInvalid("the file has no statement in it")


def _statement(message: str, element: Element) -> Statement:
    account = _account(element)
    lines = [line for entry in element.findall("Ntry") for line in _lines(entry, account)]
    places: dict[bytes, int] = {}
    found = Statement(
        message=message,
        id=needed(element, "Id"),
        account=account,
        balances=tuple(map(_balance, element.findall("Bal"))),
        lines=tuple(_known(line, places) for line in lines),
    )
    if message.startswith("camt.053."):
        _check_balances(found, sum(line.signed for line in found.lines if line.status == BOOKED))
    return found


def _account(element: Element) -> str:
    number = text(element, "Acct/Id/IBAN") or text(element, "Acct/Id/Othr/Id")
    if not number:
        raise BankFileInvalid(f"{element.tag} names no account")
    return number.replace(" ", "").replace("-", "").upper()


def _balance(element: Element) -> Balance:
    value, currency = amount(_child(element, "Amt"))
    sign = 1 if _is_credit(element) else -1
    day = text(element, "Dt/Dt") or text(element, "Dt/DtTm")[:10]
    return Balance(needed(element, "Tp/CdOrPrtry/Cd"), sign * value, currency, _day(day))


def _lines(entry: Element, account: str) -> Iterator[BankLine]:
    """Return the payments of an entry; one without details is one payment."""
    total, currency = amount(_child(entry, "Amt"))
    credit = _is_credit(entry)
    details = entry.findall("NtryDtls/TxDtls")
    parts = [_part(each, total, currency, credit=credit, alone=len(details) == 1) for each in details]
    if parts and sum(value if sign == credit else -value for value, sign in parts) != total:
        raise BankFileInvalid("an entry's payments do not add up to it")
    for each, (value, sign) in zip(details, parts, strict=True):
        yield _line(entry, each, account, value, currency, credit=sign)
    if not details:
        yield _line(entry, entry, account, total, currency, credit=credit)


def _part(details: Element, total: int, currency: str, *, credit: bool, alone: bool) -> tuple[int, bool]:
    """Return the amount of one payment of an entry, in the account's currency, and whether it came in."""
    written = details.find("Amt") if details.find("Amt") is not None else details.find("AmtDtls/TxAmt/Amt")
    sign = _is_credit(details) if details.find("CdtDbtInd") is not None else credit
    if alone or written is None:
        if not alone:
            raise BankFileInvalid("a batch does not say what each of its payments is")
        return total, credit
    value, its = amount(written)
    if its != currency:
        raise BankFileInvalid("a payment of a batch is of another currency than its account")
    return value, sign


def _line(entry: Element, details: Element, account: str, value: int, currency: str, *, credit: bool) -> BankLine:
    day = text(entry, "BookgDt/Dt") or text(entry, "BookgDt/DtTm")[:10]
    valued = text(entry, "ValDt/Dt") or text(entry, "ValDt/DtTm")[:10]
    written, structured = _texts(details, "RmtInf/Ustrd"), _texts(details, "RmtInf/Strd/CdtrRefInf/Ref")
    return BankLine(
        identity="",
        account=account,
        amount=value,
        currency=currency,
        credit=credit,
        booked_on=_day(day) if day else "",
        status=text(entry, "Sts/Cd") or needed(entry, "Sts"),
        reversal=text(entry, "RvslInd").lower() in {"true", "1"},
        returned=_returned(entry, details),
        reference=text(details, "Refs/AcctSvcrRef") or text(entry, "AcctSvcrRef"),
        end_to_end_id=_given(text(details, "Refs/EndToEndId")),
        payment_id=text(details, "Refs/PmtInfId") or text(entry, "NtryDtls/Btch/PmtInfId"),
        instruction_id=text(details, "Refs/InstrId"),
        mandate_id=text(details, "Refs/MndtId"),
        remittance=" ".join([*written, *structured])[:LONGEST],
        valued_on=_day(valued) if valued else "",
        texts=tuple(each[:LONGEST] for each in (*structured, *written)[:MOST_TEXTS]),
    )


def _returned(entry: Element, details: Element) -> str:
    """Return why a payment came back."""
    family = text(details, "BkTxCd/Domn/Fmly/SubFmlyCd") or text(entry, "BkTxCd/Domn/Fmly/SubFmlyCd")
    if details.find("RtrInf") is None and family not in RETURNED:
        return ""
    return text(details, "RtrInf/Rsn/Cd", 4) or "NARR"


def _texts(details: Element, path: str) -> list[str]:
    return [found for each in details.findall(path) if (found := (each.text or "").strip())]


def _given(reference: str) -> str:
    """Leave out what stands for none."""
    return "" if reference == "NOTPROVIDED" else reference


def _known(line: BankLine, places: dict[bytes, int]) -> BankLine:
    """Give a line its identity; of equal ones of a file, their place among these counts too, which `places` counts.

    A notification and a statement may tell of one payment in more and fewer words: what the bank's reference, the payer's and
    the amount say is enough, where there is a reference.
    """
    known_by = [line.account, str(line.signed), line.currency, line.reference, line.end_to_end_id, line.returned]
    if not line.reference:
        known_by += [line.booked_on, line.payment_id, line.instruction_id, line.mandate_id, line.remittance]
    said = "\x00".join(known_by)
    short = hashlib.sha256(said.encode()).digest()[:16]
    place = places[short] = places.get(short, 0) + 1
    identity = hashlib.sha256(f"{said}\x00{place}".encode()).hexdigest()[:32]
    return msgspec.structs.replace(line, identity=identity)


def _check_balances(statement: Statement, booked: int) -> None:
    """See that what was booked leads from the first balance to the last, where the bank says both."""
    opening = next(filter(None, map(statement.balance, OPENING)), None)
    closing = statement.balance(CLOSING)
    if opening is None or closing is None:
        return
    if opening.amount + booked != closing.amount:
        raise BankFileInvalid(
            f"statement {statement.id[:35]}: its entries do not lead from its first balance to its last"
        )


def _is_credit(element: Element) -> bool:
    said = needed(element, "CdtDbtInd")
    if said not in {"CRDT", "DBIT"}:
        raise BankFileInvalid(f"{element.tag} is neither CRDT nor DBIT")
    return said == "CRDT"


def _child(element: Element, name: str) -> Element:
    found = element.find(name)
    if found is None:
        raise BankFileInvalid(f"{element.tag} has no {name}")
    return found


def _day(written: str) -> str:
    try:
        return date.fromisoformat(written[:10]).isoformat()
    except ValueError:
        raise BankFileInvalid(f"{written[:12]!r} is no day") from None
