"""Whether each host can be reached: a connection is made from time to time, as orders ask a host only where there are any."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from gateway.context import GatewayContext
from gateway.settings.values import Endpoint
from protocols.network import Network
from provisioning.errors import HostUnavailable

LOOK_SECONDS: Final = 15.0
PATIENCE: Final = 5.0
"""Seconds that a connection may take: a host that answers later is no help to an order either."""
Report = Callable[[str, HostUnavailable | None], None]


class HostReach:
    """Reports the hosts that are lost, and of those that are back of which it said so: what orders found out is theirs."""

    def __init__(self, context: GatewayContext, report: Report) -> None:
        """`report` gets the name of a host, and why it cannot be reached or None."""
        self._context, self._report = context, report
        self._lost: set[str] = set()

    async def look(self) -> None:
        """Connect to every host once."""
        network = self._context.environment.network
        hosts = self._context.settings.provisioning.hosts
        found = await asyncio.gather(*(_trouble(network, host.remotes.values()) for host in hosts))
        self._lost &= {host.name for host in hosts}
        for host, trouble in zip(hosts, found, strict=True):
            if trouble:
                self._lost.add(host.name)
                self._report(host.name, HostUnavailable(trouble))
            elif host.name in self._lost:
                self._lost.discard(host.name)
                self._report(host.name, None)


async def _trouble(network: Network, endpoints: Iterable[Endpoint]) -> str:
    """Say why one of a host's addresses cannot be connected to; nothing where all can."""
    for endpoint in endpoints:
        try:
            async with asyncio.timeout(PATIENCE):
                await network.connect(_HangUp(), endpoint.host, endpoint.port, None, None)
        except TimeoutError:
            return f"{endpoint} does not answer"
        except (OSError, ValueError) as error:
            return f"{endpoint} cannot be reached: {getattr(error, 'strerror', None) or error}"
    return ""


class _HangUp(asyncio.Protocol):
    """Ends a connection as soon as it is made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
