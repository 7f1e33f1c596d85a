"""The customers' handsets behind the simulated message centre: they join the parts of a text, keep it, and may answer it."""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec

from protocols.smpp.messages import SubmitSm
from protocols.smpp.text import UserData, read_text, user_data

KEPT_TEXTS: Final = 10_000
KEPT_PARTS: Final = 1_000
"""Texts whose parts have not all come; the oldest is forgotten."""
YES: Final[Mapping[str, str]] = {"Reply YES": "YES", "Répondez OUI": "OUI", "Responde SI": "SI"}
"""What a handset answers by default: yes, to whoever asks for it."""


class AnswersUnreadable(ValueError):
    """A text that says no `WORDS=ANSWER`."""


class Heard(msgspec.Struct, frozen=True):
    """A text as its receiver reads it."""

    source: str
    number: str
    words: str


def read_answers(pairs: list[str]) -> dict[str, str]:
    """Read `WORDS=ANSWER` each; AnswersUnreadable if one says no answer."""
    found: dict[str, str] = {}
    for pair in pairs:
        words, _, answer = pair.partition("=")
        if not words or not answer:
            message = f"{pair!r} is no WORDS=ANSWER"
            raise AnswersUnreadable(message)
        found[words] = answer
    return found


class Handsets:
    """All handsets of a network, by number.

    Args:
        answers: words that a text has to contain, and what its receiver answers then.
    """

    def __init__(self, answers: Mapping[str, str] = YES) -> None:
        self.inbox: deque[Heard] = deque(maxlen=KEPT_TEXTS)
        self.answers = answers
        self._parts: dict[tuple[str, str, int, int], dict[int, UserData]] = {}
        self._waiting: list[tuple[str, str, asyncio.Future[Heard]]] = []

    def take(self, message: SubmitSm) -> Heard | None:
        """Take one short message; gives the text once it is whole."""
        data = user_data(message)
        parts = [data]
        if data.concatenation is not None:
            joined = data.concatenation
            key = (message.source_addr, message.destination_addr, joined.reference, joined.total)
            known = self._parts.setdefault(key, {})
            known[joined.number] = data
            if len(known) < joined.total:
                if len(self._parts) > KEPT_PARTS:
                    del self._parts[next(iter(self._parts))]
                return None
            del self._parts[key]
            parts = [known[number] for number in sorted(known)]
        heard = Heard(message.source_addr, message.destination_addr, read_text(parts).text)
        self._keep(heard)
        return heard

    def answer_to(self, heard: Heard) -> str | None:
        """Return what the receiver answers, if anything."""
        return next((answer for words, answer in self.answers.items() if words in heard.words), None)

    def heard(self, number: str) -> list[str]:
        """Return the words of all texts that this number got, the oldest first."""
        return [heard.words for heard in self.inbox if heard.number == number]

    async def expect(self, number: str, words: str, patience: float) -> Heard:
        """Wait for a text to this number that contains these words, if none came yet; TimeoutError after `patience` seconds."""
        for heard in self.inbox:
            if _meets(heard, number, words):
                return heard
        future: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()
        self._waiting.append((number, words, future))
        async with asyncio.timeout(patience):
            return await future

    def _keep(self, heard: Heard) -> None:
        self.inbox.append(heard)
        for number, words, future in self._waiting:
            if not future.done() and _meets(heard, number, words):
                future.set_result(heard)
        self._waiting = [row for row in self._waiting if not row[2].done()]


def _meets(heard: Heard, number: str, words: str) -> bool:
    return heard.number == number and words in heard.words
