"""A line on OsmoHLR: created, keyed and read over CTRL; what an attached phone's network has to learn is set over VTY.

Both ways write the same database, but only a change by VTY is pushed to the VLR or SGSN that a phone is attached to: a phone
that is barred by CTRL goes on calling. A new number is pushed as InsertSubscriberData, even to a network that has just been
told DeleteSubscriberData; so the number of a barred line is set by CTRL. Keys go by CTRL alone, for a VTY echoes what is
typed. Writing keys again resets their sequence number, so they are compared first; and neither way has an error code to go
by, so what came of a change is read back. OsmoHLR has neither authentication nor TLS: reach it by loopback or through a
tunnel only. (OsmoHLR user manual, "Control interface", "VTY"; seen with osmo-hlr 1.5. From 1.7 on some algorithms have
other names, Milenage has not.)
"""

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec

from protocols.tap import Tap
from provisioning.errors import HostDeclined, HostRefused, HostUnavailable, IdentifierInvalid
from provisioning.hosts.connection import Address
from provisioning.hosts.ctrl import CtrlClient, CtrlError
from provisioning.hosts.interface import (
    ABSENT,
    NOTHING,
    UNLISTED,
    UNSETTLED,
    Access,
    Condition,
    HeldLine,
    Holding,
    HostLine,
    HostReading,
    KeysHeld,
    Pending,
)
from provisioning.hosts.ownership import FOREIGN, check_unchanged
from provisioning.hosts.pace import Pace
from provisioning.hosts.vty import CommandUnknown, VtyClient
from provisioning.keys import Keys
from provisioning.masks import mask

_IMSI: Final = re.compile(r"[0-9]{14,15}")
"""OsmoHLR creates shorter ones, too."""
_MSISDN: Final = re.compile(r"[1-9][0-9]{4,14}")
"""E.164; OsmoHLR takes numbers that begin with 0, too."""
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_NOBODY: Final = re.compile(r"no such subscriber", re.IGNORECASE)
_MILENAGE: Final = "MILENAGE"


_RESTORABLE: Final = re.compile(r"milenage,[0-9a-f]{32},(?:OP|OPC),[0-9a-f]{32}(?:,[0-9]{1,2})?")
"""Keys that can be written as they were read. Others are not overwritten (OsmoHLR has more algorithms by VTY than by CTRL)."""
_MODES: Final = {(True, True): "cs+ps", (True, False): "cs", (False, True): "ps", (False, False): "none"}


class _State(msgspec.Struct, frozen=True):
    """All of a subscriber that we change: its number, its access, its 3G keys as the variable `aud3g` is set (empty: none)."""

    msisdn: str | None
    cs: bool
    ps: bool
    aud3g: str

    def __repr__(self) -> str:
        return "_State"


class _Held(msgspec.Struct, frozen=True):
    """A subscriber as the HLR holds it. `keys` are its Milenage keys, if it has any with OPc; `keyed`: it has any keys."""

    imsi: str
    state: _State
    keys: Keys | None
    keyed: bool

    @property
    def condition(self) -> Condition:
        """In the words of the interface."""
        if self.state.cs != self.state.ps:
            return UNSETTLED  # circuit- or packet-switched service alone
        return Condition(Access.OPEN if self.state.cs else Access.BARRED, self.state.msisdn)


class OsmoHlr:
    """One OsmoHLR (provisioning.hosts.interface.Host).

    Args:
        ctrl: host and port of the CTRL interface, usually 4259.
        vty: host and port of the VTY, usually 4258.
        timeout: seconds for a connection, and again for each answer.
        rate: lines brought or read a second at most; 0: no limit.
        window: CTRL commands on their way at once.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        ctrl: Address,
        vty: Address,
        *,
        timeout: float = 10.0,
        rate: float = 0.0,
        window: int = 64,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self._pace = name, Pace(rate, clock)
        self._ctrl = CtrlClient(ctrl, timeout=timeout, window=window)
        self._vty = VtyClient(vty, timeout=timeout)

    async def inspect(self, line: HostLine, msisdn: str | None = None) -> Holding:
        """Return what the HLR holds of a card's IMSI, its keys included, and whether the number is another IMSI's."""
        _check(line, Condition(Access.OPEN, msisdn))
        await self._pace.turn()
        found = _holding(await self._held(line.imsi), line)
        elsewhere = msisdn is not None and await self._is_taken(line, msisdn)
        return msgspec.structs.replace(found, number_elsewhere=elsewhere)

    async def bring(
        self,
        call_id: str,  # noqa: ARG002  (every call here can be repeated)
        line: HostLine,
        wanted: Condition,
        *,
        before: Holding | None = None,
    ) -> Pending | None:
        """Change what differs, and see that it is so; HostRefused or HostUnavailable."""
        _check(line, wanted)
        await self._pace.turn()
        held = await self._held(line.imsi)
        if before is not None:
            check_unchanged(_holding(held, line), before, wanted)
        if _reading(held, line).shows(wanted):
            return None
        refusal = await self._tried(self._change(line, held, wanted, strict=before is not None))
        if not _reading(await self._held(line.imsi), line).shows(wanted):
            await self._refuse_taken(line, wanted)
            raise refusal or HostUnavailable(f"{self.name} took the changes and does not show them")
        return None

    async def restore(
        self,
        call_id: str,  # noqa: ARG002  (as above)
        line: HostLine,
        wanted: Condition,
        before: Holding,
    ) -> Pending | None:
        """Remove the subscriber that the step created, or put back number, keys and access; the SQN of keys begins at 0."""
        _check(line, wanted)
        await self._pace.turn()
        held = await self._held(line.imsi)
        if held is None and not before.present:
            return None
        check_unchanged(_holding(held, line), before, wanted)
        assert held is not None  # what went away meanwhile is no longer what the step made
        if not before.present:
            refusal = await self._tried(self._remove(held))
        else:
            refusal = await self._tried(self._set(line.imsi, held.state, _state(before.record)))
        if refusal is not None and _holding(await self._held(line.imsi), line).record != before.record:
            raise refusal
        return None

    async def read(self, line: HostLine) -> HostReading:
        """Return how the HLR holds a line; a half-open one is UNSETTLED. HostRefused or HostUnavailable."""
        _check(line, ABSENT)
        await self._pace.turn()
        return _reading(await self._held(line.imsi), line)

    async def lines(self) -> AsyncIterator[list[HeldLine]]:
        """List all subscribers, by VTY, in one piece; HostRefused (UNLISTED) from an HLR without that command."""
        await self._pace.turn()
        try:
            printed = await self._vty.listing("show subscribers all")
        except CommandUnknown:
            raise HostRefused(f"{self.name} has no list of its subscribers", UNLISTED) from None
        found = _parse_list(printed)
        if found is None:
            raise HostUnavailable(f"{self.name} listed its subscribers in words that cannot be read")
        yield found

    def hinted(self, body: bytes) -> list[str]:  # noqa: ARG002  (the interface's)
        """OsmoHLR calls nobody back."""
        return []

    def set_tap(self, tap: Tap | None) -> None:
        """Pass each CTRL frame, each VTY line and what it printed to a tap, raw; see `interface.Host`."""
        self._ctrl.set_tap(tap, self.name)
        self._vty.set_tap(tap, self.name)

    async def close(self) -> None:
        """Let go of both connections."""
        await self._ctrl.close()
        await self._vty.close()

    async def _tried(self, change: Awaitable[None]) -> HostRefused | None:
        """Do it, and give the host's first no, which the caller believes only if reading back bears it out.

        CTRL has one word for a locked database and for what can never be: its no may pass.
        """
        try:
            await change
        except CtrlError as error:
            return HostDeclined(f"{self.name} refused: {_harmless(error.reason)}")
        except CommandUnknown:
            return HostRefused(f"{self.name} does not know a VTY command that OsmoHLR 1.5 knows")
        return None

    async def _change(self, line: HostLine, held: _Held | None, wanted: Condition, *, strict: bool) -> None:
        """Bring a subscriber to what is wanted; `strict`: one that somebody else creates meanwhile is not taken for ours."""
        if wanted.access is not Access.ABSENT:
            await self._refuse_taken(line, wanted)
            held = held or await self._created(line, strict=strict)
            access = wanted.access is Access.OPEN
            same = line.keys is None or line.keys == held.keys
            aud3g = held.state.aud3g if same or line.keys is None else _aud3g(line.keys)
            await self._set(line.imsi, held.state, _State(wanted.msisdn, access, access, aud3g))
        elif held is not None:
            await self._remove(held)

    async def _set(self, imsi: str, now: _State, wanted: _State) -> None:
        """Change what differs: cut off first, let in last."""
        kept = (now.cs and wanted.cs, now.ps and wanted.ps)
        if kept != (now.cs, now.ps):
            await self._set_access(imsi, *kept)
        if wanted.aud3g != now.aud3g:
            await self._set_keys(imsi, wanted.aud3g)
        if wanted.msisdn != now.msisdn:
            await self._set_number(imsi, wanted.msisdn, push=any(kept))
        if kept != (wanted.cs, wanted.ps):
            await self._set_access(imsi, wanted.cs, wanted.ps)

    async def _set_access(self, imsi: str, cs: bool, ps: bool) -> None:  # noqa: FBT001  (the two domains)
        await self._vty.command(f"subscriber imsi {imsi} update network-access-mode {_MODES[cs, ps]}")

    async def _set_number(self, imsi: str, msisdn: str | None, *, push: bool) -> None:
        number = msisdn or "none"
        if push:
            await self._vty.command(f"subscriber imsi {imsi} update msisdn {number}")
        else:
            await self._ctrl.set(_variable(imsi, "msisdn"), number)

    async def _created(self, line: HostLine, *, strict: bool) -> _Held:
        """Create a subscriber; one that is there by now is as good, unless `strict`. CtrlError."""
        refusal: CtrlError | None = None
        try:
            await self._ctrl.set("subscriber.create", line.imsi)
        except CtrlError as error:
            refusal = error
        held = await self._held(line.imsi)
        if held is None:
            raise refusal or CtrlError("it did not create the subscriber")
        if strict and refusal is not None:
            raise HostRefused(f"{self.name} got this card from somebody else just now; it is left as it is", FOREIGN)
        return held

    async def _set_keys(self, imsi: str, aud3g: str) -> None:
        try:
            await self._ctrl.set(_variable(imsi, "aud3g"), aud3g or "none")
        except CtrlError:
            # The host's own words may repeat what was sent.
            raise CtrlError("it did not take the keys") from None

    async def _remove(self, held: _Held) -> None:
        """Cut a phone off, free the number, and delete."""
        if held.state.cs or held.state.ps:
            await self._set_access(held.imsi, cs=False, ps=False)
        if held.state.msisdn is not None:
            await self._set_number(held.imsi, None, push=False)
        await self._ctrl.set("subscriber.delete", held.imsi)

    async def _refuse_taken(self, line: HostLine, wanted: Condition) -> None:
        """HostRefused if the wanted number is another subscriber's."""
        if wanted.msisdn is not None and await self._is_taken(line, wanted.msisdn):
            raise HostRefused(f"{self.name} holds the number for another IMSI")

    async def _is_taken(self, line: HostLine, msisdn: str) -> bool:
        holder = await self._told(f"subscriber.by-msisdn-{msisdn}.info")
        return holder is not None and holder.imsi != line.imsi

    async def _held(self, imsi: str) -> _Held | None:
        held = await self._told(_variable(imsi, "info-all"))
        if held is not None and held.imsi != imsi:
            raise HostUnavailable(f"{self.name} told of another subscriber than was asked for", one_line=True)
        return held

    async def _told(self, variable: str) -> _Held | None:
        """Read a subscriber; None: there is none. HostUnavailable."""
        try:
            text = await self._ctrl.get(variable)
        except CtrlError as error:
            if _NOBODY.search(error.reason):
                return None
            said = f"{self.name} cannot tell of a subscriber: {_harmless(error.reason)}"
            raise HostUnavailable(said, one_line=True) from None
        try:
            return _parse(text)
        except (KeyError, ValueError):
            # From None: the error's own words would show what could not be read.
            said = f"{self.name} told of a subscriber in words that cannot be read"
            raise HostUnavailable(said, one_line=True) from None


def _check(line: HostLine, wanted: Condition) -> None:
    """Nothing but digits may come into a command."""
    if not _IMSI.fullmatch(line.imsi):
        raise HostRefused("an IMSI has 14 or 15 digits")
    if wanted.msisdn is not None and not _MSISDN.fullmatch(wanted.msisdn):
        raise HostRefused("an MSISDN has 5 to 15 digits, and begins with a country code")


def _variable(imsi: str, name: str) -> str:
    return f"subscriber.by-imsi-{imsi}.{name}"


def _reading(held: _Held | None, line: HostLine) -> HostReading:
    if held is None:
        return HostReading(ABSENT)
    return HostReading(held.condition, None if line.keys is None else line.keys == held.keys)


def _holding(held: _Held | None, line: HostLine) -> Holding:
    if held is None:
        return NOTHING
    keys = _compared(held, line)
    fixed = ""
    if line.keys is not None and line.keys != held.keys and held.state.aud3g:
        fixed = "" if _RESTORABLE.fullmatch(held.state.aud3g) else "its keys could not be given back as they are"
    words = (
        f"{_access_words(held.state)}, {f'as {mask(held.state.msisdn)}' if held.state.msisdn else 'without a number'}"
    )
    return Holding(
        condition=held.condition,
        words=words + _KEY_WORDS[keys],
        msisdn=held.state.msisdn,
        keys=keys,
        fixed=fixed,
        record=msgspec.msgpack.encode(held.state),
    )


_KEY_WORDS: Final = {
    KeysHeld.NONE: ", without keys",
    KeysHeld.OURS: ", with the card's keys",
    KeysHeld.OTHER: ", with other keys",
    KeysHeld.UNTOLD: "",
}


def _access_words(state: _State) -> str:
    return {(True, True): "open", (False, False): "barred"}.get(
        (state.cs, state.ps), f"open for {_MODES[state.cs, state.ps]}"
    )


def _compared(held: _Held, line: HostLine) -> KeysHeld:
    if not held.keyed:
        return KeysHeld.NONE
    if line.keys is None:
        return KeysHeld.UNTOLD
    return KeysHeld.OURS if line.keys == held.keys else KeysHeld.OTHER


def _state(record: bytes) -> _State:
    """Read what `_holding` kept of a subscriber."""
    return msgspec.msgpack.decode(record, type=_State)


def _aud3g(keys: Keys) -> str:
    return f"milenage,{keys.ki.hex()},OPC,{keys.opc.hex()}"


def _parse(text: str) -> _Held:
    """Read `name<TAB>value` lines; KeyError or ValueError."""
    values = dict(row.split("\t", 1) for row in text.splitlines() if row)
    imsi, msisdn = values["imsi"], values.get("msisdn")
    for number in (imsi, msisdn):
        if number is not None and not _DIGITS.fullmatch(number):
            raise ValueError("not a number")
    state = _State(msisdn, _switch(values["nam_cs"]), _switch(values["nam_ps"]), _parse_aud3g(values))
    return _Held(imsi, state, _parse_keys(values), keyed="aud3g.algo" in values or "aud2g.algo" in values)


_LISTED: Final = re.compile(
    r"[0-9]+ +(?P<msisdn>none|[0-9]{1,15}) +(?P<imsi>[0-9]{6,15}) +(?:[0-9]+|-+) *(?P<nam>CSPS|CS|PS|)"
)
_SHOWN: Final = re.compile(r"Subscribers Shown: ([0-9]+)")


def _parse_list(printed: str) -> list[HeldLine] | None:
    """Read `show subscribers all`; None unless every subscriber that it counts was read."""
    lines = [line.strip() for line in printed.splitlines()]
    rows = [row for line in lines if (row := _LISTED.fullmatch(line))]
    shown = next((int(count[1]) for line in reversed(lines) if (count := _SHOWN.fullmatch(line))), None)
    if shown != len(rows):
        return None
    return [
        HeldLine(
            row["imsi"],
            None,
            None if row["msisdn"] == "none" else row["msisdn"],
            Access.OPEN if row["nam"] else Access.BARRED,
        )
        for row in rows
    ]


def _parse_aud3g(values: dict[str, str]) -> str:
    """Return the 3G keys as they would be written; what has no such form is told apart, and never written."""
    if "aud3g.algo" not in values:
        return ""
    kind = "OPC" if "aud3g.opc" in values else "OP"
    said = [values["aud3g.algo"].lower(), values.get("aud3g.k", "").lower(), kind]
    said.append(values.get(f"aud3g.{kind.lower()}", "").lower())
    return ",".join([*said, *([values["aud3g.ind_bitlen"]] if "aud3g.ind_bitlen" in values else [])])


def _switch(value: str) -> bool:
    return bool(("0", "1").index(value))


def _parse_keys(values: dict[str, str]) -> Keys | None:
    if values.get("aud3g.algo") != _MILENAGE or "aud3g.opc" not in values:
        return None
    try:
        return Keys(bytes.fromhex(values["aud3g.k"]), bytes.fromhex(values["aud3g.opc"]))
    except IdentifierInvalid:
        return None


def _harmless(reason: str) -> str:
    """Keep of the host's words what is no number and no key."""
    printable = "".join(c for c in reason[:200] if c.isascii() and c.isprintable())
    return re.sub(r"[0-9A-Fa-f]{5,}", "***", printable)[:100]
