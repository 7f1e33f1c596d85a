"""A PGW written with python-diameter: its codec, its node, its peer handling. Nothing of ours runs on this side."""

import datetime
import itertools
import time

from diameter.message import Message, MessageHeader
from diameter.message.avp import Avp
from diameter.message.avp.grouped import (
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from diameter.message.commands import CreditControlRequest
from diameter.node import Node
from diameter.node.application import Application

from support.patience import PATIENCE

CREDIT_CONTROL, GY = 272, 4
REQUEST, PROXIABLE, RETRANSMIT = 0x80, 0x40, 0x10
INITIAL, UPDATE, TERMINATION = 1, 2, 3


class TheirPgw:
    """A python-diameter node that dials one peer and asks it; usable as a context manager."""

    def __init__(self, port, *, host="pgw.host.example", realm="host.example", server="ocs.tpo.example"):
        self.host, self.realm = host, realm
        self.server_realm = server.partition(".")[2]
        self.node = Node(host, realm)
        self.node.wakeup_interval = 1
        self.peer = self.node.add_peer(f"aaa://{server}:{port}", self.server_realm, ["127.0.0.1"], is_persistent=True)
        self.peer.reconnect_wait = 1
        self.peer.always_reconnect = True
        self.application = Application(GY, is_auth_application=True)
        realms = {realm, "tpo.example"} - {self.server_realm}
        self.node.add_application(self.application, [self.peer], sorted(realms))
        self._sessions = itertools.count(1)
        self._stream, self._flags = b"", {}
        self.last_octets = (
            b""  # of the last answer, as it came: python-diameter's own classes leave out what they do not know
        )

    def __enter__(self):
        self.node.start()
        self.application.wait_for_ready(10)
        connection = self.peer.connection
        their_ears = connection.add_in_bytes
        connection.add_in_bytes = lambda data: (self._overhear(data), their_ears(data))
        return self

    def __exit__(self, *_):
        connection = self.peer.connection
        self.node.stop(wait_timeout=5)
        if connection is not None:
            connection.close(signal_node=False)

    def _overhear(self, data):
        """Note the flags on the wire: python-diameter's answers say P whether it was there or not."""
        self._stream += data
        while len(self._stream) >= 20 and len(self._stream) >= (size := int.from_bytes(self._stream[1:4], "big")):
            self._flags[int.from_bytes(self._stream[12:16], "big")] = self._stream[4]
            if int.from_bytes(self._stream[5:8], "big") == CREDIT_CONTROL:
                self.last_octets = self._stream[:size]
            self._stream = self._stream[size:]

    def flags_of(self, answer):
        """The flags of an answer as they were on the wire, a set of letters; anything but RFC 6733's four is `?`."""
        flags = self._flags[answer.header.hop_by_hop_identifier]
        names = {0x80: "R", 0x40: "P", 0x20: "E", 0x10: "T"}
        return {letter for bit, letter in names.items() if flags & bit} | ({"?"} if flags & 0x0F else set())

    def session_id(self):
        """A fresh Session-Id in RFC 6733's form."""
        return f"{self.host};{int(time.time())};{next(self._sessions)}"

    def ask(self, message):
        """Send a request by its node and wait for the answer that its node gives back."""
        return self.application.send_request(message, PATIENCE)

    def ccr(self, session_id, request_type, number, services=(), *, imsi=None, msisdn=None, **more):
        """A Credit-Control-Request built by python-diameter's own class."""
        request = CreditControlRequest()
        request.header.application_id = GY
        request.session_id = session_id
        request.origin_host, request.origin_realm = self.host.encode(), self.realm.encode()
        request.destination_realm = b"tpo.example"
        request.service_context_id = "32251@3gpp.org"
        request.cc_request_type, request.cc_request_number = request_type, number
        request.event_timestamp = datetime.datetime.now()  # noqa: DTZ005 - python-diameter takes naive local times
        for kind, data in ((1, imsi), (0, msisdn)):
            if data:
                request.subscription_id.append(SubscriptionId(subscription_id_type=kind, subscription_id_data=data))
        request.multiple_services_indicator = 1 if request_type == INITIAL else None
        request.multiple_services_credit_control = list(services)
        request.termination_cause = 1 if request_type == TERMINATION else None
        for name, value in more.items():
            setattr(request, name, value)
        return request

    def raw(self, avps, *, flags=REQUEST | PROXIABLE, application=GY):
        """A message of just these AVPs in just this order."""
        header = MessageHeader(command_flags=flags, command_code=CREDIT_CONTROL, application_id=application)
        return Message(header, list(avps))

    def start_of(self, session_id):
        """The AVPs that every credit-control request begins with, as far as Service-Context-Id."""
        return [
            Avp.new(263, value=session_id),
            Avp.new(264, value=self.host.encode()),
            Avp.new(296, value=self.realm.encode()),
            Avp.new(283, value=b"tpo.example"),
            Avp.new(258, value=GY),
            Avp.new(461, value="32251@3gpp.org"),
        ]


def service(rating_group, used=(), *, ask=True):
    """An MSCC: pairs of input and output octets, and an RSU without a number."""
    mscc = MultipleServicesCreditControl(rating_group=rating_group)
    if ask:
        mscc.requested_service_unit = RequestedServiceUnit()
    mscc.used_service_unit = [UsedServiceUnit(cc_input_octets=down, cc_output_octets=up) for down, up in used]
    return mscc


def again(message, *, retransmitted=False, keep_end_to_end=True):
    """The same request as it is sent once more: under a new hop-by-hop id always."""
    copy = Message.from_bytes(message.as_bytes(), plain_msg=True)
    header = copy.header
    header.hop_by_hop_identifier = 0
    if not keep_end_to_end:
        header.end_to_end_identifier = 0
    if retransmitted:
        header.command_flags |= RETRANSMIT
    return Message(header, list(copy.avps))
