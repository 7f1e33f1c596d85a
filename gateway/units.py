"""Every kind of unit that the gateway posts to its write lane, so that the lane's process can read it."""

from typing import Any, Final, Union

from gateway.balance.added_taxes import BookAddedTax, FinishAddedTaxes, OpenTaxAccounts
from gateway.balance.changes import ChooseCauses
from gateway.balance.families import SetPayer
from gateway.balance.gift_aid import CancelGiftAid, DeclareGiftAid
from gateway.balance.gift_erasure import ForgetGifts
from gateway.balance.gift_units import CompleteGift, MakeGift, WithdrawGift
from gateway.balance.line_terms import SetCreditLimit, SetRenewal
from gateway.balance.opening_balances import Enrol
from gateway.balance.preferences import SetPreferences
from gateway.balance.promotions import GivePromotion
from gateway.balance.refunds import RefundUsage
from gateway.balance.tax_areas import SetTaxArea
from gateway.balance.topups import TopUp
from gateway.billing.closing import BeginClose, FinishClose, ReopenMonth, WriteBills
from gateway.billing.dunning import StepDunning
from gateway.billing.packs.samples import TellBills
from gateway.billing.payments import PayBill, TakeBack
from gateway.charging.add_ons import BuyAddOn
from gateway.charging.credit_control import CreditControlUnit
from gateway.charging.plan_changes import AgreeToPrices
from gateway.charging.renewals import KeepWallet
from gateway.charging.rerate import RerateSession
from gateway.charging.rerate_caps import RerateLine
from gateway.charging.rerate_sales import RerateSale
from gateway.charging.review import BookReport, DropReport
from gateway.charging.session_expiry import AwaitEnd, CloseLost, ExpireSession
from gateway.charity.bank_details import ApproveDetails, ProposeDetails
from gateway.charity.bank_matching import SettleFile
from gateway.charity.closed_causes import KeepClosed
from gateway.charity.confirmation import ConfirmMonth, ReleaseConfirmed
from gateway.charity.payouts import ApprovePayout, MakePayout
from gateway.charity.profit_share import BookProfitShare
from gateway.charity.publication import PublishMonth
from gateway.charity.receipts import BookReceipt
from gateway.charity.register import ImportRegister
from gateway.context import OpenAccounts
from gateway.events.outbox_queue import MarkPublished
from gateway.fraud.cases import ClearCase
from gateway.ledger.seals import WriteSeal
from gateway.ledger.tax_days import BookTaxDay
from gateway.messaging.inbound.delivery_receipts import RecordReceipts
from gateway.messaging.inbound.mo_delivery import TakeArrival
from gateway.messaging.inbound.unfinished import EndUnfinished
from gateway.messaging.queue.crossed_receipts import SettleCrossed
from gateway.messaging.queue.mt_status import RecordOutcomes, TakeForSending
from gateway.messaging.queue.query_sm import RecordFinding
from gateway.messaging.queue.sms_expiry import ExpireTexts
from gateway.messaging.retention import SweepMessaging
from gateway.messaging.submit import AcceptTexts
from gateway.notices.choice_questions import AskChoosers
from gateway.notices.limit_changes import AgreeToExceed, SetBillLimit
from gateway.privacy.access import RecordAccess
from gateway.sims.accept_order import AcceptOrder, CheckOrder
from gateway.sims.amendments import AmendSim, ScrapSim
from gateway.sims.bulk_import import ImportSim
from gateway.sims.erasure import EraseSubscriber
from gateway.sims.line_effects import Bar, Close, Enable, End, Notify, Renumber, Replace, Replan, Retire, Unbar
from gateway.sims.order_steps import BeginStep, CancelOrder, DeclineStep, EndStep, PostponeStep, RefuseStep, RetryOrder
from gateway.sims.reconciliation import RecordObserved
from gateway.sims.subscriber_changes import ChangeNumber, ChangePlan
from gateway.store.keep_months import KeepMonths
from gateway.store.log_sync import AwaitDurable
from gateway.store.node_requests import AnswerNode, AskNode, CloseRequests
from gateway.store.probe import Probe
from gateway.store.recovery.changes import NoteBackup, TakeChanges
from gateway.store.sealed_months.units import DropUsage, RemoveSealed, SealMonth
from gateway.store.sweeper import Sweep
from gateway.store.takeover import AdoptNode, RenewLease, RetireNodes
from gateway.store.versions import BeginVersions, PrepareVersions

UNITS: Final = (
    AcceptOrder,
    AcceptTexts,
    AdoptNode,
    AgreeToExceed,
    AmendSim,
    AnswerNode,
    ApproveDetails,
    ApprovePayout,
    AskChoosers,
    AskNode,
    AwaitDurable,
    AgreeToPrices,
    AwaitEnd,
    Bar,
    BeginClose,
    BeginStep,
    BeginVersions,
    BookAddedTax,
    BookProfitShare,
    BookReceipt,
    BookReport,
    BookTaxDay,
    BuyAddOn,
    CancelGiftAid,
    CancelOrder,
    ChangeNumber,
    ChangePlan,
    CheckOrder,
    ChooseCauses,
    ClearCase,
    Close,
    CloseLost,
    CloseRequests,
    ConfirmMonth,
    CompleteGift,
    CreditControlUnit,
    DeclareGiftAid,
    DeclineStep,
    DropReport,
    DropUsage,
    Enable,
    End,
    EndStep,
    Enrol,
    EraseSubscriber,
    EndUnfinished,
    ExpireSession,
    ExpireTexts,
    FinishClose,
    FinishAddedTaxes,
    ForgetGifts,
    GivePromotion,
    ImportRegister,
    ImportSim,
    KeepClosed,
    KeepMonths,
    KeepWallet,
    MakePayout,
    MakeGift,
    MarkPublished,
    NoteBackup,
    Notify,
    OpenAccounts,
    PayBill,
    OpenTaxAccounts,
    PostponeStep,
    PrepareVersions,
    Probe,
    ProposeDetails,
    PublishMonth,
    RecordAccess,
    RecordFinding,
    RecordObserved,
    RecordOutcomes,
    RecordReceipts,
    RefundUsage,
    RefuseStep,
    ReleaseConfirmed,
    RemoveSealed,
    RenewLease,
    Renumber,
    ReopenMonth,
    Replace,
    Replan,
    RerateSale,
    RerateLine,
    RerateSession,
    Retire,
    RetireNodes,
    RetryOrder,
    ScrapSim,
    SealMonth,
    SetBillLimit,
    SetCreditLimit,
    SetPayer,
    SetRenewal,
    SetPreferences,
    SetTaxArea,
    SettleCrossed,
    SettleFile,
    StepDunning,
    Sweep,
    SweepMessaging,
    TakeArrival,
    TakeBack,
    TakeChanges,
    TakeForSending,
    TellBills,
    TopUp,
    Unbar,
    WriteBills,
    WriteSeal,
    WithdrawGift,
)
ANY_UNIT: Final[Any] = Union[UNITS]  # noqa: UP007  (made of a tuple)
