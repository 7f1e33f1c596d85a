"""Files of a bank, as tests need them: statements (camt) and status reports (pain.002), written from a few words."""

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"


def entry(
    amount,
    *,
    credit=True,
    currency="GBP",
    day="2026-12-04",
    value_day="",
    reference="",
    details="",
    status="BOOK",
    newer=True,
    reversal=False,
    family="",
):
    """Write an entry; `details` are whole TxDtls, `family` is the sub-family of its bank transaction code."""
    booked = f"<BookgDt><Dt>{day}</Dt></BookgDt>" if day else ""
    valued = f"<ValDt><Dt>{value_day}</Dt></ValDt>" if value_day else ""
    state = f"<Cd>{status}</Cd>" if newer else status
    own = f"<AcctSvcrRef>{reference}</AcctSvcrRef>" if reference else ""
    parts = f"<NtryDtls>{details}</NtryDtls>" if details else ""
    back = "<RvslInd>true</RvslInd>" if reversal else ""
    code = f"<Domn><Cd>PMNT</Cd><Fmly><Cd>IDDT</Cd><SubFmlyCd>{family}</SubFmlyCd></Fmly></Domn>" if family else ""
    return (
        f'<Ntry><Amt Ccy="{currency}">{amount}</Amt><CdtDbtInd>{"CRDT" if credit else "DBIT"}</CdtDbtInd>'
        f"{back}<Sts>{state}</Sts>{booked}{valued}{own}<BkTxCd>{code}</BkTxCd>{parts}</Ntry>"
    )


def payment(end_to_end_id, amount=None, *, currency="GBP", newer=True, returned="", remittance="", more=""):
    """Write the TxDtls of one payment."""
    written = "" if amount is None else f'<Amt Ccy="{currency}">{amount}</Amt>'
    if written and not newer:
        written = f"<AmtDtls><TxAmt>{written}</TxAmt></AmtDtls>"
    back = f"<RtrInf><Rsn><Cd>{returned}</Cd></Rsn></RtrInf>" if returned else ""
    words = f"<RmtInf><Ustrd>{remittance}</Ustrd></RmtInf>" if remittance else ""
    return f"<TxDtls><Refs><EndToEndId>{end_to_end_id}</EndToEndId>{more}</Refs>{written}{words}{back}</TxDtls>"


def balance(code, amount, *, credit=True, currency="GBP", day="2026-12-04"):
    """Write a balance."""
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="{currency}">{amount}</Amt>'
        f"<CdtDbtInd>{'CRDT' if credit else 'DBIT'}</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
    )


def statement(*inner, version="camt.053.001.08", account="GB33BUKB20201555555555", number="S-1", head=""):
    """Write a file with one statement."""
    message, element = {"053": ("BkToCstmrStmt", "Stmt"), "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn")}[version[5:8]]
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<Document xmlns="{NAMESPACE}{version}"><{message}>'
        f"<GrpHdr><MsgId>M-1</MsgId></GrpHdr><{element}><Id>{number}</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>"
        f"{''.join(inner)}</{element}></{message}></Document>"
    ).encode()
