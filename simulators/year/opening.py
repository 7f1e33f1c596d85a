"""How a simulated operator begins: its lines come in with plans, causes and consent, its causes with registers and accounts."""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

import msgspec

from gateway.api.answers.charity import BankDetails, RegisterImported
from gateway.api.answers.orders import OrderTaken
from gateway.api.answers.sims import ImportedSims
from gateway.api.answers.subscribers import ImportedRows
from gateway.balance.changes import ChooseCauses
from gateway.balance.families import SetPayer
from gateway.balance.line_terms import SetCreditLimit, SetRenewal
from gateway.charity.choices import parse
from gateway.charity.sealed_causes import Consent
from gateway.store.batch import Unit
from gateway.subscribers.identifier_history import MSISDN
from simulators.year.gateway import CHECKER, MAKER, Gateway, expect
from simulators.year.lines import CREDIT_LIMIT, Line
from simulators.year.settings_files import BUNDLE, CAUSES, REGULATOR, CauseTerms

ROWS: Final = 1000
"""Lines that are imported at once."""
FAMILY, CAP = 20, 3_000_000
"""One of so many lines has its use paid by the next one's wallet, at most so many micro-units a month."""
WORDING: Final = "2025-1"
"""The version of what customers were asked when they chose."""


async def bring_in(gateway: Gateway, lines: Sequence[Line], key: int) -> None:
    """Import the lines that are live on the host, activate the others by order, and note what their customers agreed to."""
    for begin in range(0, len(lines), ROWS):
        rows = [_row(line) for line in lines[begin : begin + ROWS] if not line.has_card]
        if rows:
            done = await gateway.ask(MAKER, "subscriber.import", ImportedRows, rows=rows)
            expect({row.outcome for row in done.results} == {"created"}, "all lines are imported", done.results[0])
    await _activate(gateway, [line for line in lines if line.has_card], key)
    refused = [answer for answer in await gateway.run_all(_terms(lines)) if isinstance(answer, Exception)]
    expect(not refused, "all terms are set", refused[:1])


async def _activate(gateway: Gateway, lines: Sequence[Line], key: int) -> None:
    keys = Random(key)  # noqa: S311  (cards that do not exist)
    for begin in range(0, len(lines), ROWS):
        some = lines[begin : begin + ROWS]
        rows = [
            {"iccid": line.iccid, "imsi": line.imsi} | {name: f"{keys.getrandbits(128):032x}" for name in ("ki", "opc")}
            for line in some
        ]
        await gateway.ask(MAKER, "sim.import", ImportedSims, rows=rows)
        for line in some:
            wanted = {"iccid": line.iccid, "msisdn": line.msisdn, "plan": line.plan}
            await gateway.ask(MAKER, "sim.activate", OrderTaken, **wanted, key=f"open-{line.place}")
        await gateway.orders_done()


def _row(line: Line) -> dict[str, str]:
    columns = {"msisdn": line.msisdn, "imsi": line.imsi, "iccid": line.iccid, "plan": line.plan}
    return columns | {"cause": "", "balance": f"{line.bought}.00"}


def _terms(lines: Sequence[Line]) -> Iterator[Unit]:
    """Choices with consent, consent to renewals, and how far those who pay by the month may go."""
    known = [cause.id for cause in CAUSES]
    for line in lines:
        if line.causes:
            yield ChooseCauses(MSISDN, line.msisdn, parse(line.causes, known), Consent("signup", WORDING))
        if line.plan == BUNDLE and line.renews:
            yield SetRenewal(MSISDN, line.msisdn, consent=True, billing_day=1, actor="desk", reason="agreed at signup")
        if line.pays_later:
            yield SetCreditLimit(MSISDN, line.msisdn, CREDIT_LIMIT, "desk", "pays at the end of the month")
    prepaid = [line for line in lines if not line.pays_later]
    for member, payer in zip(prepaid[::FAMILY], prepaid[1::FAMILY], strict=False):
        yield SetPayer(member.msisdn, payer.msisdn, CAP, "desk", "one bill for two")


async def register_causes(gateway: Gateway, day: str) -> None:
    """Import what the register says of the causes, and have two people stand for the account of each."""
    rows = [{"number": cause.number, "name": cause.name, "status": "registered"} for cause in CAUSES]
    told = {"regulator": REGULATOR, "extracted_on": day, "rows": rows}
    found = await gateway.ask(MAKER, "charity.register", RegisterImported, **told)
    expect(found.registered == len(CAUSES), "all causes are registered", found.not_registered)
    for cause in CAUSES:
        await agree_account(gateway, cause, cause.account.number)


async def agree_account(gateway: Gateway, cause: CauseTerms, number: str) -> None:
    """Propose an account of a cause, and have another person approve it; a change counts from seven days later on."""
    account = {"name": cause.account.name, "sort_code": cause.account.sort_code, "account": number}
    told = {"cause": cause.id, "currency": "GBP", "account": msgspec.json.encode(account).decode()}
    proposed = await gateway.ask(MAKER, "charity.bank", BankDetails, **told)
    await gateway.ask(CHECKER, "charity.bank.approve", BankDetails, details=int(proposed.details))
