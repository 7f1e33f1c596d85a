"""Texts on a write lane of their own: the units as the SMSC client posts them, without a link and without a network."""

import json
from contextlib import contextmanager
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import insert, select, update

from gateway.balance.gifts import GiftPolicy
from gateway.charity.policies import recompute
from gateway.ledger.accounts import ensure, gifts_account
from gateway.messaging.inbound.deliver_sm import arrival
from gateway.messaging.inbound.delivery_receipts import RecordReceipts
from gateway.messaging.inbound.mo_delivery import TakeArrival
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.queries import show
from gateway.messaging.queue.mt_status import Dispatch, RecordOutcomes, SubmitOutcome, TakeForSending
from gateway.messaging.queue.sms_expiry import ExpireTexts
from gateway.messaging.receipts import Receipt
from gateway.messaging.smpp_mapping import count_parts
from gateway.messaging.submit import AcceptTexts, Draft
from gateway.messaging.texts import Step, Text, TextPart, TextState, from_row
from gateway.settings import load
from gateway.store import tables
from protocols.smpp.alphabets import Alphabet
from protocols.smpp.messages import DeliverSm
from protocols.smpp.receipts import IdForm, id_forms, stored_id
from support.books import check
from support.charging_fixture import MSISDN, ChargingPlace
from support.gateways import ROOT
from support.lane_fixture import CAUSES

OWN = "447700900777"
CODE, FRIEND, LINK, CENTRE = "70070", "447700900002", "smsc-1", "smsc.host.example:2775"
HOUR = 3_600_000_000


def make_text(number=1, source="TPO", destination=FRIEND, body="hello", parts=1, **more):
    """A text as the queue has it, of no store."""
    fields = dict.fromkeys(("held", "covered", "bundle_ends_at", "always", "created_at", "updated_at"), 0)
    fields |= {"state": TextState.QUEUED, "payer": None, "reference_number": number, "registered_delivery": 1}
    named = {"id": number, "source": source, "destination": destination, "body": body} | fields | more
    return Text(**{"node": 1, "link": "", "valid_until": HOUR} | named, parts=[TextPart() for _ in range(parts)])


@cache
def _book():
    return load(ROOT / "config" / "gateway.yaml").keywords[CODE]


class TextPlace(ChargingPlace):
    """A charging place with an office for texts; `told` is what the lane said last."""

    def __init__(self, url, segments=lambda body: count_parts(body, Alphabet.GSM7), answers_per_hour=100, **options):
        super().__init__(url, **options)
        with self.writer.begin() as connection:
            self.accounts.update(ensure(connection, [*self.accounts, *map(gifts_account, CAUSES)]).numbers)
        messaging_policy = MessagingPolicy(
            charging=self.policy,
            source="/tpo/test",
            pseudonym=lambda number: f"p{number[-4:]}",
            operator="Test operator",
            books={CODE: _book()},
            causes={"wateraid": "WaterAid", "wwf": "WWF-UK"},
            segments=segments,
            validity=HOUR,
            question=600_000_000,
            reassembly=1800_000_000,
            digests=self.digests,
            own=frozenset({CODE, OWN}),
            answers_per_hour=answers_per_hour,
        )
        self.decide_by(messaging_policy, GiftPolicy(messaging_policy.causes, "GB", ZoneInfo("Europe/London")))

    def gifts_by(self, **changes):
        """Have gifts decided by another policy from now on."""
        self.decide_by(msgspec.structs.replace(self.lane.policies[GiftPolicy], **changes))

    @property
    def messaging_policy(self):
        """What texts are decided with now."""
        return self.lane.policies[MessagingPolicy]

    def draft(self, body="hello", source=MSISDN, destination=FRIEND, **more):
        valid_until = more.pop("valid_until", None) or next(self.ticks) + HOUR
        return Draft(source, destination, body, count_parts(body, Alphabet.GSM7), valid_until, **more)

    def accept(self, *drafts, client="shop"):
        return self.lane.run(AcceptTexts(client, list(drafts)))

    def take(self, text_id, *parts):
        """Take parts for sending; gives those that may go out."""
        dispatches = [Dispatch(text_id, part, LINK) for part in parts or (0,)]
        return [dispatch.part for dispatch in self.lane.run(TakeForSending(dispatches))]

    def answer(self, text_id, step=Step.ACCEPTED, message_id="", part=0, error=""):
        kept = stored_id(message_id) if message_id else ""
        self.lane.run(RecordOutcomes([SubmitOutcome(text_id, part, LINK, step, kept, error)]))

    def receipt(
        self, message_id, step=Step.DELIVERED, destination=FRIEND, link=LINK, form=IdForm.AUTO, reference=None, **more
    ):
        """Note a receipt; gives how many parts it moved."""
        forms = tuple(id_forms(message_id, form)) if message_id else ()
        return self.lane.run(RecordReceipts([Receipt(link, forms, step, "", destination, reference, **more)])).moved

    def expire(self, *ids):
        return self.lane.run(ExpireTexts(list(ids)))

    def pass_by(self, seconds):
        """Let time pass."""
        self.ticks.skip(seconds)

    def come(
        self,
        words,
        source=MSISDN,
        *,
        link=LINK,
        centre=CENTRE,
        bound_at=0,
        drops=(),
        unanswered=False,
        to=CODE,
        **fields,
    ):
        """A text from a handset; gives what it led to."""
        coded = {} if isinstance(words, bytes) or words.isascii() else {"data_coding": 8}
        said = words if isinstance(words, bytes) else words.encode("utf-16-be" if coded else "ascii")
        message = DeliverSm(source_addr=source, destination_addr=to, short_message=said, **coded, **fields)
        now = next(self.ticks)
        came = arrival(link, centre, message, Alphabet.GSM7, came_at=now, bound_at=bound_at, drops=drops, country="GB")
        return self.lane.run(TakeArrival(msgspec.structs.replace(came, unanswered=unanswered)))

    def says(self, words, source=MSISDN, **options):
        """A text from a handset; gives the words of the one answer, or None."""
        answers = self.come(words, source, **options).answers
        assert len(answers) <= 1
        return answers[0].body if answers else None

    def text(self, text_id):
        (row,) = self.read(select(tables.texts).where(tables.texts.c.id == text_id))
        return from_row(tuple(row))

    def state(self, text_id):
        with self.reader.connect() as connection:
            return show(connection, text_id).state

    def wallet(self, subscriber):
        """(balance, reserved)."""
        found = tables.wallets
        (row,) = self.read(select(found.c.balance, found.c.reserved).where(found.c.subscriber_id == subscriber))
        return tuple(row)

    def bundle(self, subscriber, allowance):
        """Put what is left of a bundle into a wallet, as its sale does."""
        rows = tables.wallets
        with self.writer.begin() as connection:
            connection.execute(update(rows).where(rows.c.subscriber_id == subscriber).values(bundle=allowance))
            for each in json.loads(allowance)["allowances"]:
                for service, units in each["left"].items():
                    entry = (next(self.ticks), 0, subscriber, each["id"], "grant", service, units, 0, None, "sale:7")
                    connection.execute(insert(tables.allowance_entries).values((*entry, each["plan"], each["ends_at"])))

    def booked(self, kind):
        """(amount, base) of each entry of a kind."""
        rows = tables.transfers
        return [tuple(row) for row in self.read(select(rows.c.amount, rows.c.base).where(rows.c.kind == kind))]

    def status(self, subscriber, status):
        """Suspend a line, or let it live again, as an order does."""
        rows = tables.subscribers
        with self.writer.begin() as connection:
            connection.execute(update(rows).where(rows.c.id == subscriber).values(status=status))

    def told(self, topic):
        """The bodies of the events with this topic, in their order."""
        rows = tables.outbox
        found = self.read(select(rows.c.body).where(rows.c.topic == topic).order_by(rows.c.id))
        return [json.loads(body) for (body,) in found]

    def out(self, source=MSISDN):
        """Whether a number is opted out."""
        return bool(self.read(select(tables.opt_outs).where(tables.opt_outs.c.msisdn == source)))

    def books_are_right(self):
        with self.reader.connect() as connection:
            return check(connection, recompute).findings == []


@contextmanager
def text_place(url, **options):
    """Open a place for texts and start its lane."""
    place = TextPlace(url, **options)
    place.lane.start()
    try:
        yield place
    finally:
        place.close()
