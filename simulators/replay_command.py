"""`tpo replay`: a captured host side, sent through a gateway once more."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from simulators.exit import ExitCode, fail

if TYPE_CHECKING:
    from simulators.replay import Plan, Step

app = typer.Typer(rich_markup_mode=None, add_completion=False)
PROGRESS = 100
"""Steps between two words of progress."""


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.pcap", help="A file of `tpo trace`, or of tcpdump (pcap or pcapng).")
    ],
    *,
    gateway: Annotated[str, typer.Option(help="HOST:PORT where the gateway listens for Diameter.")] = "127.0.0.1:3868",
    smsc_listen: Annotated[
        str, typer.Option(help="HOST:PORT where we wait for the gateway's SMPP link, as its message centre.")
    ] = "127.0.0.1:2775",
    identity: Annotated[str | None, typer.Option(help="Our DiameterIdentity; else the captured one.")] = None,
    realm: Annotated[str | None, typer.Option(help="Our realm; else the captured one.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="New sessions, as of now; else a gateway that knows them charges nothing.")
    ] = False,
    pace: Annotated[float, typer.Option(min=0, help="Seconds that a captured second takes; 0: no waiting.")] = 0.0,
    patience: Annotated[
        float, typer.Option(min=0.1, help="Seconds to wait for the gateway, and for each answer.")
    ] = 10.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Send what a host sent once more: its charging requests and its texts in; and compare the answers with the captured ones.

    Take the capture with --show-content: a masked one names nobody. Never replay to the gateway that serves customers with
    --fresh: they would pay. Exits with 0 if all is answered as it was, 75 if something is not, 69 if the gateway is not there.

    \b
    Examples:
      tpo replay pgw.pcap --dry-run
      tpo replay pgw.pcap --gateway 127.0.0.1:13868
      tpo replay monday.pcap --fresh --pace 1 --json
    """
    from simulators.captures import CaptureUnreadable, read  # noqa: PLC0415  (`tpo --help` starts faster)
    from simulators.commands import address  # noqa: PLC0415  (as above)
    from simulators.replay import Masked, Replay, Unreachable, plan  # noqa: PLC0415  (as above)

    try:
        capture = read(file)
        found = plan(capture.messages)
    except CaptureUnreadable as error:
        fail(str(error), to_do="give a file of `tpo trace start --pcap`, or of tcpdump")
    except Masked:
        fail(
            "this capture is masked: it names nobody",
            where=str(file),
            to_do="take one with `tpo trace start --show-content`",
        )
    for problem in capture.problems:
        sys.stderr.write(f"tpo: {problem}\n")
    if not found.steps:
        what = f"{len(capture.messages)} messages of SMPP and Diameter, and no charging request or text in of a host among them"
        fail(what, where=str(file))
    found.origin_host, found.origin_realm = identity or found.origin_host, realm or found.origin_realm
    if not dry_run:
        work = Replay(
            found,
            gateway=address(gateway),
            smsc=address(smsc_listen, "--smsc-listen"),
            fresh=fresh,
            pace=pace,
            patience=patience,
            told=_progress(len(found.steps)),
        )
        try:
            asyncio.run(work.run())
        except Unreachable as error:
            fail(str(error), to_do="see that the gateway runs and knows us", exit_code=ExitCode.UNREACHABLE)
        except OSError as error:
            fail(
                f"cannot listen for the link: {error.strerror or error}",
                where=smsc_listen,
                to_do="choose a --smsc-listen",
            )
    _report(found, capture.problems, sent=not dry_run, as_json=as_json)


def _progress(steps: int) -> Any:  # noqa: ANN401  (a callback)
    done = 0

    def told(_step: Step) -> None:
        nonlocal done
        done += 1
        if done % PROGRESS == 0 or done == steps:
            sys.stderr.write(f"{done} of {steps} sent\n")

    return told


def _report(found: Plan, problems: list[str], *, sent: bool, as_json: bool) -> None:
    steps = found.steps
    same = sum(step.same for step in steps)
    told = [_told(step) for step in steps if not sent or not step.same]
    if as_json:
        report = {"steps": len(steps), "sent": sent, "same": same, "problems": problems, "rows": told}
        sys.stdout.write(f"{json.dumps(report, indent=2)}\n")
    else:
        for row in told:
            then, now = (_word(row[name]) for name in ("then", "now"))
            sys.stdout.write(
                f"{row['what']}: then {then}" + (f", now {now} {row['detail']}".rstrip() if sent else "") + "\n"
            )
        verdict = f"{same} answered as then" if sent else "nothing was sent"
        sys.stdout.write(f"{len(steps)} requests as {found.origin_host}: {verdict}\n")
    if sent and same != len(steps):
        raise typer.Exit(ExitCode.PARTLY_DONE)


def _told(step: Step) -> dict[str, Any]:
    return {"protocol": step.protocol, "what": step.what, "then": step.then, "now": step.now, "detail": step.detail}


def _word(result: int | None) -> str:
    return "not answered" if result is None else str(result)
