"""Read a rate deck: a CSV of what calls and texts to numbers cost, by their first digits, as carriers and regulators give them.

    prefix,name,voice,increments,connection,sms,service,service_increments,service_connection,tenth
    1,USA and Canada,0.05,60/1,,0.12,,,,
    449,Premium rate,0.55,60/1,,,3.60,1/1,0.50,no

`voice` and `service` are the price of a minute, `sms` that of a text, in major units; empty where there is none. `service` is
what the called party has on top, and `tenth` whether the tenth accrues on that (yes, unless it is no). Only `prefix` must be
there; a cell beside a price that its row does not have is refused.
"""

import csv
from collections.abc import Iterator
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from pydantic import ValidationInfo

from gateway.rating.plans import CalledRates, Rate, ServiceCharge
from gateway.settings.rate_entries import parse_increments
from gateway.settings.values import check_prefix, parse_path, parse_price, reading
from gateway.store.named_files import lines_of, open_named

if TYPE_CHECKING:
    from _csv import Reader

COLUMNS: Final = (
    *("prefix", "name", "voice", "increments", "connection", "sms"),
    *("service", "service_increments", "service_connection", "tenth"),
)
MINUTE: Final = 60
MOST: Final = 200_000
"""Rows of one deck: what a carrier sells the whole world by has some 20,000."""
YES: Final = {"": True, "yes": True, "no": False}


def parse_deck(value: object, info: ValidationInfo) -> dict[str, CalledRates]:
    """Read the deck that a setting names, from the config file's folder; a client of the gateway may not be able to."""
    if isinstance(value, dict):
        return value  # left out: there is none
    path = parse_path(value, info)
    try:
        with TextIOWrapper(open_named(path, pipe=False), encoding="utf-8-sig", newline="") as file:
            return dict(_rows(csv.reader(lines_of(file), strict=True), path))
    except OSError as error:
        if reading(info).for_client:
            return {}
        message = f"can't be read: {path}: {error.strerror}"
    except UnicodeDecodeError:
        message = f"can't be read: {path}: is no text in UTF-8"
    raise ValueError(message)


def _rows(lines: "Reader", path: Path) -> Iterator[tuple[str, CalledRates]]:
    records = _records(lines, path)
    header = [name.strip() for name in next(records, [])]
    unknown = [name for name in header if name not in COLUMNS]
    if "prefix" not in header or unknown or len(set(header)) != len(header):
        message = f"{path}:1: the first line has the columns, prefix and any of {', '.join(COLUMNS[1:])}"
        raise ValueError(message)
    seen: set[str] = set()
    for cells in records:
        if not any(cells):
            continue
        try:
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            prefix = check_prefix(row.pop("prefix"))
            if prefix in seen:
                message = f"prefix {prefix} stands twice"
                raise ValueError(message)
            rates = _rates(*(row.get(name, "") for name in COLUMNS[1:]))
        except ValueError as error:
            what = f"has {len(cells)} cells, not {len(header)}" if len(cells) != len(header) else error
            message = f"{path}:{lines.line_num}: {what}"
            raise ValueError(message) from None
        seen.add(prefix)
        if len(seen) > MOST:
            message = f"{path}: has more than {MOST} rows"
            raise ValueError(message)
        yield prefix, rates
    if not seen:
        message = f"{path}: has no rows: every number would cost what an ordinary one does"
        raise ValueError(message)


def _records(lines: "Reader", path: Path) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        message = f"{path}:{lines.line_num}: can't be read: {error}"
        raise ValueError(message) from None


@lru_cache(4096)
def _rates(
    name: str,
    voice: str,
    increments: str,
    connection: str,
    sms: str,
    service: str,
    service_increments: str,
    service_connection: str,
    tenth: str,
) -> CalledRates:
    """Make the rates of a row; most rows of a deck have the same few."""
    if not (voice or sms) or tenth not in YES or (service and not voice):
        message = "give voice, sms or both, service only with voice, and tenth as yes or no"
        raise ValueError(message)
    if not voice and (increments or connection):
        message = "increments and connection are of voice, which the row does not have"
        raise ValueError(message)
    if not service and (service_increments or service_connection or not YES[tenth]):
        message = "service_increments, service_connection and tenth: no are of service, which the row does not have"
        raise ValueError(message)
    charge = ServiceCharge(_by_minute(service, service_increments, service_connection), YES[tenth]) if service else None
    calls = _by_minute(voice, increments, connection) if voice else None
    if calls is not None:
        calls = msgspec.structs.replace(calls, in_bundle=False, service=charge)
    return CalledRates(calls, Rate(parse_price(sms), 1, in_bundle=False) if sms else None, name)


def _by_minute(price: str, increments: str, connection: str) -> Rate:
    minimum, step = parse_increments(increments) if increments else (0, 1)
    return Rate(parse_price(price), MINUTE, step, minimum, connection=parse_price(connection) if connection else 0)
