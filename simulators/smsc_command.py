"""`tpo simulate smsc`: a message centre of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulators.ending import fail

if TYPE_CHECKING:
    from simulators.smsc import Smsc


def smsc(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0: any.")] = 2775,
    password: Annotated[str | None, typer.Option(help="What an ESME has to give; left out, any will do.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Texts taken a second, else RTHROTTLED; 0: no limit.")] = 0.0,
    delivery: Annotated[float, typer.Option(min=0, help="Seconds until a text arrives, and its receipt leaves.")] = 0.1,
    receipt_ids: Annotated[
        str, typer.Option(help="How receipts write the message id of the response: string, hex or decimal.")
    ] = "string",
    texts: Annotated[
        list[str] | None, typer.Option("--text", help="NUMBER=WORDS: a customer texts this, once; may be repeated.")
    ] = None,
    code: Annotated[str, typer.Option(help="The short code that --text goes to.")] = "70070",
    answers: Annotated[
        list[str] | None,
        typer.Option("--answer", help="WORDS=ANSWER: what a handset says to a text with these words; may be repeated."),
    ] = None,
    answer_after: Annotated[float, typer.Option(min=0, help="Seconds that a handset takes to answer.")] = 1.0,
    faults: Annotated[str, typer.Option(help="FAULT=PROBABILITY, separated by commas.")] = "",
    seed: Annotated[int, typer.Option(help="The same seed makes the same faults again.")] = 1,
    control: Annotated[int | None, typer.Option(min=0, max=65535, help="A port to steer it by, on loopback.")] = None,
    duration: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: at Ctrl-C.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run a message centre (SMPP) with customers' handsets behind it, and tell at the end what it took and delivered.

    Handsets answer YES to whoever asks for it, unless --answer says otherwise. Faults: throttled, queue-full, refused,
    dropped, dropped-after, no-response, late-response, slow, reordered, unbind, receipt-early, receipt-doubled,
    receipt-lost, receipt-unknown, undeliverable.

    \b
    Examples:
      tpo simulate smsc
      tpo simulate smsc --text "447700900101=GIVE WATERAID 5" --receipt-ids decimal
      tpo simulate smsc --faults throttled=0.05,receipt-early=0.1 --seed 7 --control 8641 --json
    """
    from protocols.smpp.receipts import IdForm  # noqa: PLC0415  (`tpo --help` starts faster)
    from simulators.handsets import YES, AnswersUnreadable, read_answers  # noqa: PLC0415  (as above)
    from simulators.report import lines  # noqa: PLC0415  (as above)
    from simulators.shares import FaultsUnreadable  # noqa: PLC0415  (as above)
    from simulators.smsc import Smsc  # noqa: PLC0415  (as above)
    from simulators.smsc_faults import SmscFaults, read_smsc_faults  # noqa: PLC0415  (as above)

    forms = ("string", "hex", "decimal")
    if receipt_ids not in forms:
        raise typer.BadParameter(f"{receipt_ids!r} is none of {', '.join(forms)}", param_hint="--receipt-ids")
    try:
        chosen = SmscFaults(read_smsc_faults(faults), seed)
    except FaultsUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    try:
        said = read_answers(texts or [])
        answering = read_answers(answers) if answers else YES
    except AnswersUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--text or --answer") from None

    async def serve() -> dict[str, Any]:
        found = Smsc(
            host=host,
            port=port,
            password=password,
            rate=rate,
            delivery_seconds=delivery,
            receipt_ids=IdForm(receipt_ids),
            answers=answering,
            answer_seconds=answer_after,
            faults=chosen,
            seed=seed,
        )
        for number, words in said.items():
            found.text_in(number, code, words)
        await _serve(found, f"{host}:{port}", control, duration)
        return found.summary()

    report = asyncio.run(serve())
    sys.stdout.write(f"{json.dumps(report, indent=2)}\n" if as_json else "".join(f"{x}\n" for x in lines(report)))


async def _serve(found: Smsc, where: str, control_port: int | None, duration: float) -> None:
    """Run it until the end is asked for."""
    from simulators.control import Control  # noqa: PLC0415  (`tpo --help` starts faster)

    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    control = Control(found.summary, smsc=found)
    try:
        await found.start()
        if control_port is not None:
            await control.start(control_port)
    except OSError as error:
        await found.stop()
        fail(f"the SMSC cannot listen: {error.strerror or error}", where=where, to_do="choose a --port, or --control")
    sys.stderr.write(f"the SMSC listens at {where.rpartition(':')[0]}:{found.port}\n")
    if control_port is not None:
        sys.stderr.write(f"it is steered at {control.url}\n")
    sys.stderr.flush()
    if duration:
        loop.call_later(duration, stop.set)
    await stop.wait()
    await control.stop()
    await found.stop()
