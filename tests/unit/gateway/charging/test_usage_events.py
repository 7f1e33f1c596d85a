import re

import msgspec
import pytest

from gateway.charging.quota import UsageRecord
from gateway.charging.usage_events import RatedEvents
from gateway.events.times import rfc3339
from gateway.privacy.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(b"a key of a good length for tests")
RECORD = UsageRecord(
    1099511627777, 1767225600250000, 1099511700000, 1099511627700, "data", 10, 8_000_000, 0, 0, 80_000, "GBP", "payg-gb"
)


def told(record):
    return msgspec.json.decode(msgspec.json.encode(RatedEvents("ocs.tpo.example", PSEUDONYMS)(record)))


def test_a_usage_record_is_told_as_a_cloud_event():
    assert told(RECORD) == {
        "specversion": "1.0",
        "id": "1099511627777",
        "source": "/tpo/ocs.tpo.example",
        "type": "org.tpo.usage.rated.v1",
        "time": "2026-01-01T00:00:00.250000Z",
        "subject": PSEUDONYMS.subscriber(1099511700000),
        "datacontenttype": "application/json",
        "data": {
            "record_id": "1099511627777",
            "service": "data",
            "rating_group": 10,
            "octets": 8_000_000,
            "seconds": 0,
            "units": 0,
            "price": "0.08",
            "currency": "GBP",
            "event_time": "2026-01-01T00:00:00.250000Z",
            "plan": "payg-gb",
        },
    }


def test_the_event_names_neither_the_subscriber_nor_the_session():
    text = msgspec.json.encode(told(RECORD)).decode()
    assert "1099511700000" not in text
    assert "1099511627700" not in text
    assert re.fullmatch(r"s1:[a-z2-7]{16}", told(RECORD)["subject"])


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-62135596800000000, "0001-01-01T00:00:00Z"),
        (1767225600000000, "2026-01-01T00:00:00Z"),
        (1709251199999999, "2024-02-29T23:59:59.999999Z"),
    ],
)
def test_times_are_rfc_3339_in_utc(time, text):
    assert rfc3339(time) == text
