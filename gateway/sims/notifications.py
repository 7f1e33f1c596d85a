"""The texts that a customer gets about a card: a welcome, and the notice of a swap."""

from gateway.messaging.smpp_mapping import count_parts
from gateway.messaging.submit import Draft
from gateway.settings import Settings
from gateway.sims.policy import SWAP, WELCOME
from protocols.smpp.alphabets import Alphabet

NAME_SIZE = 11
"""Characters of an alphanumeric sender (TS 23.040 §9.1.2.5)."""


class Notifications:
    """Makes the drafts, in the operator's words."""

    def __init__(self, settings: Settings, alphabet: Alphabet) -> None:
        """Take the settings; `alphabet` is the one that texts are cut for."""
        codes = settings.messaging.short_codes
        self._sender = codes[0] if codes else settings.operator.name[:NAME_SIZE].strip()
        words = {WELCOME: settings.provisioning.welcome, SWAP: settings.provisioning.swap_text}
        self._words = {kind: text.format(operator=settings.operator.name) for kind, text in words.items()}
        self._linked = bool(settings.smpp.links)
        self._validity = settings.messaging.validity * 1_000_000
        self._alphabet = alphabet

    def compose(self, kind: str, msisdn: str, now: int) -> Draft | None:
        """Make the text of a kind to a number; None without words for it, or without a link to send it by."""
        body = self._words[kind]
        if not body or not self._linked:
            return None
        return Draft(self._sender, msisdn, body, count_parts(body, self._alphabet), now + self._validity, always=True)
