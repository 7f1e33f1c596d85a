"""Every shelf that a batch of the gateway has."""

from gateway.charging.session import AnswerShelf, SessionShelf
from gateway.events.outbox import OutboxShelf
from gateway.ledger.wallets import WalletShelf
from gateway.store.keys import KeyShelf
from gateway.subscribers.lines import LineShelf
from gateway.subscribers.profiles import ProfileShelf

SHELVES = (LineShelf, KeyShelf, SessionShelf, WalletShelf, ProfileShelf, AnswerShelf, OutboxShelf)
