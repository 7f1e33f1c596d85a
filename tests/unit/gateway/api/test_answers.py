"""Answers as the interface has them: the names of their JSON fields and the order in which those are written are fixed."""

import msgspec
import pytest

from gateway.api.answers import rows as row_answers
from gateway.api.answers.charity import Cause
from gateway.api.answers.ledger import AccountBalance
from gateway.api.answers.nodes import (
    BackupView,
    DrainLeft,
    DrainState,
    GatewayStatus,
    Health,
    HostView,
    LaneView,
    NodeProblem,
    PeerView,
)
from gateway.api.answers.orders import OrderRowTaken, OrderTaken, OrderTakenOverHttp
from gateway.api.answers.sessions import SessionReply
from gateway.api.answers.subscribers import ImportedRow, ToppedUp
from gateway.api.answers.texts import Links, LinkView, TakenText
from gateway.api.answers.traces import StartedTrace, TraceMessage, TraceRow, TraceSeen, UndecodableMessage
from gateway.api.answers.usage import HeldReportDecided
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
            "subscriber_id msisdn imsi iccid plan status balance reserved currency causes open_sessions plan_version tax payer",
        ),
        (NodeProblem, "node code detail"),
        (Links, "rows silent"),
        (TraceSeen, "trace rows silent"),
        (ImportedRow, "outcome subscriber_id message"),
        (ToppedUp, "subscriber_id balance currency repeated"),
        (UsageRecord, USAGE),
        (
            HeldReport,
            HELD,
        ),
        (row_answers.UsagePage, "columns rows next"),
        (HeldReportDecided, "id state record_id price currency"),
        (row_answers.BooksChecked, "ok entries wallets accruals findings unknown"),
        (AccountBalance, "account currency balance"),
        (JournalEntry, "id at kind debit credit amount currency event_at record_id base policy share reference"),
        (OutboxEvent, "id topic written_at published_at event"),
        (SimRow, CARD),
        (SimView, f"{CARD} eid keys subscriber_id created_at free_at"),
        (HistoryEntry, "at trigger before after actor reason order amended"),
        (OrderRow, ORDER),
        (OrderView, f"{ORDER} plan reason new_iccid adopt returning steps"),
        (StepView, "name mark attempts at error found"),
        (OrderTaken, "order state repeated iccid"),
        (OrderRowTaken, "order state code message"),
        (OrderTakenOverHttp, "id state kind iccid"),
        (SessionRow, SESSION),
        (SessionView, f"{SESSION} realm closed_at last_request_number terminated groups"),
        (GroupView, "rating_group used of_bundle grants"),
        (GrantView, "service_identifiers granted of_bundle reserved"),
        (SessionReply, "id session_id peer request result result_code detail closed node"),
        (TextRow, TEXT),
        (TextView, f"{TEXT} parts"),
        (TakenText, "id reference state"),
        (TraceRow, TRACE),
        (StartedTrace, f"{TRACE} known others silent"),
        (TraceMessage, "number at way protocol name what sequence status numbers node"),
        (LinkView, LINK),
        (PeerView, PEER),
        (LaneView, "waiting batches units poisoned expired failed_batches unknown restarts"),
        (ForwarderState, "connected connected_since waiting oldest_waiting published last_error"),
        (
            GatewayStatus,
            "state drain node since ready traces lane peers events hosts concerns others silent backup",
        ),
        (BackupView, "folder safe_until behind trouble"),
        (HostView, "name reachable trouble"),
        (DrainState, "left seconds over"),
        (DrainLeft, "sessions texts orders"),
        (Health, "ok checks concerns"),
        (Concern, "id words severity runbook concern subject since"),
        (Cause, "id name country regulator number open statement"),
        (ProblemBody, "type title status code detail"),
        (UndecodableMessage, "at protocol name reason octets message node"),
    ],
)
def test_the_fields_of_an_answer_stand_in_the_order_of_the_interface(kind, names):
    assert [field.encode_name for field in msgspec.structs.fields(kind)] == names.split()
    later = LATER | ({"since"} if kind is Concern else set())
    assert all(field.required for field in msgspec.structs.fields(kind) if field.name not in later)
