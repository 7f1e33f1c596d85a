"""Statements sent to a PostgreSQL server together, by libpq's pipeline mode (PostgreSQL's manual, "Pipeline Mode").

psycopg has a pipeline of its own, which sends each statement as soon as it is there: that costs both sides a system call and a
change of processes for each. Here they leave when rows are wanted, or at the end; each is prepared the first time.
It stands on psycopg's wrapper of libpq (psycopg.org, `pq`), and has rows read by psycopg, in the binary format.
"""

import select
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

from psycopg import Connection
from psycopg.adapt import Transformer
from psycopg.errors import Error, OperationalError, error_from_result
from psycopg.pq import ConnStatus, ExecStatus, Format
from psycopg.pq.abc import PGresult

_DONE: Final = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK, ExecStatus.PIPELINE_SYNC})


class Sent:
    """A statement that is on its way, and what the server gave for it."""

    def __init__(self, pipeline: "ServerPipeline", prepares: str | None = None) -> None:
        """Take the pipeline that it is in, and the text that it only has prepared, if so."""
        self._pipeline, self.prepares = pipeline, prepares
        self.result: PGresult | None = None

    def fetchall(self) -> Sequence[tuple[Any, ...]]:
        """Give all rows, once they are there; raises the first error that the server told of."""
        return self._pipeline.rows_of(self)


class ServerPipeline:
    """What is sent by one connection together: a context, entered once for each time. What it has prepared stays.

    In the block nobody else uses the connection. At its end all is done, or the first error is raised.
    """

    def __init__(self, driver: Connection[Any]) -> None:
        """Take the driver's connection, which prepares nothing by itself: it would take back all, and these, at a ROLLBACK."""
        self._libpq, self._encoding = driver.pgconn, driver.info.encoding
        self._rows = Transformer(driver)
        self._readable, self._ready = select.poll(), select.poll()
        self._readable.register(self._libpq.socket, select.POLLIN)
        self._ready.register(self._libpq.socket, select.POLLIN | select.POLLOUT)
        self._prepared: dict[str, bytes] = {}
        """Names of prepared statements, by the text."""
        self._names = 0
        self._sent: deque[Sent] = deque()
        self.failed: Sent | None = None
        """The first of the block, or of the latest one, that the server refused."""
        self._error: Error | None = None
        self.is_open = False

    def __enter__(self) -> Self:
        """Begin to gather."""
        self._libpq.enter_pipeline_mode()
        self._sent.clear()
        self.failed = self._error = None
        self.is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Have all done; raises the first error where the block had none."""
        self.is_open = False
        try:
            self._libpq.pipeline_sync()
            self._sent.append(Sent(self))
            self._take()
            self._libpq.exit_pipeline_mode()
        except Error as lost:
            self._error = self._error or lost
        if self._error is not None and error is None:
            raise self._error

    def send(self, text: str, values: Sequence[str | int] = ()) -> Sent:
        """Have a statement sent with the rest, its values in the place of each `%s`."""
        name = self._prepared.get(text) or self._prepare(text)
        octets = [str(value).encode(self._encoding) for value in values]
        self._libpq.send_query_prepared(name, octets, result_format=Format.BINARY)
        self._sent.append(Sent(self))
        return self._sent[-1]

    def begin_sending(self) -> None:
        """Send what is gathered as far as the server takes it now: it works on that while the rest is put together."""
        self._libpq.flush()

    def _prepare(self, text: str) -> bytes:
        first, *others = text.split("%s")
        numbered = first + "".join(f"${number}{part}" for number, part in enumerate(others, 1))
        self._names += 1
        name = self._prepared[text] = f"tpo_{self._names}".encode()
        self._libpq.send_prepare(name, numbered.encode(self._encoding))
        self._sent.append(Sent(self, prepares=text))
        return name

    def rows_of(self, sent: Sent) -> Sequence[tuple[Any, ...]]:
        """Give the rows of a statement."""
        if sent.result is None:
            self._libpq.send_flush_request()
            self._take()
        if self._error is not None or sent.result is None:
            raise self._error or OperationalError("the statement was never answered")
        self._rows.set_pgresult(sent.result)
        return self._rows.load_rows(0, sent.result.ntuples, tuple)

    def _take(self) -> None:
        """Send what is gathered, and wait for all of it."""
        libpq, sent, ended = self._libpq, self._sent, False
        while libpq.flush():  # a server that cannot write does not read either
            if any(event & ~select.POLLOUT for _, event in self._ready.poll()):
                libpq.consume_input()
        while sent:
            while libpq.is_busy():
                self._readable.poll()
                libpq.consume_input()
            result = libpq.get_result()
            if result is not None:
                done = sent.popleft()
                done.result = result
                if result.status not in _DONE:
                    self._note(done, result)
            elif ended and libpq.status == ConnStatus.BAD:
                raise OperationalError(libpq.get_error_message())
            ended = result is None  # between two of them, and behind the last

    def _note(self, sent: Sent, result: PGresult) -> None:
        """Note an error, or that a statement was left out after one."""
        if sent.prepares is not None:
            del self._prepared[sent.prepares]
        if self.failed is None:
            error = error_from_result(result, encoding=self._encoding)
            if error.diag.sqlstate is None:  # libpq's own: what the server did is not known, as its answer is lost
                raise error
            self.failed, self._error = sent, error

    def is_left_out(self, sent: Sent) -> bool:
        """Whether it is certain that the server did not come to a statement, since it refused one before."""
        unanswered = sent.result is None or sent.result.status == ExecStatus.PIPELINE_ABORTED
        return unanswered and self.failed is not None
