"""Bodies that take little on the wire and much where they are unpacked."""

import struct
import zlib
from functools import cache

_MEGABYTE = bytes(1 << 20)


@cache
def bomb(megabytes):
    """So many megabytes of zeros as one gzip stream (RFC 1952), packed to a thousandth: one of them is packed, and repeated."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    piece = packer.compress(_MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)  # says nothing of what is before it
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(_MEGABYTE, checksum)
    head, tail = b"\x1f\x8b\x08\0\0\0\0\0\2\xff", struct.pack("<II", checksum, megabytes << 20)
    return head + piece * megabytes + packer.flush() + tail
