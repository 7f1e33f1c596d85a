"""What a gateway wrote into its log, read back: its lines, and how many events they stand for."""

import json


def lines_of(gateway, event):
    """The lines of one event, in order."""
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def stood_for(lines):
    """How many events lines tell of: each its own, and those that were held back before it."""
    return sum(1 + line.get("suppressed", 0) for line in lines)
