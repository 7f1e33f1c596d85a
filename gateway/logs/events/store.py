"""Log events of the store, its backup and sealed months, leases and takeovers."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "store.schema.newer": LogEvent(
        "info",
        "The store was upgraded by a later program to `version`; this one, made for version `program`, may go on with it.",
        "Nothing, if gateways are being upgraded one by one or the program was rolled back; else install the later program.",
    ),
    "store.backup.copied": LogEvent(
        "info",
        "A whole copy of the store is in the backup's `folder`, of so many `octets`; from now on what changes is added to it.",
        "Nothing.",
    ),
    "store.backup.broken": LogEvent(
        "warning",
        "What changed cannot be added to the backup any more, `detail` says why; a new one begins with a whole copy.",
        "Nothing, if a program made a checkpoint by hand. Else see that the folder's disk keeps up.",
    ),
    "store.backup.failed": LogEvent(
        "warning",
        "A whole copy, or what was committed last, could not be written to the backup's folder; `detail` says why.",
        "See docs/runbooks/backup-behind.md. A copy is tried again after a minute.",
    ),
    "store.month.made": LogEvent(
        "info", "A month's `partition` of the journal or of usage is there, before the month begins.", "Nothing."
    ),
    "store.month.dropped": LogEvent(
        "info",
        "A `partition` of usage, or a sealed month's file of it, went as a whole: all of it is past `retention.usage`.",
        "Nothing.",
    ),
    "store.month.sealed": LogEvent(
        "info",
        "A month that is over, `period`, stands in files of its own now, of `octets` together; its rows leave the store next.",
        "Nothing.",
    ),
    "store.month.moved": LogEvent(
        "info",
        "The last of a sealed month's rows has left the store, of `rows` since the gateway was started.",
        "Nothing.",
    ),
    "store.sealed.copied": LogEvent("info", "A sealed month's `file` is in the backup's folder.", "Nothing."),
    "store.sealed.missing": LogEvent(
        "error",
        "A sealed month's `file` is not there, or not whole: reports that need it fail, and `tpo ledger check` names it.",
        "See docs/runbooks/sealed-months.md: put it back from a backup.",
    ),
    "store.sealing.failed": LogEvent(
        "warning",
        "A month could not be sealed, copied to the backup or moved out of the store, `detail` says why; it is tried again "
        "each minute, and the store keeps its rows until then.",
        "See docs/runbooks/sealed-months.md.",
    ),
    "store.month.missing": LogEvent(
        "warning",
        "Rows are in the default partition, `table`: they are of months that no partition is there for.",
        "See that the clocks of the gateways are right. The rows count in everything, and move when their month is made.",
    ),
    "store.month.put_off": LogEvent(
        "warning",
        "For an hour no month of this `table` could be made or dropped: a report reads it, or it belongs to another user.",
        "End the report (pg_stat_activity), or make the user of `store.url` the owner of `transfers`, `usage` and their parts.",
    ),
    "store.months.waiting": LogEvent(
        "warning",
        "A server's `table` is too large to be divided into months by itself; it goes on as one.",
        "Run `tpo db partition` beside the gateway, at a quiet time: docs/sizing.md.",
    ),
    "store.unit.poisoned": LogEvent(
        "error",
        "One unit of work can't be stored; it alone was refused, the others of its batch were done.",
        "Report it with its `detail`: this is our fault, not the peer's.",
        per_message=True,
    ),
    "store.stalled": LogEvent(
        "error",
        "The store does not come back from a batch: requests that waited for it past their deadline were answered 3004, or had "
        "their connections closed where the commit had begun.",
        "Look at the disk, or at the database server: it hangs, or another program holds its locks.",
    ),
    "store.lane.ended": LogEvent(
        "error",
        "The process of the write lane has ended by surprise (`exit_code`, negative for a signal). Connections of peers with "
        "one of its `units` were closed, so that they ask again; what comes is refused until it is back.",
        "docs/runbooks/lane-restarts.md: see who killed it (the kernel, short of memory?), or report it with the lines before.",
    ),
    "store.lane.back": LogEvent(
        "warning",
        "The write lane has a process again; `restarts` counts since the start.",
        "Nothing, if it stays the only time: docs/runbooks/lane-restarts.md.",
    ),
    "store.lane.lost": LogEvent(
        "critical",
        "The process of the write lane died five times within a minute: the gateway ends; its service manager starts it anew.",
        "docs/runbooks/lane-restarts.md. With `store.lane: thread` it works without that process, and more slowly.",
    ),
    "store.batch.slow": LogEvent(
        "warning",
        "One batch of `units` took longer than a second; its parts stand beside it in milliseconds (docs/metrics.md).",
        "committing, saving, loading: the disk or the server is slow. deciding: the processor is. waiting: a crowd.",
        per_message=True,
    ),
    "store.fenced": LogEvent(
        "critical",
        "Another gateway has taken over what this one worked on, or a second process runs under its name: nothing is committed "
        "any more, and the gateway ends. What it acknowledged is on disk.",
        "See docs/runbooks/node-fenced.md: find out why it gave no sign of life for so long. Its service starts it again.",
    ),
    "node.adopted": LogEvent(
        "warning",
        "This gateway goes on with the texts, orders and events of `nodes`, which gave no sign of life; `shards` says how many "
        "numbers came with it.",
        "See docs/runbooks/node-adopted.md: look at the gateway that is gone.",
    ),
    "node.stalled": LogEvent(
        "warning",
        "A transaction of another gateway (its `numbers` in `tpo node list`) had not gone on for `seconds`, and kept rows from "
        "the others; this one had the server end it. What it was to do was not committed.",
        "Look at that gateway: its process or its machine stands still. See docs/runbooks/node-adopted.md.",
    ),
    "node.renumbered": LogEvent(
        "warning",
        "What this gateway had before its start was taken over by another one (`adopter`) meanwhile, and stays there; it goes "
        "on under a new `number`.",
        "See docs/runbooks/node-fenced.md.",
    ),
    "store.unavailable": LogEvent(
        "error",
        "A batch couldn't be written, and was undone; its requests got no answer or a refusal, and come again.",
        "Look at the disk (full? read-only?) or the database server.",
        per_message=True,
    ),
    "store.corrupt": LogEvent(
        "critical",
        "The store was overwritten: `detail` says what no longer fits. Nothing is read or written until a restart, which first"
        " reads all of the store and refuses to start while it is damaged.",
        "Stop the gateway, keep a copy of all of the store's files, find out who wrote there, and mend or restore the store.",
    ),
    "store.replaced": LogEvent(
        "critical",
        "The store's file, or its log, was removed or replaced while the gateway had it open. Nothing is read or written any"
        " more, not even if it comes back: only a restart looks at what is there.",
        "Put back the file that was there (a removed one is still in /proc/PID/fd while the process lives), then restart.",
    ),
    "store.outcome_unknown": LogEvent(
        "critical",
        "Nobody knows whether a batch was written; nothing was answered, and the peers repeat their requests.",
        "Look at the database server and the network to it. No correction is needed.",
        per_message=True,
    ),
}
