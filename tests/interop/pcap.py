"""A capture file of exported PDUs (link type 252): no root, no TCP to invent, and TLS is no obstacle."""

from struct import pack

WIRESHARK_UPPER_PDU = 252
_END, _DISSECTOR, _SOURCE, _DESTINATION, _PORT_TYPE, _SOURCE_PORT, _DESTINATION_PORT = 0, 12, 20, 21, 24, 25, 26
_TCP = 2


def _tag(number, value):
    padded = value + bytes(-len(value) % 4)
    return pack(">HH", number, len(padded)) + padded


def write(path, pdus, dissector="diameter", port=3868):
    """Write each PDU as a packet, a second apart."""
    front = b"".join(
        [
            _tag(_DISSECTOR, dissector.encode()),
            _tag(_SOURCE, bytes([127, 0, 0, 1])),
            _tag(_DESTINATION, bytes([127, 0, 0, 2])),
            _tag(_PORT_TYPE, pack(">I", _TCP)),
            _tag(_SOURCE_PORT, pack(">I", 40000)),
            _tag(_DESTINATION_PORT, pack(">I", port)),
            _tag(_END, b""),
        ]
    )
    with path.open("wb") as file:
        file.write(pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, WIRESHARK_UPPER_PDU))
        for second, pdu in enumerate(pdus):
            packet = front + pdu
            file.write(pack("<IIII", second, 0, len(packet), len(packet)) + packet)
