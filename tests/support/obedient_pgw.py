"""A client of python-diameter's that does what the gateway asks of it."""

import queue
import threading

from support.python_diameter_pgw import INITIAL, TERMINATION, UPDATE, TheirPgw, service

RAR, ASR = 258, 274


class ObedientPgw(TheirPgw):
    """A PGW of python-diameter's that answers RAR and ASR as `results` says, and then reports as it should."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.results = {RAR: 2002, ASR: 2001}
        self.asked = queue.Queue()
        """(the request, the answer to the report that followed)."""
        self.numbers = {}
        self.imsis = {}
        self.application.handle_request = self._take
        self.application.receive_request = self._take

    def open(self, imsi):
        """CCR-I; gives the Session-Id."""
        session_id = self.session_id()
        self.numbers[session_id], self.imsis[session_id] = 0, imsi
        answer = self.ask(self.ccr(session_id, INITIAL, 0, [service(10)], imsi=imsi))
        assert answer.result_code == 2001
        return session_id

    def _take(self, request):
        answer = request.to_answer()
        answer.session_id = request.session_id
        answer.origin_host, answer.origin_realm = self.host.encode(), self.realm.encode()
        answer.result_code = self.results[request.header.command_code]
        self.application.send_answer(answer)
        if answer.result_code >= 3000:
            self.asked.put((request, None))
        else:
            threading.Thread(target=self._report, args=(request,), daemon=True).start()

    def _report(self, request):
        session_id = request.session_id
        self.numbers[session_id] += 1
        kind = UPDATE if request.header.command_code == RAR else TERMINATION
        report = self.ccr(
            session_id,
            kind,
            self.numbers[session_id],
            [service(10, [(900_000, 100_000)], ask=kind == UPDATE)],
            imsi=self.imsis[session_id],
        )
        self.asked.put((request, self.ask(report)))
