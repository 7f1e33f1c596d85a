"""Checks the evidence pack that it lies in: offline, with any Python from 3.11 on. README.md says what that proves."""

# fmt: off
import argparse
import base64
import hashlib
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]
Node: TypeAlias = Any
ROWS = ("bills", "usage", "rates", "entries", "tenths", "sessions", "policies", "payments", "seals")
TEXTS = ("README.md", "CLAIM.txt", "verify.py", "statement.json", "commitment.json", "commitment.sig")
LEAF = ("series", "back", "currency", "opening", "closing", "given", "moved", "used")
SEALED = {"bills": (*LEAF, "rows"),
    "usage": ("day", "service", "octets", "seconds", "units", "covered", "before", "capped", "price", "prices"),
    "entries": ("day", "kind", "sides", "amount", "use"),
    "tenths": ("day", "kind", "amount", "base", "share", "policy", "use", "to")}  # what the leaf of a row has in a day's tree
WHOLE, CROWD, LEAST, BASES = 10_000, 50, 1000, ("charge", "sale")  # of less than LEAST there may be no tenth
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
MOST = 64 << 20  # octets of what is given beside the pack: seals of a quarter of a million days of gateways
COUNTED, MEASURES = {"data": "octets", "voice": "seconds", "sms": "units"}, ("octets", "seconds", "units", "covered", "price")
class Failed(ValueError):
    """Something is not as it must be."""
def need(true: object, where: str, row: int | None, what: str) -> None:
    """Fail with a file and a row where something is not true."""
    if not true:
        raise Failed(f"{where}{'' if row is None else f' row {row}'}: {what}")
def canonical(value: object) -> bytes:
    """Write JSON in the one form that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
# Ed25519 (RFC 8032 section 5.1): points of the curve in extended coordinates
def _add(a: Node, b: Node) -> Node:
    left, right = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = right - left, d - c, d + c, right + left
    return e * f % P, g * h % P, f * g % P, e * h % P
def _times(number: int, point: Node) -> Node:
    half = _times(number >> 1, _add(point, point)) if number > 1 else (0, 1, 1, 0)
    return _add(half, point) if number & 1 else half
def _point(octets: bytes) -> Node:
    y, sign = int.from_bytes(octets, "little") & ((1 << 255) - 1), octets[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if (x * x - square) % P == 0 else x * pow(2, (P - 1) // 4, P) % P
    wrong, x = y >= P or (x * x - square) % P or (not x and sign), x if x & 1 == sign else P - x
    return None if wrong else (x, y, 1, x * y % P)
def is_signed(public: str, message: bytes, signature: str) -> bool:
    """Verify an Ed25519 signature (RFC 8032 section 5.1.7); key and signature in lower-case hexadecimal digits."""
    if not re.fullmatch("[0-9a-f]{64} [0-9a-f]{128}", f"{public} {signature}"):
        return False
    key, octets = bytes.fromhex(public), bytes.fromhex(signature)
    a, r, s = _point(key), _point(octets[:32]), int.from_bytes(octets[32:], "little")
    k = int.from_bytes(hashlib.sha512(octets[:32] + key + message).digest(), "little") % L
    if a is None or r is None or s >= L:
        return False
    one, other = _times(s, _point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))), _add(r, _times(k, a))
    return all((one[i] * other[2] - other[i] * one[2]) % P == 0 for i in (0, 1))
def half_even(numerator: int, denominator: int) -> int:
    """Divide, and round half to even."""
    return numerator // denominator + (2 * (numerator % denominator) + numerator // denominator % 2 > denominator)
def price(rate: Row, total: int) -> int:
    """Price a session's total of units: whole steps, a minimum, a connection fee, and what a service has of it."""
    counted = -(-max(total, rate.get("minimum", 0)) // rate.get("step", 1)) * rate.get("step", 1)
    found = int(rate.get("connection", 0)) + half_even(rate["price"] * counted, rate["per"])
    return found + (price(rate["service"]["rate"], total) if rate.get("service") else 0) if total > 0 else 0
def tenth(policy: Row, base: int) -> int:
    """Give a rule's part of a price: `rate` basis points of what it is without a tax of `tax` basis points."""
    return half_even(base * policy["rate"], WHOLE + policy["tax"])
def split(amount: int, shares: list[int], owed: list[int]) -> list[int]:
    """Split by shares to the largest remainder, ties by order; `owed` is what rounding owes each, and is carried on."""
    parts = [amount * share // WHOLE for share in shares]
    owed[:] = [before + amount * share % WHOLE for before, share in zip(owed, shares, strict=True)]
    for i in sorted(range(len(shares)), key=lambda i: -owed[i])[: amount - sum(parts)]:
        parts[i], owed[i] = parts[i] + 1, owed[i] - WHOLE
    return parts
def charge_of(entry: Row, parts: list[Row]) -> Node:
    """Give what was charged, or given back, with the shares of its tenth, what each came to, and the rules of it."""
    shares, amounts = ([row[name] for row in parts] for name in ("share", "amount"))
    return abs(entry["amount"]), shares, amounts, {row["policy"] for row in parts}
def is_exact(charges: list[Node], policies: Row) -> bool:
    """Tell whether the tenths of a session's charges, in order, are those of its running sum, to the largest remainder."""
    base, owed, rules = 0, [0], set[str]().union(*(charge[3] for charge in charges))
    for amount, shares, parts, _ in charges if len(rules) == 1 else ():
        policy = policies[next(iter(rules))]
        more, base = tenth(policy, base + amount) - tenth(policy, base), base + amount
        owed = owed if len(owed) == len(shares) or not shares else [0] * len(shares)
        if more if not shares else sum(shares) != WHOLE or split(more, shares, owed) != parts:
            return False
    return len(rules) <= 1
def is_near(charge: Node, policies: Row) -> bool:
    """Tell whether a tenth is one to within what rounding in a longer session, and parts that come to nothing, move."""
    base, shares, parts, rules = charge
    due, wide = (tenth(policies[next(iter(rules))], base) if rules else 0), 1 if sum(shares) == WHOLE else 10
    near = all(abs(part - due * share // WHOLE) <= 2 for share, part in zip(shares, parts, strict=True))
    return near and sum(shares) <= WHOLE and len(rules) <= 1 and abs(sum(parts) - due) <= wide
def leaf(bill: Row) -> Node:
    """Give the leaf of a bill, and its sums: by currency what was given, what was taken back, how many bills, and who gave."""
    said, given = digest(0, bytes.fromhex(bill["salt"]), canonical([bill[name] for name in LEAF])), bill["given"]
    return said, {bill["currency"]: [max(given, 0), max(-given, 0), 1, int(given > 0)]}
def joined(one: Node, other: Node) -> Node:
    """Join two branches: a hash of both, and of the sums of both."""
    pairs = {key: (one[1].get(key, [0] * 4), other[1].get(key, [0] * 4)) for key in sorted({*one[1], *other[1]})}
    sums = {key: [a + b for a, b in zip(*pair, strict=True)] for key, pair in pairs.items()}
    return digest(1, one[0], other[0], canonical([one[1], other[1]])), sums
def climb(at: Node, place: int, width: int, path: list[Node], join: Node) -> Node:
    """Climb from a place to the root of a tree by the branches beside the way; None where there are too many of them."""
    while width > 1 and 0 <= place < width:
        if place ^ 1 < width:
            at, path = (join(path[0], at) if place % 2 else join(at, path[0])), path[1:]
        place, width = place // 2, (width + 1) // 2
    return None if path or place else at
def digest(kind: int, *octets: bytes) -> bytes:
    """Give the SHA-256 of octets behind one that says what they are."""
    return hashlib.sha256(bytes([kind]) + b"".join(octets)).digest()
def draw(seed: str, root: str, heads: object, among: int, many: int) -> list[int]:
    """Draw places of bills by the seed, the root of the tree, and the heads that were sealed before."""
    key, turn, found = hashlib.sha256(canonical(["tpo-sample/1", seed, root, heads])).digest(), 0, set[int]()
    while len(found) < min(many, among):
        found.add(int.from_bytes(hashlib.sha256(key + turn.to_bytes(8)).digest(), "big") % among)
        turn += 1
    return sorted(found)
def claim(period: str, sums: Row, bill: Row | None) -> str:
    """Write the sentence that the rows prove: of a bill exactly, of a month rounded down to what may be published."""
    if bill is not None:
        sign, (whole, rest) = "-" * (bill["given"] < 0), divmod(abs(bill["given"]), 1_000_000)
        return f"Of this bill of {period}, {sign}{whole}.{rest:06d} {bill['currency']} was set aside for causes.\n"
    enough = [(max(each[0] - each[1], 0) // 1_000_000, name) for name, each in sorted(sums.items()) if each[3] >= CROWD]
    digits = [(whole, 10 ** (len(str(whole)) - (2 if whole >= 1000 else 1)), name) for whole, name in enough if whole]
    found = [f"{whole // step * step} {name}" for whole, step, name in digits]  # two digits, one below a thousand
    said = f"at least {' and '.join(found)} was set aside for causes" if found else "no figure may be published: too few gave"
    return f"Of the bills of {period}, {said}.\n"
def lines(name: str, octets: bytes) -> list[Row]:
    """Read rows: each begins with the SHA-256 of the one before it and of itself, so that the first wrong one is named."""
    before, found = hashlib.sha256(name.encode()).digest(), []
    for number, line in enumerate(octets.split(b"\n")[:-1], 1):
        head, _, body = line.partition(b" ")
        before = hashlib.sha256(before + body).digest()
        need(head == before.hex().encode(), name, number, "is not the row that was written here")
        found.append(json.loads(body))
    return found
def read(folder: Path) -> tuple[dict[str, bytes], str]:
    """Read a pack, hold each file against the manifest and that against its signature; gives the files and the key."""
    names = {"manifest.json", "signature.txt", *TEXTS, *(f"{name}.jsonl" for name in ROWS)}
    for name in sorted(names ^ {each.name if each.is_file() else f"{each.name}/" for each in folder.iterdir()}):
        raise Failed(f"{name}: {'is missing' if name in names else 'does not belong here'}")
    files = {name: (folder / name).read_bytes() for name in sorted(names)}
    octets, signed = files.pop("manifest.json"), files.pop("signature.txt").decode("latin-1")
    right = is_signed(signed[:64], b"tpo-pack/1 " + hashlib.sha256(octets).hexdigest().encode(), signed[65:-1])
    need(right and signed[-1:] == "\n" and signed[64] == " ", "manifest.json", 1, "is not what signature.txt signs")
    for name, found in files.items():
        rows = len(lines(name, found)) if name.endswith(".jsonl") else None
        need(hashlib.sha256(found).hexdigest() == json.loads(octets)[name], name, rows, "ends otherwise than was signed")
    return files, signed[:64]
def given(path: Path) -> bytes:
    """Read what was given beside the pack: a file, or a pipe that somebody writes into, of at most so many octets."""
    need(path.is_file() or path.is_fifo(), str(path), None, "is neither a file nor a pipe")
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0))) as file:
        if path.is_fifo():
            os.set_blocking(file.fileno(), True)  # only opening it does not wait for a writer
        octets = file.read(MOST + 1)
    need(octets and len(octets) <= MOST, str(path), None, f"has {'nothing' if not octets else f'more than {MOST} octets'}")
    return octets
class Pack:
    """A pack that is as it was signed, and that every check holds of: one that does not fails with a file and a row."""
    def __init__(self, files: dict[str, bytes], key: str, *, unsealed: bool = False) -> None:
        """Take its files, and check them; `unsealed`: let rows pass that no seal has yet."""
        self.rows = {name: lines(f"{name}.jsonl", files[f"{name}.jsonl"]) for name in ROWS}
        self.statement, self.committed = json.loads(files["statement.json"]), json.loads(files["commitment.json"])
        self.policies, self.files, self.key = {row["policy"]: row for row in self.rows["policies"]}, files, key
        self.entries, self.unsealed, self.passes = {row["entry"]: row for row in self.rows["entries"]}, 0, unsealed
        self.claimed, self.salts = files["CLAIM.txt"].decode(), {row["usage"]: row["salt"] for row in self.rows["usage"]}
        for check in (self.seals, self.tree, self.usage, self.bills, self.tenths, self.sealed):
            check()
    def seals(self) -> None:
        """Prove each seal, and that the heads of the commitment are sealed ones; hold the claim against the rows."""
        for number, row in enumerate(self.rows["seals"], 1):
            said = " ".join(str(row[name]) for name in ("node", "day", "sequence", "head", "rows") if row.get(name, "") != "")
            text = f"tpo-seal/{2 if row.get('rows') else 1} {said}".encode()
            need(is_signed(self.key, text, row["signature"]), "seals.jsonl", number, "its signature is wrong")
        heads, period = [[row["node"], row["day"], row["head"]] for row in self.rows["seals"]], self.statement["period"]
        need(all(head in heads for head in self.committed["heads"]), "commitment.json", 1, "has a head without a seal")
        text, sign = b"tpo-commitment/1 " + self.files["commitment.json"], self.files["commitment.sig"].decode().strip()
        need(is_signed(self.key, text, sign) and self.committed["period"] == period, "commitment.sig", 1, "signs another month")
        bill = next(bill for bill in self.rows["bills"] if bill["drawn"]) if self.statement["kind"] == "bill" else None
        need(claim(period, self.committed["sums"], bill) == self.claimed, "CLAIM.txt", 1, "the rows prove another sentence")
    def tree(self) -> None:
        """Prove that each bill is in the tree of the month's bills, and counts in its sums; then draw the sample again."""
        month, asked, bills = self.committed, self.statement, self.rows["bills"]
        whole = sum(each[2] for each in month["sums"].values())
        for number, bill in enumerate(bills, 1):
            path = [(bytes.fromhex(branch), sums) for branch, sums in bill["path"]]
            root = climb(leaf(bill), bill["place"], month["bills"], path, joined)
            right = all(amount >= 0 for _, sums in path for each in sums.values() for amount in each) and root is not None
            right = right and (root[0].hex(), root[1], whole) == (month["root"], month["sums"], month["bills"])
            need(right, "bills.jsonl", number, "is not in the tree of the month's bills")
        drawn = draw(asked["seed"], month["root"], month["heads"], month["bills"], asked["sample"])
        places, lines = [bill["place"] for bill in bills if bill["drawn"]], {bill["line"] for bill in bills if bill["drawn"]}
        right = (places == drawn or asked["kind"] == "bill") and {bill["line"] for bill in bills} == lines
        need(right, "bills.jsonl", None, "these are not the bills that the seed draws")
    def usage(self) -> None:
        """Reckon the price of each use again, and hold it against what was charged for it."""
        rates, paid = {row["rate"]: row for row in self.rows["rates"]}, defaultdict[str, int](int)
        for number, entry in enumerate(self.rows["entries"], 1):
            if entry["kind"] in ("charge", "service", "promotional") and entry["usage"]:
                paid[entry["usage"]] -= entry["amount"]
            right = self._is_of(entry, entry["usage"]) and entry["sides"] in ("both", "in" if entry["amount"] > 0 else "out")
            need(right, "entries.jsonl", number, "is about another use, or of another wallet")
        for number, row in enumerate(self.rows["usage"], 1):
            if row["rate"] is not None:
                rate, before, units = rates[row["rate"]], row["before"], row[COUNTED[row["service"]]] - row["covered"]
                due = price(rate["terms"], before + units) - price(rate["terms"], before) - row["capped"]
                right = due == row["price"] and units >= 0 and rate["prices"] == row["prices"]
                need(right, "usage.jsonl", number, f"costs {due}, was priced {row['price']}, or by another price list")
            need(paid.pop(row["usage"], 0) == row["price"], "usage.jsonl", number, "was not charged its price")
        need(not paid, "entries.jsonl", None, "has charges of use that is not here")
    def _is_of(self, row: Row, use: str | None) -> bool:  # whether a row hides this use, as far as both are told
        return not (use and row["use"]) or row["use"] == digest(2, bytes.fromhex(row["opens"] + self.salts[use])).hex()
    def bills(self) -> None:
        """Add up each bill: its entries, its use, and what stands at its end; each has those that it names."""
        sums, named = dict[Any, list[int]](), defaultdict[str, list[bytes]](list)
        for row in self.rows["entries"] + self.rows["usage"]:
            one, other, *fields = ("service", "traffic", *MEASURES) if "traffic" in row else ("kind", "section", "amount")
            key, more = (row["bill"], row[one], row[other], row.get("amount", 0) > 0), [1, *(row[name] for name in fields)]
            sums[key] = [a + b for a, b in zip(sums.get(key, [0] * 6), more, strict=False)]
            named[row["bill"]] += [bytes.fromhex(row["salt"])] * row.get("named", 1)
        for number, bill in enumerate(self.rows["bills"], 1):
            total = bill["opening"] + sum(each[3] for each in bill["moved"])
            need(total == bill["closing"], "bills.jsonl", number, f"comes to {total}, says {bill['closing']}")
            wanted: list[Any] = [((kind, part, amount > 0), [count, amount]) for kind, part, count, amount in bill["moved"]]
            wanted += [((service, traffic, False), said) for service, traffic, *said in bill["used"]]
            for key, said in wanted if not bill["back"] else ():  # what takes a bill back has no rows again
                found = sums.pop((bill["bill"], *key), None)
                need(found == said, "bills.jsonl", number, f"{key[0]}: rows come to {found}, not {said}")
            right = bill["back"] or digest(3, *sorted(named[bill["bill"]])).hex() == bill["rows"]
            need(right, "bills.jsonl", number, "names other use or entries")
        need(not sums, "bills.jsonl", None, f"there are rows of no bill: {sums}")
    def tenths(self) -> None:
        """Reckon each tenth again by its rule, split it by its shares, and add up what each bill gave; open its cause."""
        given, ways = defaultdict[str, int](int), {(row["bill"], row["cause"]) for row in self.rows["payments"]}
        parts, sessions = defaultdict[str, list[Row]](list), defaultdict[str, list[Node]](list)
        line_of, named = {bill["bill"]: bill["line"] for bill in self.rows["bills"]}, self.statement["named"]
        for number, row in enumerate(self.rows["tenths"], 1):
            of, account = self.entries[row["of"]], ("" if row["cause"] == "unassigned" else "cause:") + row["cause"]
            right = line_of[of["bill"]] == line_of[row["bill"]] and abs(of["amount"]) == row["base"]
            need(right and self._is_of(row, of["usage"]), "tenths.jsonl", number, "its base is not what it is of")
            opened = not named or row["to"] == digest(2, bytes.fromhex(row["opens_cause"]), account.encode()).hex()
            need(opened and (row["bill"], row["cause"]) in ways, "tenths.jsonl", number, "payments.jsonl has not its cause")
            given[row["bill"]] += row["amount"] * (-1 if row["kind"] == "accrual_reversal" else 1)
            parts[row["of"]].append(row)
        use = {row["usage"]: (row["session"], row["service"]) for row in self.rows["usage"]}
        left = {each for row in self.rows["policies"] for each in row["leaves_out"]}
        for number, entry in enumerate(self.rows["entries"], 1):
            charge, (session, what) = charge_of(entry, parts[entry["entry"]]), use.get(entry["usage"], (None, entry["kind"]))
            free = charge[0] < LEAST or entry["kind"] not in BASES or what in left  # left out by a rule
            need(is_near(charge, self.policies) and (charge[1] or free), "entries.jsonl", number, f"no tenth of {charge[0]}")
            if entry["kind"] in BASES:
                sessions[session or entry["entry"]].append(charge)
        for number, row in enumerate(self.rows["sessions"], 1):
            right = not row["exact"] or is_exact(sessions[row["session"]], self.policies)  # split to the largest remainder
            need(right, "sessions.jsonl", number, "its tenths are not that of its sum")
        for number, bill in enumerate(self.rows["bills"], 1):
            need(bill["back"] or given[bill["bill"]] == bill["given"], "bills.jsonl", number, "gave not what its tenths are")
    def sealed(self) -> None:
        """Climb from each row to the root that the seal of its day has: as it is here it was when that day was sealed."""
        roots, seen = {(row["node"], row["day"]): row.get("rows") for row in self.rows["seals"]}, set[Node]()
        again = {row["bill"]: row["bill"] * row["void"] for row in self.rows["bills"]}  # taken back: its use is on another one
        for file, number, row in ((name, *each) for name in SEALED for each in enumerate(self.rows[name], 1)):
            node, day, width, place, path = row["sealed"] or (0, "", 0, len(seen), "")
            said = [abs(row[name]) if name == "amount" else row[name] for name in SEALED[file]]
            at, beside = digest(0, bytes.fromhex(row["salt"]), canonical([file, *said])), base64.b64decode(path, validate=True)
            at = climb(at, place, width, [beside[i:i + 32] for i in range(0, len(beside), 32)], lambda *two: digest(1, *two))
            one = (node, day, place, again[row["bill"]], row.get("sides") == "both" and row["amount"] > 0)  # a family's, on two
            right = digest(4, width.to_bytes(8), at or b"").hex() == roots.get((node, day)) and one not in seen
            need(right or not row["sealed"], f"{file}.jsonl", number, "is not as it was sealed")
            need(right or self.passes, f"{file}.jsonl", number, "is under no seal yet: --unsealed lets it pass")
            self.unsealed += not right
            seen.add(one)
def main() -> int:
    """Check a pack: the one beside this file, or in a folder."""
    parser, here = argparse.ArgumentParser(), Path(__file__).parent
    parser.add_argument("folder", nargs="?", type=Path, default=here, help="the pack: else this file's own folder")
    parser.add_argument("--key", help="the public key that you have from elsewhere")
    parser.add_argument("--commitment", type=Path, help="the commitment.json that you were given before the seed was chosen")
    parser.add_argument("--seals", type=Path, help="seals that left the company day by day, one a line")
    parser.add_argument("--unsealed", action="store_true", help="let rows pass that were booked since the last seal")
    asked = parser.parse_args()
    try:
        pack = Pack(*read(asked.folder), unsealed=asked.unsealed)
        need((asked.key or pack.key).lower() == pack.key, "manifest.json", 1, "is signed with another key than yours")
        right = not asked.commitment or given(asked.commitment) == pack.files["commitment.json"]
        need(right, "commitment.json", 1, "is not the one that you were given before")
        kept = given(asked.seals).decode().splitlines() if asked.seals else ()
        left = [json.loads(line or "0") for line in kept] if asked.seals else pack.rows["seals"]
        for number, seal in enumerate(pack.rows["seals"], 1):
            need(seal in left, "seals.jsonl", number, "is none of the seals that you were given day by day")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        print("FAIL", error if isinstance(error, Failed) else f"this cannot be read: {type(error).__name__}: {error}")
        return 1
    counts, rates = [f"{len(pack.rows[name])} {name}" for name in SEALED], [row["rate"] for row in pack.rows["usage"]]
    print(f"PASS {', '.join(counts)}, {rates.count(None)} unpriced, {pack.unsealed} unsealed; signed with {pack.key}")
    print(pack.claimed + ("" if asked.key else "Compare that key with one that you have from elsewhere."))
    return 0
if __name__ == "__main__":
    sys.exit(main())
