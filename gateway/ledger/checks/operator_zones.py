"""The time zones by whose clocks the operator's days and months began, by the versions of what decides over charging."""

import json
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection

from gateway.store.versions import CHARGING, read


def operator_zones(connection: Connection) -> list[ZoneInfo]:
    """Return the time zones that the operator had."""
    names = {
        json.loads(version.content).get("timezone", "UTC")
        for version in read(connection, CHARGING)
        if version.content is not None and not version.is_gone
    }
    found = []
    for name in sorted(names) or ["UTC"]:
        try:
            found.append(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError):
            continue
    return found
