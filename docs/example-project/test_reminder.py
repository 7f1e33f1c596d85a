"""The shop's texts reach a handset; a wrong password does not get in."""

import pytest
import smpplib.exceptions
from reminder import send

from simulators.background import BackgroundSmsc


@pytest.mark.simulated_smsc(password="secret", delivery_seconds=0.0)  # noqa: S106  (a simulated one)
def test_a_reminder_reaches_the_handset(simulated_smsc: BackgroundSmsc) -> None:
    """What was sent is what the customer reads."""
    assert send(simulated_smsc.host, simulated_smsc.port, "447700900101", "Your SIM is on its way")
    assert simulated_smsc.expect("447700900101", "on its way").source == "70070"


@pytest.mark.simulated_smsc(password="other")  # noqa: S106  (a simulated one)
def test_a_wrong_password_is_refused(simulated_smsc: BackgroundSmsc) -> None:
    """Nothing is sent then."""
    with pytest.raises(smpplib.exceptions.PDUError):
        send(simulated_smsc.host, simulated_smsc.port, "447700900101", "Hello")
    assert simulated_smsc.heard("447700900101") == []
