"""A TCP proxy that keeps every Diameter message that passes, and can lose the answers on their way."""

import socket
import threading
from contextlib import suppress

from support.patience import PATIENCE

REQUEST, RETRANSMIT = 0x80, 0x10
CREDIT_CONTROL = 272


class Frame:
    """A whole message as it passed: a few fields of its header, read without our codec."""

    def __init__(self, octets):
        self.octets = octets
        self.flags, self.code = octets[4], int.from_bytes(octets[5:8], "big")
        self.hop_by_hop, self.end_to_end = octets[12:16], octets[16:20]

    @property
    def request(self):
        return bool(self.flags & REQUEST)

    @property
    def retransmitted(self):
        return bool(self.flags & RETRANSMIT)

    def avps(self, code):
        """The data of the top-level AVPs of a code."""
        found, position = [], 20
        while position < len(self.octets):
            number, word = (int.from_bytes(self.octets[at : at + 4], "big") for at in (position, position + 4))
            length, head = word & 0xFFFFFF, 12 if word >> 31 else 8
            if number == code:
                found.append(self.octets[position + head : position + length])
            position += (length + 3) // 4 * 4
        return found


class Wiretap:
    """Stands at `port` for the server at `target`; `asked` and `answered` are what clients and the server said."""

    def __init__(self, target):
        self.target = target
        self.asked, self.answered = [], []
        self.lose_answers = threading.Event()
        """While it is set, no credit-control answer reaches the clients."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._threads = []

    def __enter__(self):
        self._acceptor.start()
        return self

    def __exit__(self, *_):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            _hang_up(end)
        for thread in [self._acceptor, *self._threads]:
            thread.join(5)
        for end in self._open:
            end.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                try:
                    server = socket.create_connection(("127.0.0.1", self.target), timeout=PATIENCE)
                except OSError:
                    _hang_up(client)
                    continue
                server.settimeout(None)
                self._open.append(server)
                for work in ((client, server, self.asked, None), (server, client, self.answered, self.lose_answers)):
                    thread = threading.Thread(target=self._carry, args=work, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source, sink, kept, lose):
        pending = b""
        with suppress(OSError):
            while data := source.recv(65536):
                pending += data
                while len(pending) >= 20 and len(pending) >= (size := int.from_bytes(pending[1:4], "big")):
                    frame, pending = Frame(pending[:size]), pending[size:]
                    kept.append(frame)
                    if lose is not None:
                        self._deliver(frame, sink, lose)
                if lose is None:  # what a client sends need not even be Diameter
                    sink.sendall(data)
        _hang_up(source)
        _hang_up(sink)

    def _deliver(self, frame, sink, lose):
        if lose.is_set() and not frame.request and frame.code == CREDIT_CONTROL:
            return
        sink.sendall(frame.octets)


def _hang_up(end):
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
