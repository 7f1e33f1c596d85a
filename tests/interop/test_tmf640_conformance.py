"""The adapter for TMF640 does what every host adapter does, against our host simulator in each way that it answers."""

from types import SimpleNamespace

import pytest
from support.host_conformance import HostConformance
from support.patience import PATIENCE

from provisioning.hosts.interface import Access, Condition
from provisioning.hosts.tmf640 import Tmf640
from simulators.host_api import HostApi, Mode, Tell
from simulators.host_services import TERMINATED, characteristic

ACCESS = {("active", ""): Access.OPEN, ("inactive", "true"): Access.BARRED}


class ByTmf640(HostConformance):
    @pytest.fixture
    def options(self):
        return {}

    @pytest.fixture
    async def host_under_test(self, options):
        simulator = HostApi(**options)
        await simulator.start()
        adapter = Tmf640("host", simulator.url, timeout=PATIENCE, poll=0.01)

        def hold():
            live = [service for service in simulator.services.values() if service["state"] != TERMINATED]
            return {characteristic(service, "imsi"): held(service) for service in live}

        async def break_connection():
            await simulator.stop()
            await simulator.start()

        yield SimpleNamespace(host=adapter, hold=hold, break_connection=break_connection)
        await adapter.close()
        await simulator.stop()
        assert max(simulator.inventory.effects.values(), default=1) == 1


def held(service):
    access = ACCESS[service["state"], characteristic(service, "suspended")]
    return Condition(access, characteristic(service, "msisdn") or None)


class TestAnsweringAtOnce(ByTmf640):
    pass


class TestDeletingNothing(ByTmf640):
    @pytest.fixture
    def options(self):
        return {"deletes": False}


class TestAnsweringLater(ByTmf640):
    @pytest.fixture
    def options(self):
        return {"mode": Mode.ASYNC, "work_seconds": 0.02}


class TestAnsweringLaterWithTheMonitorInTheBody(ByTmf640):
    @pytest.fixture
    def options(self):
        return {"mode": Mode.ASYNC, "work_seconds": 0.0, "tell": Tell.BODY, "deletes": False}
