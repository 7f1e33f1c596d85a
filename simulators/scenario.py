"""What a simulated network does over time, from a file: its traffic, its handsets, its faults (docs/simulators.md).

seed: 7
duration: 600
day: {seconds: 300, curve: [0.2, 0.5, 1, 0.7]}
sessions: {rate: 2, octets: [1000000, 50000000], seconds: [5, 30], profile: standard}
texts: {rate: 0.5, words: [BALANCE, GIVE WATERAID 1]}
handsets: {answers: {Reply YES: "YES"}, seconds: 1}
smsc: {delivery: 0.5, receipt_ids: decimal}
host: {mode: async, work: 2}
faults:
  - {at: 60, for: 30, smsc: {throttled: 0.3}, host: {error-after: 0.1}}
"""

from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from simulators.fault_rates import FaultsUnreadable, check_shares
from simulators.handsets import YES
from simulators.host_faults import Fault
from simulators.profiles import PROFILES
from simulators.smsc_faults import SmscFault

MAX_OCTETS: Final = 1_000_000
"""Octets of a scenario file."""


class ScenarioInvalid(ValueError):
    """The file is no scenario; the text says where and why."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file: a key that it does not know is refused."""


class Day(_Part, frozen=True):
    """How busy it is: factors of every rate, one after the other, over so many seconds; then again from the first."""

    seconds: float
    curve: tuple[float, ...]

    def factor(self, now: float) -> float:
        """Return the factor at `now`, in seconds from the beginning."""
        place = now % self.seconds / self.seconds
        return self.curve[min(int(place * len(self.curve)), len(self.curve) - 1)]


class Sessions(_Part, frozen=True):
    """Data sessions: begun a second on average; octets and seconds of each, at least and at most."""

    rate: float = 0.5
    octets: tuple[int, int] = (1_000_000, 50_000_000)
    seconds: tuple[float, float] = (5.0, 30.0)
    profile: str = "standard"


class Texts(_Part, frozen=True):
    """What customers text to the short code: texts a second on average, and what they say."""

    rate: float = 0.2
    words: tuple[str, ...] = ("BALANCE", "TENTH", "HELP", "CAUSE", "GIVE WATERAID 1")


class HandsetRules(_Part, frozen=True):
    """What handsets answer to texts that contain certain words, and after how many seconds."""

    answers: dict[str, str] = msgspec.field(default_factory=lambda: dict(YES))
    seconds: float = 1.0


class SmscRules(_Part, frozen=True):
    """The message centre, as the options of `tpo simulate smsc`."""

    rate: float = 0.0
    delivery: float = 0.1
    receipt_ids: Literal["string", "hex", "decimal"] = "string"


class HostRules(_Part, frozen=True):
    """The activation API, as the options of `tpo simulate host-api`."""

    mode: Literal["sync", "async"] = "sync"
    work: float = 0.2
    rate: float = 0.0


class Phase(_Part, frozen=True, rename={"seconds": "for"}):
    """Faults from `at` on, for some seconds; of two phases at once, the later one in the file counts for a service."""

    at: float
    seconds: float
    smsc: dict[str, float] | None = None
    host: dict[str, float] | None = None

    def holds(self, now: float) -> bool:
        """Whether it is on."""
        return self.at <= now < self.at + self.seconds


class Scenario(_Part, frozen=True):
    """All of it; everything may be left out."""

    seed: int = 1
    duration: float = 0.0
    day: Day | None = None
    sessions: Sessions = Sessions()
    texts: Texts = Texts()
    handsets: HandsetRules = HandsetRules()
    smsc: SmscRules = SmscRules()
    host: HostRules = HostRules()
    faults: tuple[Phase, ...] = ()

    def changed(self, *, rate: float | None, seed: int | None, duration: float | None) -> "Scenario":
        """Return the same with what is not None in its place: sessions a second, the seed, seconds in all."""
        replace = msgspec.structs.replace
        return replace(
            self,
            sessions=self.sessions if rate is None else replace(self.sessions, rate=rate),
            seed=self.seed if seed is None else seed,
            duration=self.duration if duration is None else duration,
        )

    def busy(self, now: float) -> float:
        """Return the factor of every rate at `now`, in seconds from the beginning."""
        return 1.0 if self.day is None else self.day.factor(now)

    def shares(self, now: float) -> dict[str, dict[str, float]]:
        """Return the faults that are on, for each service that any phase speaks of."""
        found: dict[str, dict[str, float]] = {}
        for phase in self.faults:
            for name, shares in (("smsc", phase.smsc), ("host", phase.host)):
                if shares is not None:
                    found[name] = shares if phase.holds(now) else found.get(name, {})
        return found

    def next_change(self, now: float) -> float | None:
        """Return when a phase begins or ends the next time, None if none does."""
        moments = [moment for phase in self.faults for moment in (phase.at, phase.at + phase.seconds)]
        return min((moment for moment in moments if moment > now), default=None)


def read_scenario(file: Path) -> Scenario:
    """Read a scenario; ScenarioInvalid says what is wrong with it, and where."""
    try:
        if file.exists() and not file.is_file():
            raise ScenarioInvalid(f"{file}: is no regular file")
        if file.stat().st_size > MAX_OCTETS:
            raise ScenarioInvalid(f"{file}: longer than {MAX_OCTETS} octets")
        written = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioInvalid(f"{file}: {error}") from None
    except yaml.YAMLError as error:
        raise ScenarioInvalid(f"{file}: {' '.join(str(error).split())}") from None
    try:
        scenario = msgspec.convert({} if written is None else written, Scenario)
        _check(scenario)
    except (msgspec.ValidationError, FaultsUnreadable, ScenarioInvalid) as error:
        raise ScenarioInvalid(f"{file}: {error}") from None
    return scenario


def _check(scenario: Scenario) -> None:
    """Look at what the types do not tell."""
    sessions, day = scenario.sessions, scenario.day
    positive = {
        "sessions.rate": sessions.rate,
        "sessions.octets": sessions.octets[0],
        "sessions.seconds": sessions.seconds[0],
    }
    if day is not None:
        positive |= {"day.seconds": day.seconds, "day.curve": min(day.curve, default=0.0)}
    for phase in scenario.faults:
        positive["faults.for"] = min(positive.get("faults.for", phase.seconds), phase.seconds)
        check_shares((phase.smsc or {}).items(), SmscFault)
        check_shares((phase.host or {}).items(), Fault)
    for name, value in positive.items():
        if value <= 0:
            raise ScenarioInvalid(f"{name}: give more than 0")
    for name, (least, most) in (("octets", sessions.octets), ("seconds", sessions.seconds)):
        if least > most:
            raise ScenarioInvalid(f"sessions.{name}: the least, then the most")
    if sessions.profile not in PROFILES:
        raise ScenarioInvalid(f"sessions.profile: {sessions.profile!r} is none of {', '.join(PROFILES)}")
    if scenario.texts.rate and not scenario.texts.words:
        raise ScenarioInvalid("texts.words: give some, or a rate of 0")
    rates = (scenario.texts.rate, scenario.handsets.seconds, scenario.smsc.rate, scenario.smsc.delivery)
    if min(*rates, scenario.host.work, scenario.host.rate, scenario.duration) < 0:
        raise ScenarioInvalid("a rate or a time is less than 0")
