"""Read what a text asks for: `read(text, book)` answers any text with exactly one request, and never raises.

Before the keyword may stand what customers call us, or the short code (`TPO STOP`); what a phone adds at the end (`Sent from my
phone`), and kisses, mean nothing. A cause and an amount are a gift without GIVE too: nothing is taken without a YES.

Stop comes before everything. A text asks to stop

- if it begins with a stop word or phrase (`STOP`, `stop all`, `opt out of this`), what leads up to it left aside
  (`please stop`, `ok stop`, `Could you unsubscribe me`); but not if it asks whether an ill of the world can be ended (`can you
  end hunger?`), or says that its writer wants that (`I want to end hunger`);
- if the whole of it is one, however it is spaced (`S T O P`, `opt-out`), or the whole of a sentence (`Who is this? STOP`), or
  all that stands behind another service (`BALANCE STOP`); the sign alone is one, too;
- if it begins with a YES or a START and has a stop word anywhere after it (`yes, stop`): a doubtful YES takes no money;
- if it begins with a NO to no question, and has a stop word after it (`No. Stop.`; `No.stops` tells).

A stop word further on in another text is not one: `GIVE WWF 5 at the end` is a misread gift, `how does it end?` a question.
A STOP is one as well in letters that only look like its own (Cyrillic, Greek); nothing else is, as money could move.
The words are the book's, so whatever else a reasonable person understands (`leave me alone`) is added there.

A YES, and a START, is one only if nothing else stands in the text but further words of its kind, polite ones and what we are
called, and no thumb down. A text that begins with a NO is one whatever follows, unless the two together are a stop word (`no
more texts`). Causes are matched whole: a gift to a cause that isn't known is asked back, never guessed. What moves no money,
BALANCE, TENTH and HELP, may be asked for in more words (`what's my balance`).

Only while a question is open (`asked`), `ok` and a thumb up are a YES, and a YES may name the cause and the amount once more;
it is none if it names others.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from itertools import chain
from typing import Final, TypeAlias

import msgspec

from gateway.messaging.keywords.amounts import take_amount
from gateway.messaging.keywords.catalogue import Heading, Index, KeywordBook, Service
from gateway.messaging.keywords.normalize import joined, latin, tokens, without_tail


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
    """The pending question is to be dropped; where there is none, and it `stops`, no further texts are wanted."""

    language: str
    stops: bool = False


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


class Asked(msgspec.Struct, frozen=True):
    """The gift that an open question is about."""

    cause: str
    amount: int
    currency: str


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

LONGEST_NAME: Final = 6
"""Words of what we are called."""
_KISSES: Final = re.compile(r"x+(?:ox*)*")
_SENTENCES: Final = re.compile(r"[.!?;:…]+\s|[\r\n]+")
_STOP_SIGN: Final = "\N{OCTAGONAL SIGN}"
_UP: Final = frozenset("👍👌✅✔☑🆗")
_DOWN: Final = frozenset("👎❌✖🚫🙅")
_AGREED: Final = {
    word: language
    for language, words in {
        "en": "ok okay okey oki k kk sure yup yea yeh yh ye yess aye agree agreed confirm confirmed definitely absolutely "
        "ahead proceed course",
        "fr": "daccord ouais volontiers",
        "es": "vale claro bueno",
    }.items()
    for word in words.split()
}
"""Words that agree to a question, and are nothing without one: they are said to other texts as well."""
_ANSWERING: Final = frozenset(
    {"i", "ill", "id", "do", "it", "that", "so", "then", "go", "lets", "just", "want", "would", "like", "love"}
)
"""Words that an answer has beside them (`go ahead`, `yes I do`, `yes I want to give £5 to WaterAid`)."""

REQUESTING: Final = frozenset(
    word
    for words in (
        "i id im we u can could would will wanna want wish need like have get just kindly dear said",
        "told ask asked must should also sorry wrong number",
        "text txt reply send re fw fwd",
        "je veux voudrais souhaite veuillez pouvez vous me",
        "yo quiero quisiera deseo necesito puede puedes podria",
    )
    for word in words.split()
)
_LEADING_UP: Final = REQUESTING | {"what", "whats", "how", "show", "tell", "check", "see", "know"}
"""Words that a request begins with. Before a stop word, and what moves no money, they mean nothing; before a gift anything."""

_ABLE: Final = frozenset({"can", "could", "will", "would"})
_WANTING: Final = frozenset({"want", "wanna", "wish", "like", "love", "need", "have", "must", "should"})
_POLITE: Final = frozenset({"please", "pls", "plz", "kindly"})
_ENDING: Final = frozenset({"stop", "end", "quit", "cancel"})
"""Stop words that people say of other things, too."""
_ILLS: Final = frozenset(
    word
    for words in (
        "hunger starvation famine famines malnutrition drought droughts poverty homelessness inequality injustice",
        "war wars conflict conflicts violence slavery trafficking racism sexism discrimination cruelty torture genocide",
        "terrorism climate warming pollution plastic plastics deforestation extinction poaching whaling fracking coal",
        "labour labor marriage",
        "cancer disease diseases malaria aids hiv polio tuberculosis dementia alzheimers suicide loneliness addiction smoking",
        "illiteracy corruption suffering misery debt debts",
    )
    for word in words.split()
)
"""What causes are against, and nobody calls texts or gifts."""
_OBJECT: Final = 4
"""Words behind a stop word in which what it is said of stands (`end child poverty in Africa`)."""
_OF_TEXTS: Final = frozenset(
    word
    for words in (
        "me it this that these those them all everything any anything your yours my mine",
        "text texts txt txts message messages msg msgs sms spam mail alerts notifications reminders updates news",
        "newsletter newsletters marketing ads adverts advertising promotions promos offers calls contact",
        "service services subscription subscriptions membership list number phone mobile account plan contract",
        "gift gifts giving donation donations donating tenth money payment payments charge charges charging",
        "now immediately today asap once already again forever completely altogether here right away anymore more",
    )
    for word in words.split()
)
"""Words after a stop word that tell of texts, gifts and what else is between us, of who gets them, or of when."""
_GOES_ON: Final = frozenset(
    word
    for words in (
        "for from with at by in on of to until till before after when if unless and or but so then because cos cuz since as",
        "i im ive ill we were he she they u you no not never dont too very thanks thank sorry ok okay",
    )
    for word in words.split()
)
"""What begins no object: behind it goes on what was said with the stop word (`I want to stop because of my debts`)."""

_TELLING: Final[dict[Service, type[Balance | Tenth | Help]]] = {
    Service.BALANCE: Balance,
    Service.TENTH: Tenth,
    Service.HELP: Help,
}
_PLAIN: Final[dict[Service, type[Balance | Tenth | Stop | Help]]] = {
    **_TELLING,
    Service.STOP: Stop,
}


def read(
    text: str, book: KeywordBook, *, names: frozenset[str] = frozenset(), asked: Asked | None = None
) -> KeywordRequest:
    """Return the one wish that `text` expresses, in the language of its keyword (or else the book's).

    `names` are what we are called, folded and joined, beside the book's own; `asked` is the question that is open.
    """
    wish, plain = _read(text, book, names, asked), latin(text)
    if plain != text and not isinstance(wish, Stop):
        meant = _read(plain, book, names, asked)
        if isinstance(meant, Stop) or (isinstance(meant, No) and meant.stops):
            return meant
    return wish


def _read(text: str, book: KeywordBook, names: frozenset[str], asked: Asked | None) -> KeywordRequest:
    index = book.index
    every = _addressed(tokens(text), index.names | names, index)
    words = _addressed(tokens(without_tail(text)), index.names | names, index)
    found = _service(words, index)
    stop = _stop(every, index) or _stop_behind(text, words, found, index)
    if stop is not None or (not every and _STOP_SIGN in text):
        return Stop(stop.language if stop else book.language)
    if asked is not None and (found is None or found[0].service is Service.YES):
        answer = _answer_to(asked, text, every, words, book)
        if answer is not None:
            return answer
    if found is None:
        return _asked_for(words, index) or _bare_gift(words, book)
    (service, language), end = found
    match service:
        case Service.GIVE:
            return _give(words[end:], language, book)
        case Service.YES | Service.START:
            wish = _sure(every, len(words), end, Heading(service, language), index, index.names | names)
            doubtful = isinstance(wish, Yes) and not _DOWN.isdisjoint(text)
            return Unknown(language, Reason.NO_SERVICE) if doubtful else wish
        case Service.NO:
            return No(language, _has_stop(every, end, index))
        case Service.CAUSE:
            return _choose(words[end:], language, index)
        case _:
            return _PLAIN[service](language)


def _addressed(words: list[str], names: frozenset[str], index: Index) -> list[str]:
    """Leave out the names that a text begins with, polite words before them too, unless nothing else stands in it."""
    start = 0
    while (
        end := _name_end(words, start, names) or _name_end(words, _after_polite(words, start, index), names)
    ) is not None:
        start = end
    return words[start:]


def _name_end(words: list[str], start: int, names: frozenset[str], *, whole: bool = False) -> int | None:
    """Return where the name ends that begins at `start`, None if there is none; of the whole text only if `whole`."""
    ends = range(min(start + LONGEST_NAME, len(words) - (not whole)), start, -1)
    return next((end for end in ends if joined(words[start:end]) in names), None)


def _is_ignored(word: str, index: Index) -> bool:
    return word in index.ignored or _KISSES.fullmatch(word) is not None


def _after_polite(words: list[str], start: int, index: Index) -> int:
    """Return where the first word that means something stands, from `start` on."""
    while start < len(words) and _is_ignored(words[start], index):
        start += 1
    return start


def _headings_at(words: list[str], start: int, index: Index) -> Iterator[tuple[Heading, int]]:
    """Return what the phrases that begin at `start` stand for, the longest first, and where each ends."""
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
    start = _after_leading_up(words, index)
    led_up = (found for found in _headings_at(words, start, index) if not _is_of_else(words, start, found[1]))
    begins = chain(_headings_first(words, index), led_up)
    return next((heading for heading, _ in begins if heading.service is Service.STOP), None)


def _is_of_else(words: list[str], start: int, end: int) -> bool:
    """Whether a text asks for an ill of the world to be ended by the stop word from `start` to `end`, or wants that.

    In doubt it is none: a stop that is not heard is worse than one too many, which a START takes back.
    """
    before, behind = words[:start], words[end:]
    if not behind or end - start != 1 or words[start] not in _ENDING or behind[0] in _GOES_ON:
        return False
    says_so = not (_ABLE | _WANTING).isdisjoint(before) and _POLITE.isdisjoint(words)
    return says_so and not _ILLS.isdisjoint(behind[:_OBJECT]) and _OF_TEXTS.isdisjoint(behind)


def _means_stop(words: list[str], index: Index) -> Heading | None:
    """Return the stop word that is all of `words` but for polite ones."""
    found = index.whole.get(joined([word for word in words if not _is_ignored(word, index)]))
    return found if found is not None and found.service is Service.STOP else None


def _stop_behind(text: str, words: list[str], found: tuple[Heading, int] | None, index: Index) -> Heading | None:
    """Return the stop word that is a whole sentence of several, or all that stands behind another service than a NO."""
    if found is not None:
        (service, _), end = found
        if service is Service.NO:
            return None
        behind = _means_stop(words[end:], index)
        if behind is not None:
            return behind
    sentences = _SENTENCES.split(text)
    if len(sentences) < 2:
        return None
    meant = (_means_stop([word for word in tokens(each) if word not in REQUESTING], index) for each in sentences)
    return next(filter(None, meant), None)


def _after_leading_up(words: list[str], index: Index) -> int:
    """Return where the first word stands that does not merely lead up to a request."""
    start = 0
    while start < len(words) and (
        _is_ignored(words[start], index) or words[start] in _LEADING_UP or words[start] in _AGREED
    ):
        start += 1
    return start


def _asked_for(words: list[str], index: Index) -> Balance | Tenth | Help | None:
    """Read what is asked for in more words (`what's my balance`, `I need help`) and moves no money."""
    for (service, language), _ in _headings_at(words, _after_leading_up(words, index), index):
        if service in _TELLING:
            return _TELLING[service](language)
    return None


def _has_stop(words: list[str], start: int, index: Index) -> bool:
    """Whether a stop word stands anywhere from `start` on."""
    headings = (heading for place in range(start, len(words)) for heading, _ in _headings_at(words, place, index))
    return any(heading.service is Service.STOP for heading in headings)


def _service(words: list[str], index: Index) -> tuple[Heading, int] | None:
    """Return the heading that the text begins with, and where its words end; a spaced-out word takes the whole text."""
    whole = index.whole.get(joined(words))
    return (whole, len(words)) if whole else next(_headings_first(words, index), None)


def _sure(words: list[str], size: int, end: int, asked: Heading, index: Index, names: frozenset[str]) -> KeywordRequest:
    """Read a YES or START: what else stands in the first `size` words makes it doubtful, a stop word anywhere undoes it.

    What we are called means nothing behind it either (`START 70070`).
    """
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
            named = _name_end(words, start, names, whole=True)
            end = named or end
            sure = sure and (start >= size or named is not None)
    if not sure:
        return Unknown(asked.language, Reason.NO_SERVICE)
    return Yes(asked.language) if asked.service is Service.YES else Start(asked.language)


def _answer_to(
    asked: Asked, text: str, every: list[str], words: list[str], book: KeywordBook
) -> Yes | No | Stop | None:
    """Read an answer to an open question that would be none without it; None where it is not clear."""
    index = book.index
    up, down = not _UP.isdisjoint(text), not _DOWN.isdisjoint(text)
    if up and down:
        return None
    if down and not words:
        return No(book.language)
    language, rest, start = book.language if up else "", [], 0
    while (start := _after_polite(every, start, index)) < len(every):
        heading, end = next(_headings_at(every, start, index), (None, start + 1))
        if heading is not None and heading.service is Service.STOP:
            return Stop(heading.language)
        if heading is not None and heading.service is Service.YES:
            language = heading.language
        elif heading is not None and heading.service is not Service.GIVE and start < len(words):
            return None
        elif heading is None and every[start] in _AGREED:
            language = language or (_AGREED[every[start]] if _AGREED[every[start]] in book.languages else book.language)
        elif heading is None and start < len(words) and every[start] not in _ANSWERING:
            rest.append(every[start])
        start = end
    return Yes(language) if language and not down and _is_asked(rest, asked, index) else None


def _is_asked(rest: list[str], asked: Asked, index: Index) -> bool:
    """Whether the words beside a YES say nothing else than was asked."""
    typed, words = take_amount(rest)
    known, cause = _cause(words, index)
    same = typed is not None and (typed.micro, typed.currency or asked.currency) == (asked.amount, asked.currency)
    return known and cause in (None, asked.cause) and (same or words == rest)


def _bare_gift(words: list[str], book: KeywordBook) -> KeywordRequest:
    """Read a cause and an amount without GIVE."""
    wish = _give(words, book.language, book)
    clear = isinstance(wish, Give) or wish.reason is Reason.OUT_OF_BOUNDS
    return wish if clear and wish.cause is not None else Unknown(book.language, Reason.NO_SERVICE)


def _give(rest: list[str], language: str, book: KeywordBook) -> Give | Unknown:
    while rest and (said := book.index.phrases.get(rest[-1])) is not None and said.service is Service.YES:
        rest = rest[:-1]  # nothing was asked yet that this could be the answer to
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
    meant = [word for word in words if not _is_ignored(word, index)]
    cause = index.causes.get(joined(words)) or index.causes.get(joined(meant))
    return cause is not None or not meant, cause
