"""The gateway of a year over its restarts: stopped in order, and started with other files, as an operator does."""

from collections import Counter
from pathlib import Path
from typing import Final

from simulators.host_api import HostApi
from simulators.year.clock import Clock
from simulators.year.gateway import Gateway
from simulators.year.settings_files import Month, write

RIGHT_PRICE: Final = "0.01"
"""Of a megabyte, in pounds."""


class Running:
    """Holds `gateway`, the one that runs now; `troubles` and `dunned` are those of all that have ended."""

    gateway: Gateway

    def __init__(self, folder: Path, seed: int, clock: Clock) -> None:
        """Take where the files are; nothing is opened yet."""
        self.folder, self.seed, self.clock = folder, seed, clock
        self.troubles: list[str] = []
        self.dunned: Counter[str] = Counter()
        self._host = HostApi(seed=seed)

    async def start(self, month: Month) -> None:
        """Start the host\'s activation API, and the gateway."""
        await self._host.start()
        await self._open(month, RIGHT_PRICE)

    async def restart(self, month: Month, data_price: str = RIGHT_PRICE) -> None:
        """Stop the gateway, and start it with the files of a month, in which a megabyte costs so much."""
        await self._close()
        await self._open(month, data_price)

    async def stop(self) -> None:
        """Stop both."""
        if hasattr(self, "gateway"):
            await self._close()
        await self._host.stop()

    async def _open(self, month: Month, data_price: str) -> None:
        settings = write(self.folder, self.seed, month, self._host.url, data_price=data_price)
        self.gateway = Gateway(settings, self.clock)
        await self.gateway.start()

    async def _close(self) -> None:
        await self.gateway.stop()
        self.dunned += self.gateway.dunned
        self.troubles += self.gateway.troubles
