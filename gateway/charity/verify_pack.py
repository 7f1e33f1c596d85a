"""Proves a pack of evidence offline: `python verify.py [FOLDER] [--public-key HEX]`, with Python's standard library alone.

A pack is what `tpo charity audit` wrote: pack.json, signature.json, and this program as verify.py. It says OK and ends with 0,
or names what is wrong and ends with 1. What it proves: that the pack is, to the octet, what the gateway with this key signed;
that the seals in it are that key's; that each price is charged whole, each tenth is of what was charged and by the rule in the
pack, the parts of each tenth are one whole, and all of it adds up to what the pack claims. Compare the key that it names
with the one that you were given by another way.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

# Ed25519, RFC 8032 section 5.1, for verifying alone: nothing here is secret, so that it may take its time.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int, int, int]


def recover(y: int, sign: int) -> Point:
    """Give the point of a compressed one; ValueError where there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(one: Point, other: Point) -> Point:
    """Add two points in extended coordinates."""
    a, b = (one[1] - one[0]) * (other[1] - other[0]) % P, (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number: int, point: Point) -> Point:
    """Multiply a point."""
    found: Point = (0, 1, 1, 0)
    while number:
        if number & 1:
            found = add(found, point)
        point, number = add(point, point), number >> 1
    return found


BASE = recover(4 * pow(5, P - 2, P) % P, 0)


def decompress(octets: bytes) -> Point:
    """Read a point."""
    value = int.from_bytes(octets, "little")
    return recover(value & ((1 << 255) - 1), value >> 255)


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether a message was signed with the key of which this is the public part."""
    if len(public) != 32 or len(signature) != 64:
        return False
    try:
        key, point = decompress(public), decompress(signature[:32])
    except ValueError:
        return False
    number = int.from_bytes(signature[32:], "little")
    if number >= L:
        return False
    hashed = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    one, other = times(number, BASE), add(point, times(hashed, key))
    return (one[0] * other[2] - other[0] * one[2]) % P == 0 and (one[1] * other[2] - other[1] * one[2]) % P == 0


# The pack

WHOLE = 10_000
"""Basis points in one whole."""
PRICE = ("charge", "service", "promotional")
"""Kinds of entries that together are the price of a record."""


class Wrong(Exception):
    """Something in the pack is not as it has to be."""


def need(condition: object, what: str) -> None:
    """Raise Wrong where something does not hold."""
    if not condition:
        raise Wrong(what)


def proved(folder: Path, expected: str) -> dict[str, Any]:
    """Give what a pack says, once its signature is right."""
    octets, said = (folder / "pack.json").read_bytes(), json.loads((folder / "signature.json").read_bytes())
    need(set(said) == {"public_key", "signature"}, "signature.json has other members than a key and a signature")
    need(
        not expected or said["public_key"] == expected.lower(),
        "the pack was signed with another key than the one named",
    )
    message = b"tpo-pack/1 " + hashlib.sha256(octets).hexdigest().encode()
    public = bytes.fromhex(said["public_key"])
    need(is_signed(public, message, bytes.fromhex(said["signature"])), "pack.json is not what was signed")
    pack: dict[str, Any] = json.loads(octets)
    ours = hashlib.sha256((folder / "verify.py").read_bytes()).hexdigest()
    need(pack["verifier"] == ours, "verify.py is not the one that came with the pack")
    canonical = json.dumps(said, sort_keys=True, indent=1) + "\n"
    need((folder / "signature.json").read_text() == canonical, "signature.json is not as it was written")
    for seal in pack["seals"]:
        statement = f"tpo-seal/1 {seal['node']} {seal['day']} {seal['sequence']} {seal['head']}".encode()
        need(is_signed(public, statement, bytes.fromhex(seal["signature"])), f"the seal of {seal['day']} is not signed")
    return pack


def check_sample(sample: dict[str, Any], policies: dict[str, Any]) -> None:
    """See that a record is charged what it was priced, and that the tenth of that is whole and by the rule."""
    usage, entries = sample["usage"], sample["entries"]
    name = usage["id"]
    need(all(entry["usage"] == name for entry in entries), f"{name}: an entry is of another record")
    need(
        all(row["proved"] for row in (usage, *entries)),
        f"{name}: a row was not as it was booked when the pack was made",
    )
    paid = sum(entry["amount"] for entry in entries if entry["kind"] in PRICE)
    need(paid == usage["price"], f"{name}: priced {usage['price']}, charged {paid}")
    charged = sum(entry["amount"] for entry in entries if entry["kind"] == "charge")
    tenths = [entry for entry in entries if entry["kind"] == "accrual"]
    for entry in tenths:
        rule = policies[entry["policy"]]
        need(entry["base"] == charged, f"{name}: a tenth is of {entry['base']}, charged were {charged}")
        # A session's tenth is that of its sum: one record's part of it differs by less than two micro-units from its own.
        exact = entry["base"] * rule["rate"] * entry["share"]
        need(abs(entry["amount"] * WHOLE * WHOLE - exact) < 2 * WHOLE * WHOLE, f"{name}: the tenth is not by the rule")
    missing = WHOLE - sum(entry["share"] for entry in tenths)
    need(missing >= 0, f"{name}: the parts of the tenth are more than one whole")
    # A part that comes to nothing is not booked.
    least = min((rule["rate"] for rule in policies.values()), default=0) * charged * missing
    need(least < 2 * WHOLE * WHOLE, f"{name}: a part of the tenth is missing")


def check_sums(pack: dict[str, Any]) -> None:
    """See that the samples add up to what is claimed, and are as many as were drawn."""
    sums: dict[str, list[int]] = {}
    for sample in pack["samples"]:
        found = sums.setdefault(sample["usage"]["currency"], [0, 0, 0])
        found[0] += sample["usage"]["price"]
        found[1] += sum(entry["amount"] for entry in sample["entries"] if entry["kind"] == "charge")
        found[2] += sum(entry["amount"] for entry in sample["entries"] if entry["kind"] == "accrual")
    need(sums == pack["sums"], f"the samples add up to {sums}, the pack says {pack['sums']}")
    names = [sample["usage"]["id"] for sample in pack["samples"]]
    need(len(names) == len(set(names)) == pack["drawn"], "the samples are not as many, and as different, as were drawn")


def main() -> int:
    """Prove a pack."""
    parser = argparse.ArgumentParser(description="Prove a pack of evidence offline.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parent)
    parser.add_argument("--public-key", default="", help="the gateway's, as you were given it by another way")
    given = parser.parse_args()
    try:
        pack = proved(given.folder, given.public_key)
        for content in pack["plans"].values():
            need(
                hashlib.sha256(content["content"].encode()).hexdigest() == content["hash"],
                "a plan is not that of its hash",
            )
        for sample in pack["samples"]:
            need(sample["usage"]["plan"] in (None, *pack["plans"]), "a record is of a plan that is not in the pack")
            check_sample(sample, pack["policies"])
        check_sums(pack)
    except (Wrong, OSError, KeyError, TypeError, ValueError) as error:
        sys.stderr.write(f"NOT PROVED: {error!r}\n")
        return 1
    key = json.loads((given.folder / "signature.json").read_bytes())["public_key"]
    sys.stdout.write(
        f"OK: {pack['claim']}\n{len(pack['samples'])} records, {len(pack['seals'])} seals; signed by {key}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
