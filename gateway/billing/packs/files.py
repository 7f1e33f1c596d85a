"""The files of a pack: rows in a chain, a manifest, a signature, and all of it in one archive that has no time of its own."""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from typing import Any, Final

from gateway.billing.packs.verify import ROWS, canonical
from gateway.ledger.seals import SealKey

Row = Mapping[str, Any]
MODE: Final = 0o600
"""Whom a pack is for reads it, and nobody beside."""


def lines_of(name: str, rows: Sequence[Row]) -> bytes:
    """Write rows, each behind the SHA-256 of the one before it and of itself."""
    before, found = hashlib.sha256(name.encode()).digest(), []
    for row in rows:
        body = canonical(row)
        before = hashlib.sha256(before + body).digest()
        found.append(before.hex().encode() + b" " + body + b"\n")
    return b"".join(found)


def whole(texts: Mapping[str, bytes], rows: Mapping[str, Sequence[Row]], key: SealKey) -> dict[str, bytes]:
    """Return every file of a pack by its name; `rows` are those of verify.ROWS."""
    found = {**texts, "verify.py": verifier()}
    found |= {f"{name}.jsonl": lines_of(f"{name}.jsonl", rows.get(name, ())) for name in ROWS}
    digests = {name: hashlib.sha256(octets).hexdigest() for name, octets in found.items()}
    manifest = canonical(digests) + b"\n"
    signed = key.sign_octets(b"tpo-pack/1 " + hashlib.sha256(manifest).hexdigest().encode())
    return {**found, "manifest.json": manifest, "signature.txt": f"{key.public} {signed}\n".encode()}


def verifier() -> bytes:
    """Return verify.py as it stands here."""
    return package_files("gateway.billing.packs").joinpath("verify.py").read_bytes()


def archive(folder: str, found: Mapping[str, bytes]) -> bytes:
    """Pack files into a .tar.gz whose octets follow from theirs alone."""
    octets = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=octets, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(found):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(found[name]), MODE
            tar.addfile(entry, io.BytesIO(found[name]))
    return octets.getvalue()
