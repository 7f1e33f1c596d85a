"""What SMSCs send us: told apart into delivery receipts, texts, and what we do not take."""

from gateway.messaging.inbound import deliver_sm
from gateway.messaging.inbound.receipt_intake import ReceiptIntake
from gateway.messaging.inbound.text_intake import TextIntake
from gateway.messaging.routing import SmscLink
from protocols.smpp.client import Request
from protocols.smpp.errors import CommandStatus
from protocols.smpp.messages import DataSm, DeliverSm
from protocols.smpp.receipts import is_receipt, message_type, reads_as_receipt


class Intake:
    """Gives each request of an SMSC to who answers it when its effects are on disk."""

    def __init__(self, receipts: ReceiptIntake, texts: TextIntake) -> None:
        """Take who takes receipts, and who takes texts."""
        self._receipts, self._texts = receipts, texts

    def requested(self, link: SmscLink, request: Request) -> None:
        """Take a receipt or a text from a handset; anything else is refused at once."""
        message = request.message
        if not isinstance(message, DeliverSm | DataSm):
            request.respond(command_status=CommandStatus.ESME_RINVCMDID)
            return
        if is_receipt(message.esm_class):
            self._receipts.take(link, message, request)
        elif link.route.by_text and not message_type(message.esm_class) and reads_as_receipt(message):
            self._receipts.take(link, message, request, by_text=True)
        elif len(message.source_addr) > deliver_sm.LONGEST_ADDRESS:
            request.respond(command_status=CommandStatus.ESME_RINVSRCADR)
        elif len(message.destination_addr) > deliver_sm.LONGEST_ADDRESS:
            request.respond(command_status=CommandStatus.ESME_RINVDSTADR)
        else:
            self._texts.take(link, message, request)
