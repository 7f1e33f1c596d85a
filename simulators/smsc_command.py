"""`tpo simulate smsc`: a message centre of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from simulators.standalone import chosen, run_alone, scenario_of


def smsc(
    ctx: typer.Context,
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
    scenario: Annotated[
        Path | None,
        typer.Option(help="YAML: handsets, rate, receipts and faults over time (`smsc`); docs/simulators.md."),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same faults again.")] = 1,
    control: Annotated[int | None, typer.Option(min=0, max=65535, help="A port to steer it by, on loopback.")] = None,
    duration: Annotated[float, typer.Option(min=0, help="End after so many seconds; 0: at Ctrl-C.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run a message centre (SMPP) with customers' handsets behind it, and tell at the end what it took and delivered.

    Handsets answer YES to whoever asks for it, unless --answer says otherwise. Faults: throttled, queue-full, refused,
    dropped, dropped-after, no-response, late-response, slow, reordered, unbind, receipt-early, receipt-doubled,
    receipt-lost, receipt-unknown, undeliverable. An option that is given beats the scenario.

    \b
    Examples:
      tpo simulate smsc
      tpo simulate smsc --text "447700900101=GIVE WATERAID 5" --receipt-ids decimal
      tpo simulate smsc --faults throttled=0.05,receipt-early=0.1 --seed 7 --control 8641 --json
    """
    from protocols.smpp.receipts import IdForm  # noqa: PLC0415  (`tpo --help` starts faster)
    from simulators.control import Control  # noqa: PLC0415  (as above)
    from simulators.fault_rates import FaultsUnreadable  # noqa: PLC0415  (as above)
    from simulators.handsets import YES, AnswersUnreadable, read_answers  # noqa: PLC0415  (as above)
    from simulators.smsc import Smsc  # noqa: PLC0415  (as above)
    from simulators.smsc_faults import SmscFaults, read_smsc_faults  # noqa: PLC0415  (as above)

    asked = scenario_of(scenario)
    receipt_ids = chosen(ctx, "receipt_ids", receipt_ids, scenario, asked.smsc.receipt_ids)
    seed = chosen(ctx, "seed", seed, scenario, asked.seed)
    forms = ("string", "hex", "decimal")
    if receipt_ids not in forms:
        raise typer.BadParameter(f"{receipt_ids!r} is none of {', '.join(forms)}", param_hint="--receipt-ids")
    try:
        drawn = SmscFaults(read_smsc_faults(faults), seed)
    except FaultsUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    try:
        said = read_answers(texts or [])
        answering = read_answers(answers) if answers else YES
    except AnswersUnreadable as error:
        raise typer.BadParameter(str(error), param_hint="--text or --answer") from None

    def smsc() -> Smsc:
        found = Smsc(
            host=host,
            port=port,
            password=password,
            rate=chosen(ctx, "rate", rate, scenario, asked.smsc.rate),
            delivery_seconds=chosen(ctx, "delivery", delivery, scenario, asked.smsc.delivery),
            receipt_ids=IdForm(receipt_ids),
            answers=chosen(ctx, "answers", answering, scenario, asked.handsets.answers),
            answer_seconds=chosen(ctx, "answer_after", answer_after, scenario, asked.handsets.seconds),
            faults=drawn,
            seed=seed,
        )
        for number, words in said.items():
            found.text_in(number, code, words)
        return found

    run_alone(
        smsc,
        lambda found: Control(found.summary, smsc=found),
        asked,
        "smsc",
        control_port=control,
        duration=chosen(ctx, "duration", duration, scenario, asked.duration),
        where=lambda found: f"{host}:{found.port or port}",
        what="SMSC",
        as_json=as_json,
    )
