"""An example: a shop's own sender of texts, made with the library smpplib. Its tests run it against the simulated centre."""

import smpplib.client
import smpplib.consts


def send(host: str, port: int, number: str, words: str) -> str:
    """Send a text and give its message id."""
    client = smpplib.client.Client(host, port, timeout=5, allow_unknown_opt_params=True)
    ids: list[str] = []
    client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
    client.connect()
    try:
        client.bind_transmitter(system_id="shop", password="secret")  # noqa: S106  (a simulated one)
        client.send_message(source_addr="70070", destination_addr=number, short_message=words.encode())
        while not ids:
            client.read_once()
        client.unbind()
    finally:
        client.disconnect()
    return ids[0]
