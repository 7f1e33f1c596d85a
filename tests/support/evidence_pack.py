"""A closed month with evidence packs of it, as files in a folder, to be checked and tampered with."""

import json

from gateway.balance.changes import ChooseCauses
from gateway.billing.packs import verify
from gateway.billing.packs.files import whole
from gateway.billing.packs.making import Asked, Month, PackMaker
from gateway.charity.choices import Share
from gateway.ledger.seals import SealKey, WriteSeal, due
from support.lane_fixture import EVIDENCE_KEY

SPLIT = (Share("wateraid", 6_000), Share("wwf", 4_000))
IMSI, MSISDN = "2341500000000{:02d}", "4477009000{:02d}"


def closed_month(place, lines=4):
    """Lines that give to one cause or to two, with sessions of one report and of many, in a month that is sealed and closed."""
    for n in range(lines):
        place.enrol(5_000_000, imsi=IMSI.format(n), msisdn=MSISDN.format(n))
        if n % 2 == 0:
            place.lane.run(ChooseCauses("msisdn", MSISDN.format(n), SPLIT))
        for session in range(2):
            place.use(1_000_000 + 77_777 * n + session, f"pack;{n};{session}", imsi=IMSI.format(n))
    seal(place)
    return place.close_month().period


def seal(place):
    """Let a day end, and seal it."""
    place.ticks.now += 86_400_000_000
    with place.reading() as connection:
        day, tip = due(connection, place.node.id, place.ticks.now)
    place.lane.run(WriteSeal(SealKey(EVIDENCE_KEY).sign(place.node.id, day, tip), "gw"))


def made(place, asked):
    """Make a pack: its files by name."""
    with place.reading() as connection:
        month = Month(connection, EVIDENCE_KEY, asked.period)
        return PackMaker(connection, EVIDENCE_KEY, month, asked).make(lambda _what, _done: None)


def audited(place, period, **more):
    return made(place, Asked(period, **({"seed": "dice 4", "sample": 3} | more)))


def write(folder, files):
    folder.mkdir(exist_ok=True)
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    return folder


def failure(folder):
    """Why a pack is not accepted; None where it is."""
    try:
        verify.Pack(*verify.read(folder))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        return str(error) if isinstance(error, verify.Failed) else f"no whole pack: {error}"
    return None


def rows_of(files):
    return {name: verify.lines(f"{name}.jsonl", files[f"{name}.jsonl"]) for name in verify.ROWS}


def signed_again(files, rows):
    """The pack of a company that lies: other rows, and all of it signed with the right key."""
    texts = {name: files[name] for name in verify.TEXTS}
    return whole(texts, rows, SealKey(EVIDENCE_KEY))


def text_of(files, name):
    return json.loads(files[name])
