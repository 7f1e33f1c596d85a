"""What an auditor proves seals by: those that this gateway knows, and the public key that they are signed with."""

import msgspec

from gateway.api.requests.fields import Nothing
from gateway.context import GatewayContext
from gateway.ledger.seals import Seal, SealKey, kept, read_file


class Seals(msgspec.Struct, frozen=True):
    """The public key (Ed25519, 32 octets in hexadecimal), and seals of all nodes, by node and day."""

    public_key: str
    rows: list[Seal]


def list_seals(context: GatewayContext, _request: Nothing) -> Seals:
    """Give the seals of the store, and those that its file beside the privacy key has besides."""
    known = {(seal.node, seal.day): seal for seal in (*read_file(context.seals_file), *context.read(kept))}
    return Seals(SealKey(context.evidence_key).public, [known[place] for place in sorted(known)])
