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
from typing import Final

import msgspec

from protocols.tap import Tap
from provisioning.errors import HostRefused, HostUnavailable, IdentifierInvalid
from provisioning.hosts.connection import Address
from provisioning.hosts.ctrl import CtrlClient, CtrlError
from provisioning.hosts.interface import ABSENT, UNSETTLED, Access, Condition, Line, Pending, Reading, mind
from provisioning.hosts.pace import Pace
from provisioning.hosts.vty import CommandUnknown, VtyClient
from provisioning.keys import Keys

_IMSI: Final = re.compile(r"[0-9]{14,15}")
"""OsmoHLR creates shorter ones, too."""
_MSISDN: Final = re.compile(r"[1-9][0-9]{4,14}")
"""E.164; OsmoHLR takes numbers that begin with 0, too."""
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_NOBODY: Final = re.compile(r"no such subscriber", re.IGNORECASE)
_MILENAGE: Final = "MILENAGE"


class _Held(msgspec.Struct, frozen=True):
    """A subscriber as the HLR holds it. `keys` are its Milenage keys, if it has any with OPc."""

    imsi: str
    msisdn: str | None
    cs: bool
    ps: bool
    keys: Keys | None

    @property
    def condition(self) -> Condition:
        """In the words of the interface."""
        if self.cs != self.ps:
            return UNSETTLED  # circuit- or packet-switched service alone
        return Condition(Access.OPEN if self.cs else Access.BARRED, self.msisdn)


class OsmoHlr:
    """One OsmoHLR (provisioning.hosts.interface.Host).

    Args:
        ctrl: host and port of the CTRL interface, usually 4259.
        vty: host and port of the VTY, usually 4258.
        timeout: seconds for a connection, and again for each answer.
        rate: lines brought or read a second at most; 0: no limit.
        window: CTRL commands on their way at once.
    """

    def __init__(
        self, name: str, ctrl: Address, vty: Address, *, timeout: float = 10.0, rate: float = 0.0, window: int = 64
    ) -> None:
        self.name, self._pace = name, Pace(rate)
        self._ctrl = CtrlClient(ctrl, timeout=timeout, window=window)
        self._vty = VtyClient(vty, timeout=timeout)

    async def bring(self, call_id: str, line: Line, wanted: Condition, *, fresh: bool = False) -> Pending | None:  # noqa: ARG002  (every call here can be repeated)
        """Change what differs, and see that it is so; HostRefused or HostUnavailable."""
        _check(line, wanted)
        await self._pace.turn()
        held = await self._held(line.imsi)
        if fresh:
            mind(_reading(held, line).condition, wanted)
        if _reading(held, line).shows(wanted):
            return None
        refusal = await self._change(line, held, wanted)
        if not _reading(await self._held(line.imsi), line).shows(wanted):
            await self._refuse_taken(line, wanted)
            raise refusal or HostUnavailable(f"{self.name} took the changes and does not show them")
        return None

    async def read(self, line: Line) -> Reading:
        """Tell how the HLR holds a line; a half-open one is UNSETTLED. HostRefused or HostUnavailable."""
        _check(line, ABSENT)
        await self._pace.turn()
        return _reading(await self._held(line.imsi), line)

    def hinted(self, body: bytes) -> list[str]:  # noqa: ARG002  (the interface's)
        """OsmoHLR calls nobody back."""
        return []

    def watch(self, tap: Tap | None) -> None:
        """Have each CTRL frame, and each VTY line and what it printed, told raw; see `interface.Host`."""
        self._ctrl.watch(tap, self.name)
        self._vty.watch(tap, self.name)

    async def close(self) -> None:
        """Let go of both connections."""
        await self._ctrl.close()
        await self._vty.close()

    async def _change(self, line: Line, held: _Held | None, wanted: Condition) -> HostRefused | None:
        """Do what it takes, and give the host's first no, which the caller believes only if reading back bears it out."""
        try:
            if wanted.access is not Access.ABSENT:
                await self._refuse_taken(line, wanted)
                await self._hold(line, held or await self._created(line), wanted)
            elif held is not None:
                await self._remove(held)
        except CtrlError as error:
            return HostRefused(f"{self.name} refused: {_harmless(error.reason)}")
        except CommandUnknown:
            return HostRefused(f"{self.name} does not know a VTY command that OsmoHLR 1.5 knows")
        return None

    async def _hold(self, line: Line, held: _Held, wanted: Condition) -> None:
        """Bring a subscriber that is there to what is wanted: cut off first, let in last."""
        access = f"subscriber imsi {line.imsi} update network-access-mode"
        if wanted.access is Access.BARRED and (held.cs or held.ps):
            await self._vty.command(f"{access} none")
        if line.keys is not None and line.keys != held.keys:
            await self._set_keys(line.imsi, line.keys)
        if wanted.msisdn != held.msisdn:
            await self._set_number(line.imsi, wanted.msisdn, push=wanted.access is Access.OPEN and (held.cs or held.ps))
        if wanted.access is Access.OPEN and not (held.cs and held.ps):
            await self._vty.command(f"{access} cs+ps")

    async def _set_number(self, imsi: str, msisdn: str | None, *, push: bool) -> None:
        number = msisdn or "none"
        if push:
            await self._vty.command(f"subscriber imsi {imsi} update msisdn {number}")
        else:
            await self._ctrl.set(_variable(imsi, "msisdn"), number)

    async def _created(self, line: Line) -> _Held:
        """Create a subscriber; one that is there by now is as good. CtrlError."""
        refusal = CtrlError("it did not create the subscriber")
        try:
            await self._ctrl.set("subscriber.create", line.imsi)
        except CtrlError as error:
            refusal = error
        held = await self._held(line.imsi)
        if held is None:
            raise refusal
        return held

    async def _set_keys(self, imsi: str, keys: Keys) -> None:
        try:
            await self._ctrl.set(_variable(imsi, "aud3g"), f"milenage,{keys.ki.hex()},OPC,{keys.opc.hex()}")
        except CtrlError:
            # The host's own words may repeat what was sent.
            raise CtrlError("it did not take the keys") from None

    async def _remove(self, held: _Held) -> None:
        """Cut a phone off, free the number, and delete."""
        if held.cs or held.ps:
            await self._vty.command(f"subscriber imsi {held.imsi} update network-access-mode none")
        if held.msisdn is not None:
            await self._set_number(held.imsi, None, push=False)
        await self._ctrl.set("subscriber.delete", held.imsi)

    async def _refuse_taken(self, line: Line, wanted: Condition) -> None:
        """HostRefused if the wanted number is another subscriber's."""
        if wanted.msisdn is None:
            return
        holder = await self._told(f"subscriber.by-msisdn-{wanted.msisdn}.info")
        if holder is not None and holder.imsi != line.imsi:
            raise HostRefused(f"{self.name} holds the number for another IMSI")

    async def _held(self, imsi: str) -> _Held | None:
        held = await self._told(_variable(imsi, "info-all"))
        if held is not None and held.imsi != imsi:
            raise HostUnavailable(f"{self.name} told of another subscriber than was asked for")
        return held

    async def _told(self, variable: str) -> _Held | None:
        """Read a subscriber; None: there is none. HostUnavailable."""
        try:
            text = await self._ctrl.get(variable)
        except CtrlError as error:
            if _NOBODY.search(error.reason):
                return None
            raise HostUnavailable(f"{self.name} cannot tell of a subscriber: {_harmless(error.reason)}") from None
        try:
            return _parse(text)
        except (KeyError, ValueError):
            # From None: the error's own words would show what could not be read.
            raise HostUnavailable(f"{self.name} told of a subscriber in words that cannot be read") from None


def _check(line: Line, wanted: Condition) -> None:
    """Nothing but digits may come into a command."""
    if not _IMSI.fullmatch(line.imsi):
        raise HostRefused("an IMSI has 14 or 15 digits")
    if wanted.msisdn is not None and not _MSISDN.fullmatch(wanted.msisdn):
        raise HostRefused("an MSISDN has 5 to 15 digits, and begins with a country code")


def _variable(imsi: str, name: str) -> str:
    return f"subscriber.by-imsi-{imsi}.{name}"


def _reading(held: _Held | None, line: Line) -> Reading:
    if held is None:
        return Reading(ABSENT)
    return Reading(held.condition, None if line.keys is None else line.keys == held.keys)


def _parse(text: str) -> _Held:
    """Read `name<TAB>value` lines; KeyError or ValueError."""
    values = dict(row.split("\t", 1) for row in text.splitlines() if row)
    imsi, msisdn = values["imsi"], values.get("msisdn")
    for number in (imsi, msisdn):
        if number is not None and not _DIGITS.fullmatch(number):
            raise ValueError("not a number")
    return _Held(imsi, msisdn, _switch(values["nam_cs"]), _switch(values["nam_ps"]), _parse_keys(values))


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
