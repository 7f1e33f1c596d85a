"""Read what a text asks for: `read(text, book)` answers any text with exactly one wish, and never raises.

Stop comes before everything. A text asks to stop

- if it begins with a stop word or phrase (`STOP`, `stop all`, `opt out of this`), polite words before it left aside
  (`please stop`);
- if the whole of it is one, however it is spaced (`S T O P`, `opt-out`);
- if it begins with a YES or a START and has a stop word anywhere after it (`yes, stop`): a doubtful YES takes no money.

A stop word further on in another text is not one: `GIVE WWF 5 at the end` is a misread gift, `how does it end?` a question.
The words are the book's, so whatever else a reasonable person understands (`leave me alone`) is added there.

A YES, and a START, is one only if nothing else stands in the text but further words of its kind and polite ones. A text that
begins with a NO is one whatever follows, unless the two together are a stop word (`no more texts`). Causes are matched whole: a
gift to a cause that isn't known is asked back, never guessed.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeAlias

import msgspec

from gateway.messaging.keywords.amounts import take_amount
from gateway.messaging.keywords.catalogue import Heading, Index, KeywordBook, Service
from gateway.messaging.keywords.normalize import joined, tokens


class Give(msgspec.Struct, frozen=True):
    """A gift of `amount` micro-units to `cause`; None is the cause that the giver has chosen.

    `currency` is empty where the text names none; a text that names one other than the wallet's is not to be obeyed.
    """

    language: str
    cause: str | None
    amount: int
    currency: str


class Yes(msgspec.Struct, frozen=True):
    """The answer to the pending question."""

    language: str


class No(msgspec.Struct, frozen=True):
    """The pending question is to be dropped."""

    language: str


class Choose(msgspec.Struct, frozen=True):
    """From now on the tenth goes to `cause`; None asks for the list."""

    language: str
    cause: str | None


class Balance(msgspec.Struct, frozen=True):
    """How much is in the wallet."""

    language: str


class Tenth(msgspec.Struct, frozen=True):
    """How much was given so far."""

    language: str


class Stop(msgspec.Struct, frozen=True):
    """No further texts."""

    language: str


class Start(msgspec.Struct, frozen=True):
    """Texts are wanted again."""

    language: str


class Help(msgspec.Struct, frozen=True):
    """What can be asked for."""

    language: str


class Reason(StrEnum):
    """Why a text is not understood."""

    NO_SERVICE = "no_service"
    WHICH_CAUSE = "which_cause"
    HOW_MUCH = "how_much"
    OUT_OF_BOUNDS = "out_of_bounds"


class Unknown(msgspec.Struct, frozen=True):
    """A text that asks for nothing that we know, or not clearly; `cause` is set as far as it was understood."""

    language: str
    reason: Reason
    cause: str | None = None


KeywordRequest: TypeAlias = Give | Yes | No | Choose | Balance | Tenth | Stop | Start | Help | Unknown

_PLAIN: Final[dict[Service, type[No | Balance | Tenth | Stop | Help]]] = {
    Service.NO: No,
    Service.BALANCE: Balance,
    Service.TENTH: Tenth,
    Service.STOP: Stop,
    Service.HELP: Help,
}


def read(text: str, book: KeywordBook) -> KeywordRequest:
    """Return the one wish that `text` expresses, in the language of its keyword (or else the book's)."""
    words, index = tokens(text), book.index
    stop = _stop(words, index)
    if stop is not None:
        return Stop(stop.language)
    found = _service(words, index)
    if found is None:
        return Unknown(book.language, Reason.NO_SERVICE)
    (service, language), end = found
    match service:
        case Service.GIVE:
            return _give(words[end:], language, book)
        case Service.YES | Service.START:
            return _sure(words, end, Heading(service, language), index)
        case Service.CAUSE:
            return _choose(words[end:], language, index)
        case _:
            return _PLAIN[service](language)


def _after_polite(words: list[str], start: int, index: Index) -> int:
    """Return where the first word that means something stands, from `start` on."""
    while start < len(words) and words[start] in index.ignored:
        start += 1
    return start


def _headings_at(words: list[str], start: int, index: Index) -> Iterator[tuple[Heading, int]]:
    """Give what the phrases that begin at `start` stand for, the longest first, and where each ends."""
    for end in range(min(start + index.longest, len(words)), start, -1):
        heading = index.phrases.get(" ".join(words[start:end]))
        if heading is not None:
            yield heading, end


def _headings_first(words: list[str], index: Index) -> Iterator[tuple[Heading, int]]:
    """As `_headings_at`, at the beginning of the text and then after its polite words."""
    yield from _headings_at(words, 0, index)
    yield from _headings_at(words, _after_polite(words, 0, index), index)


def _stop(words: list[str], index: Index) -> Heading | None:
    whole = index.whole.get(joined(words))
    if whole is not None and whole.service is Service.STOP:
        return whole
    return next((heading for heading, _ in _headings_first(words, index) if heading.service is Service.STOP), None)


def _service(words: list[str], index: Index) -> tuple[Heading, int] | None:
    """Return the heading that the text begins with, and where its words end; a spaced-out word takes the whole text."""
    whole = index.whole.get(joined(words))
    return (whole, len(words)) if whole else next(_headings_first(words, index), None)


def _sure(words: list[str], end: int, asked: Heading, index: Index) -> KeywordRequest:
    """Read a YES or START: what else stands in the text makes it doubtful, a stop word undoes it."""
    sure = True
    while (start := _after_polite(words, end, index)) < len(words):
        end = start + 1
        for heading, phrase_end in _headings_at(words, start, index):
            if heading.service is Service.STOP:
                return Stop(heading.language)
            if heading.service is asked.service:
                end = phrase_end
                break
        else:
            sure = False
    if not sure:
        return Unknown(asked.language, Reason.NO_SERVICE)
    return Yes(asked.language) if asked.service is Service.YES else Start(asked.language)


def _give(rest: list[str], language: str, book: KeywordBook) -> KeywordRequest:
    typed, words = take_amount(rest)
    known, cause = _cause(words, book.index)
    if not known:
        return Unknown(language, Reason.WHICH_CAUSE)
    if typed is None:
        return Unknown(language, Reason.HOW_MUCH, cause)
    if not book.minimum <= typed.micro <= book.maximum:
        return Unknown(language, Reason.OUT_OF_BOUNDS, cause)
    return Give(language, cause, typed.micro, typed.currency)


def _choose(rest: list[str], language: str, index: Index) -> KeywordRequest:
    known, cause = _cause(rest, index)
    return Choose(language, cause) if known else Unknown(language, Reason.WHICH_CAUSE)


def _cause(words: list[str], index: Index) -> tuple[bool, str | None]:
    """Return whether `words` are understood, and the cause that they name; no words at all name none."""
    meant = [word for word in words if word not in index.ignored]
    cause = index.causes.get(joined(words)) or index.causes.get(joined(meant))
    return cause is not None or not meant, cause
