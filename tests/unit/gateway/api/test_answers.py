"""Answers as the interface has them: the names of their JSON fields and the order in which those are written are fixed."""

import msgspec
import pytest

from gateway.api import answers, row_answers
from gateway.api.problems import ProblemBody
from gateway.balance.queries import SubscriberView
from gateway.charging.review import HeldReport
from gateway.charging.usage_export import UsageRecord
from gateway.charging.views import GrantView, GroupView, SessionRow, SessionView
from gateway.concerns import Concern
from gateway.events.forwarder_state import ForwarderState
from gateway.events.queries import OutboxEvent
from gateway.ledger.journal import JournalEntry
from gateway.messaging.queries import TextRow, TextView
from gateway.sims.views import HistoryEntry, OrderRow, OrderView, SimRow, SimView, StepView

CARD = "iccid state suspended_for imsi msisdn plan host observed observed_at order updated_at"
ORDER = "id kind state iccid msisdn host actor undoing error created_at updated_at due_at"
SESSION = (
    "id session_id state service subscriber_id msisdn peer origin_host opened_at updated_at expires_at reserved currency "
    "node"
)
TEXT = "id state from to link accepted_at updated_at valid_until error maybe_double refused"
USAGE = "event_time msisdn imsi session_id service rating_group octets seconds units price currency record_id"
HELD = (
    "id state reason arrived_at event_time msisdn imsi session_id service rating_group octets seconds units peer "
    "decided_at decided_by note record_id"
)
LINK = (
    "name state since address system_id waiting unanswered paused_until retry_at wanted suspended congestion_state "
    "counters unmatched_receipts node"
)
PEER = (
    "identity realm state watchdog since address outstanding pending requests_in answers_out requests_out answers_in "
    "rejected dropped"
)
TRACE = "id subject state since until ended messages missed content pcap by node"

LATER = {"unknown", "concerns", "backup", "node", "others", "silent", "concern", "subject", "restarts"}
"""Fields that an answer of a gateway that was not restarted yet leaves out."""


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            SubscriberView,
            "subscriber_id msisdn imsi iccid plan status balance reserved currency causes open_sessions plan_version tax",
        ),
        (answers.NodeProblem, "node code detail"),
        (answers.Links, "rows silent"),
        (answers.TraceSeen, "trace rows silent"),
        (answers.ImportedRow, "outcome subscriber_id message"),
        (answers.ToppedUp, "subscriber_id balance currency repeated"),
        (UsageRecord, USAGE),
        (
            HeldReport,
            HELD,
        ),
        (row_answers.UsagePage, "columns rows next"),
        (answers.HeldReportDecided, "id state record_id price currency"),
        (row_answers.BooksChecked, "ok entries wallets accruals findings unknown"),
        (answers.AccountBalance, "account currency balance"),
        (JournalEntry, "id at kind debit credit amount currency event_at record_id base policy share reference"),
        (OutboxEvent, "id topic written_at published_at event"),
        (SimRow, CARD),
        (SimView, f"{CARD} eid keys subscriber_id created_at free_at"),
        (HistoryEntry, "at trigger before after actor reason order amended"),
        (OrderRow, ORDER),
        (OrderView, f"{ORDER} plan reason new_iccid adopt returning steps"),
        (StepView, "name mark attempts at error found"),
        (answers.OrderTaken, "order state repeated iccid"),
        (answers.OrderRowTaken, "order state code message"),
        (answers.OrderTakenOverHttp, "id state kind iccid"),
        (SessionRow, SESSION),
        (SessionView, f"{SESSION} realm closed_at last_request_number terminated groups"),
        (GroupView, "rating_group used of_bundle grants"),
        (GrantView, "service_identifiers granted of_bundle reserved"),
        (answers.SessionReply, "id session_id peer request result result_code detail closed node"),
        (TextRow, TEXT),
        (TextView, f"{TEXT} parts"),
        (answers.TakenText, "id reference state"),
        (answers.TraceRow, TRACE),
        (answers.StartedTrace, f"{TRACE} known others silent"),
        (answers.TraceMessage, "number at way protocol name what sequence status numbers node"),
        (answers.LinkView, LINK),
        (answers.PeerView, PEER),
        (answers.LaneView, "waiting batches units poisoned expired failed_batches unknown restarts"),
        (ForwarderState, "connected connected_since waiting oldest_waiting published last_error"),
        (
            answers.GatewayStatus,
            "state drain node since ready traces lane peers events hosts concerns others silent backup",
        ),
        (answers.BackupView, "folder safe_until behind trouble"),
        (answers.HostView, "name reachable trouble"),
        (answers.DrainState, "left seconds over"),
        (answers.DrainLeft, "sessions texts orders"),
        (answers.Health, "ok checks concerns"),
        (Concern, "id words severity runbook concern subject since"),
        (answers.Cause, "id name country regulator number open statement"),
        (ProblemBody, "type title status code detail"),
        (answers.UndecodableMessage, "at protocol name reason octets message node"),
    ],
)
def test_the_fields_of_an_answer_stand_in_the_order_of_the_interface(kind, names):
    assert [field.encode_name for field in msgspec.structs.fields(kind)] == names.split()
    later = LATER | ({"since"} if kind is Concern else set())
    assert all(field.required for field in msgspec.structs.fields(kind) if field.name not in later)
