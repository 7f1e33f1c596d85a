"""An example: a shop's own client of an activation API (TMF640). Its tests run it against the simulated host."""

import json
import urllib.error
import urllib.request

ATTEMPTS = 3


def activate(url: str, iccid: str, msisdn: str, order: str) -> str:
    """Activate a line and give the id of the service; the same order id again, so that a lost answer does no harm."""
    body = {
        "state": "active",
        "serviceSpecification": {"id": "mobile-line"},
        "serviceCharacteristic": [{"name": "iccid", "value": iccid}, {"name": "msisdn", "value": msisdn}],
        "supportingResource": [{"id": iccid}],
        "serviceOrderItem": [{"serviceOrderId": order}],
    }
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _post(f"{url}/service", body)
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == ATTEMPTS:
                raise
        except OSError:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError


def _post(url: str, body: object) -> str:
    data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310  (an address of our own)
    with urllib.request.urlopen(request, timeout=1) as answer:  # noqa: S310  (as above)
        told: dict[str, str] = json.load(answer)
        return told["id"]
