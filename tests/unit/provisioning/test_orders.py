"""Orders as sagas: every kind's way, refusals and what they undo, waiting, cancelling, and what no sequence may break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import orders
from provisioning.hosts.interface import Access, Condition
from provisioning.hosts.ownership import Claim
from provisioning.orders import (
    ATTEMPTS,
    DECLINES,
    ERROR_SIZE,
    FIRST_DELAY,
    LAST_DELAY,
    MOVES,
    SAGAS,
    Card,
    GatewayStep,
    HostStep,
    Kind,
    Mark,
    Moment,
    Order,
    OrderRefused,
    OrderRequest,
    OrderState,
    Wanted,
    can_undo,
    cancel,
    decline,
    next_move,
    postpone,
    refuse,
    retry,
    steps_of,
    succeed,
)

NOW = 1_700_000_000_000_000
NOTHING = b""
SEALED = b"sealed"
OLD, NEW = "8944100000000000001", "8944100000000000002"
FINAL = {OrderState.DONE, OrderState.COMPENSATED, OrderState.CANCELLED}


def opened(kind, *, reasons_left=False):
    steps = steps_of(kind, reasons_left=reasons_left)
    request = OrderRequest(msisdn="447700900001", new_iccid=NEW if kind is Kind.SWAP else "")
    return Order(7, 1, kind, OLD, "lab", OrderState.ACCEPTED, "test", request, steps, False, NOW, NOW, NOW)


def begin(order, move, now, before=NOTHING):
    """Write down that a step is about to be sent, to a host that held nothing."""
    return orders.begin(order, move, now, before)


def do(order, end=succeed, *args, **options):
    """Send the next step and end it: (call id, the moment that its end told of)."""
    move = next_move(order)
    begin(order, move, NOW)
    return move.call_id(order), end(order, move, *args, NOW, **options)


def run_to(order, place):
    """Do every step before a place."""
    for _ in range(place):
        do(order)
    assert next_move(order).place == place


def names(order, limit=20):
    """Do what is left; gives the names of the steps, those of undoing with a minus."""
    told = []
    while order.open and (move := next_move(order)) is not None:
        told.append(("-" if move.undo else "") + move.step.name)
        do(order)
        assert len(told) < limit
    return told


# The straight way


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (Kind.ACTIVATE, "host.activate line.enable"),
        (Kind.SUSPEND, "line.bar host.suspend"),
        (Kind.RESUME, "host.resume line.open"),
        (Kind.SWAP, "line.notice host.prepare host.release host.assign line.move"),
        (Kind.TERMINATE, "line.close host.terminate line.end"),
        (Kind.RENUMBER, "host.renumber line.renumber"),
        (Kind.REPLAN, "host.replan line.replan"),
        (Kind.RETIRE, "host.delete line.retire"),
    ],
)
def test_an_order_does_its_steps_one_by_one_and_is_done(kind, steps):
    order = opened(kind)
    assert names(order) == steps.split()
    assert (order.state, order.open) == (OrderState.DONE, False)
    assert {log.mark for log in order.steps} == {Mark.DONE}
    assert next_move(order) is None


@pytest.mark.parametrize("kind", Kind)
def test_only_the_first_step_tells_of_the_beginning_and_only_the_last_of_the_end(kind):
    order = opened(kind)
    begun, ended = [], []
    while (move := next_move(order)) is not None:
        begun.append(begin(order, move, NOW))
        ended.append(succeed(order, move, NOW))
    assert begun == [Moment.BEGUN] + [None] * (len(order.steps) - 1)
    assert ended == [None] * (len(order.steps) - 1) + [Moment.DONE]


@pytest.mark.parametrize("kind", Kind)
def test_a_step_is_written_down_before_it_is_sent(kind):
    order = opened(kind)
    move = next_move(order)
    begin(order, move, NOW + 5)
    log = order.steps[0]
    assert (log.mark, log.attempts, log.at) == (Mark.SENT, 1, NOW + 5)
    assert (order.state, order.updated_at) == (OrderState.RUNNING, NOW + 5)
    assert next_move(order) == move  # until it is done, it is what is to be done


def test_an_order_that_is_being_carried_out_is_due_also_where_the_clock_has_gone_back():
    order = opened(Kind.ACTIVATE)
    begin(order, next_move(order), NOW - 3_600_000_000)
    assert order.due_at == NOW - 3_600_000_000


def test_a_resume_that_leaves_other_reasons_touches_no_host():
    order = opened(Kind.RESUME, reasons_left=True)
    assert names(order) == ["line.open"]
    assert order.state is OrderState.DONE


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.RESUME}))
def test_reasons_that_are_left_change_nothing_for_other_kinds(kind):
    assert steps_of(kind, reasons_left=True) == steps_of(kind)


def test_a_number_is_taken_from_the_old_card_before_the_new_one_gets_it():
    order = opened(Kind.SWAP)
    saga = [step for step in SAGAS[Kind.SWAP] if isinstance(step, HostStep)]
    told = [(step.card, step.wanted.condition("44")) for step in saga]
    assert told == [
        (Card.NEW, Condition(Access.BARRED)),
        (Card.OWN, Condition(Access.BARRED)),
        (Card.NEW, Condition(Access.OPEN, "44")),
    ]
    assert [order.iccid_of(card) for card in (Card.OWN, Card.NEW)] == [OLD, NEW]


def test_a_wanted_condition_has_the_number_only_where_it_is_to_have_it():
    assert Wanted(Access.OPEN, numbered=True).condition("44") == Condition(Access.OPEN, "44")
    assert Wanted(Access.BARRED, numbered=False).condition("44") == Condition(Access.BARRED)


def test_what_a_step_may_find_at_the_host_depends_on_what_it_is_for():
    claims = {step.name: step.claim for saga in SAGAS.values() for step in saga if isinstance(step, HostStep)}
    assert {name for name, claim in claims.items() if claim is Claim.NEW} == {"host.activate", "host.prepare"}
    assert {name for name, claim in claims.items() if claim is Claim.LEFT} == {"host.delete"}


# What the host held before


def test_nothing_is_sent_before_what_the_host_holds_is_on_record():
    order = opened(Kind.ACTIVATE)
    move = next_move(order)
    assert orders.begin(order, move, NOW) is Moment.BEGUN
    assert (order.steps[0].mark, order.steps[0].attempts, order.state) == (Mark.WAITING, 1, OrderState.RUNNING)
    assert cancel(order, NOW) is Moment.COMPENSATED  # nothing was sent, so nothing is to be undone
    assert next_move(order) is None


def test_what_the_host_held_at_first_is_kept_however_often_the_step_is_tried():
    order = opened(Kind.ACTIVATE)
    move = next_move(order)
    orders.begin(order, move, NOW, SEALED, "barred")
    postpone(order, move, "unreachable", NOW)
    orders.begin(order, move, NOW, b"other", "open")
    log = order.steps[0]
    assert (log.before, log.found, log.mark, log.attempts) == (SEALED, "barred", Mark.SENT, 2)


@pytest.mark.parametrize("end", [succeed, refuse, cancel])
def test_what_the_host_held_is_forgotten_at_the_end_but_for_its_words(end):
    order = opened(Kind.ACTIVATE)
    orders.begin(order, next_move(order), NOW, SEALED, "barred")
    if end is cancel:
        cancel(order, NOW)
    elif end is refuse:
        refuse(order, next_move(order), "no", NOW)
    names(order)
    assert (order.open, order.steps[0].before, order.steps[0].found) == (False, None, "barred")


def test_a_failed_order_keeps_what_the_host_held():
    order = opened(Kind.ACTIVATE)
    for _ in range(ATTEMPTS):
        orders.begin(order, next_move(order), NOW, SEALED, "barred")
        postpone(order, next_move(order), "unreachable", NOW)
    assert (order.state, order.steps[0].before) == (OrderState.FAILED, SEALED)


def test_a_step_that_was_not_sent_reads_anew_what_the_host_holds_when_it_is_tried_again():
    order = opened(Kind.SUSPEND)
    run_to(order, 1)
    do(order, refuse, "somebody else's", untouched=True)
    assert (order.state, order.steps[1].before) == (OrderState.FAILED, None)


# Refusals


REFUSALS = [
    (Kind.RENUMBER, 0, ["-host.renumber"]),
    (Kind.REPLAN, 0, ["-host.replan"]),
    (Kind.ACTIVATE, 0, ["-host.activate"]),
    (Kind.RESUME, 0, ["-host.resume"]),
    (Kind.SWAP, 1, ["-host.prepare"]),
    (Kind.SWAP, 2, ["-host.release", "-host.prepare"]),
    (Kind.SWAP, 3, ["-host.assign", "-host.release", "-host.prepare"]),
]


@pytest.mark.parametrize(("kind", "place", "undone"), REFUSALS)
def test_a_refusal_undoes_what_was_done_the_last_first_and_each_once(kind, place, undone):
    order = opened(kind)
    run_to(order, place)
    assert do(order, refuse, "no") == (f"7.{place}", None)
    assert order.undoing
    assert names(order) == undone
    assert order.state is OrderState.COMPENSATED
    assert order.steps[place].error == "no"
    assert next_move(order) is None


@pytest.mark.parametrize(("kind", "place", "undone"), REFUSALS)
def test_a_refusal_of_a_card_that_is_somebody_elses_leaves_that_card_alone(kind, place, undone):
    order = opened(kind)
    run_to(order, place)
    _, moment = do(order, refuse, "other line", untouched=True)
    assert moment is (Moment.COMPENSATED if len(undone) == 1 else None)
    assert names(order) == undone[1:]
    assert (order.state, order.steps[place].mark) == (OrderState.COMPENSATED, Mark.WAITING)


@pytest.mark.parametrize(("kind", "place"), [(Kind.SUSPEND, 1), (Kind.TERMINATE, 1), (Kind.RETIRE, 0)])
def test_a_refusal_of_what_cannot_be_taken_back_fails(kind, place):
    order = opened(kind)
    run_to(order, place)
    assert do(order, refuse, "no")[1] is Moment.FAILED
    assert (order.state, order.undoing, order.open) == (OrderState.FAILED, False, False)
    assert [log.mark for log in order.steps[:place]] == [Mark.DONE] * place  # nothing was undone


def test_every_step_of_a_host_was_refused_above():
    of_hosts = {(k, n) for k, saga in SAGAS.items() for n, step in enumerate(saga) if isinstance(step, HostStep)}
    assert of_hosts == {(k, n) for k, n, _ in REFUSALS} | {(Kind.SUSPEND, 1), (Kind.TERMINATE, 1), (Kind.RETIRE, 0)}


def test_a_refused_undoing_fails_and_a_retry_goes_on_undoing():
    order = opened(Kind.SWAP)
    run_to(order, 3)
    do(order, refuse, "no")
    assert do(order, refuse, "not that way either") == ("7.3u", Moment.FAILED)
    assert (order.undoing, order.state) == (True, OrderState.FAILED)
    assert retry(order, NOW) is Moment.BEGUN
    assert names(order) == ["-host.assign", "-host.release", "-host.prepare"]
    assert order.state is OrderState.COMPENSATED


def test_a_long_reason_is_cut():
    order = opened(Kind.RETIRE)
    do(order, refuse, "x" * 1000)
    assert order.steps[0].error == "x" * ERROR_SIZE


def test_a_step_that_is_done_in_the_end_has_no_error_left():
    order = opened(Kind.ACTIVATE)
    do(order, postpone, "unreachable")
    assert order.steps[0].error == "unreachable"
    do(order)
    assert order.steps[0].error == ""


# Hosts that cannot be reached


def test_a_step_is_tried_again_later_and_later_under_one_call_id_until_it_fails():
    order = opened(Kind.ACTIVATE)
    calls, delays, moments = set(), [], []
    while order.state is not OrderState.FAILED:
        call, moment = do(order, postpone, "unreachable")
        calls.add(call)
        moments.append(moment)
        delays.append((order.due_at - NOW) // FIRST_DELAY)
    assert calls == {"7.0"}
    assert moments == [None] * (ATTEMPTS - 1) + [Moment.FAILED]
    assert delays[:-1] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert LAST_DELAY == 300 * FIRST_DELAY
    assert order.steps[0].mark is Mark.SENT  # it may have been done there


@pytest.mark.parametrize(("after", "delay"), [(None, 1), (0, 1), (60, 60)])
def test_a_host_that_asks_for_more_time_gets_it(after, delay):
    order = opened(Kind.ACTIVATE)
    do_move = next_move(order)
    begin(order, do_move, NOW)
    postpone(order, do_move, "busy", NOW, None if after is None else after * FIRST_DELAY)
    assert order.due_at == NOW + delay * FIRST_DELAY


def test_a_step_that_was_never_sent_waits_like_a_first_one():
    order = opened(Kind.ACTIVATE)
    assert postpone(order, next_move(order), "no such host", NOW) is None
    assert order.due_at == NOW + FIRST_DELAY


def test_attempts_are_counted_anew_for_each_step_and_for_its_undoing():
    order = opened(Kind.SWAP)
    run_to(order, 2)
    for _ in range(ATTEMPTS - 1):
        do(order, postpone, "unreachable")
    do(order, refuse, "no")
    for _ in range(ATTEMPTS - 1):
        assert do(order, postpone, "unreachable") == ("7.2u", None)
    do(order)
    assert order.state is OrderState.RUNNING
    assert [log.attempts for log in order.steps] == [0] * 5


def test_a_step_that_is_done_lets_the_next_one_begin_at_once():
    order = opened(Kind.RESUME)
    do(order, postpone, "unreachable")
    move = next_move(order)
    begin(order, move, NOW)
    succeed(order, move, NOW + 9)
    assert order.due_at == order.updated_at == NOW + 9


@pytest.mark.parametrize("kind", Kind)
def test_a_retry_goes_on_where_the_order_stands_with_the_same_call(kind):
    order = opened(kind)
    place = next(n for n, step in enumerate(SAGAS[kind]) if isinstance(step, HostStep))
    run_to(order, place)
    calls = {do(order, postpone, "unreachable")[0] for _ in range(ATTEMPTS)}
    assert order.state is OrderState.FAILED
    assert retry(order, NOW + 99) is Moment.BEGUN
    assert (order.state, order.due_at, order.steps[place].attempts) == (OrderState.RUNNING, NOW + 99, 0)
    calls.add(do(order)[0])
    assert calls == {f"7.{place}"}
    names(order)
    assert order.state is OrderState.DONE


def test_a_retry_of_an_order_that_waits_has_it_tried_now():
    order = opened(Kind.ACTIVATE)
    do(order, postpone, "unreachable")
    assert retry(order, NOW + 5) is None
    assert (order.due_at, order.steps[0].attempts, order.state) == (NOW + 5, 0, OrderState.RUNNING)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_has_come_to_its_end_is_not_retried(state):
    order = opened(Kind.ACTIVATE)
    order.state = state
    with pytest.raises(OrderRefused, match=f"the order is {state}") as refused:
        retry(order, NOW)
    assert refused.value.code == "order.state"


def test_what_was_taken_back_says_that_it_is_to_be_given_again():
    order = opened(Kind.ACTIVATE)
    do(order, refuse, "no")
    do(order)
    with pytest.raises(OrderRefused, match="compensated: all of it was taken back, so give it again"):
        retry(order, NOW)


# A host that declines


def declined(order, times):
    for _ in range(times):
        do(order, decline, "Cannot create subscriber.")


def test_what_a_host_declines_is_tried_again_later_and_later_for_a_minute():
    order = opened(Kind.ACTIVATE)
    delays = []
    for _ in range(DECLINES - 1):
        declined(order, 1)
        delays.append(order.due_at - NOW)
    assert (order.state, order.undoing) == (OrderState.RUNNING, False)
    assert sum(delays) == FIRST_DELAY * (2 ** (DECLINES - 1) - 1)
    do(order)
    assert (order.steps[0].mark, order.steps[0].error) == (Mark.DONE, "")


def test_a_host_that_stays_with_its_no_has_refused():
    order = opened(Kind.ACTIVATE)
    declined(order, DECLINES)
    assert order.undoing
    do(order)
    assert (order.state, order.steps[0].error) == (OrderState.COMPENSATED, "Cannot create subscriber.")


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.TERMINATE, Kind.RETIRE])
def test_what_cannot_be_taken_back_is_tried_as_long_as_with_a_host_that_is_away(kind):
    order = opened(kind)
    run_to(order, 0 if kind is Kind.RETIRE else 1)
    declined(order, ATTEMPTS - 1)
    assert order.state is OrderState.RUNNING
    declined(order, 1)
    assert order.state is OrderState.FAILED


def test_an_undoing_that_is_declined_is_tried_again_and_then_is_for_a_person():
    order = opened(Kind.ACTIVATE)
    do(order, refuse, "no")
    declined(order, ATTEMPTS - 1)
    assert (order.state, order.undoing) == (OrderState.RUNNING, True)
    declined(order, 1)
    assert order.state is OrderState.FAILED


# Cancelling


@pytest.mark.parametrize("kind", [Kind.ACTIVATE, Kind.RESUME, Kind.SWAP, Kind.RETIRE])
def test_an_order_that_has_not_begun_is_cancelled_at_once(kind):
    order = opened(kind)
    assert cancel(order, NOW + 1) is Moment.CANCELLED
    assert (order.state, order.updated_at, order.open) == (OrderState.CANCELLED, NOW + 1, False)
    assert {log.mark for log in order.steps} == {Mark.WAITING}


@pytest.mark.parametrize("kind", Kind)
def test_an_order_that_moves_its_card_when_it_is_accepted_moves_it_back_or_is_not_cancelled(kind):
    order = opened(kind)
    if (kind, Moment.ACCEPTED) in MOVES and (kind, Moment.CANCELLED) not in MOVES:
        with pytest.raises(OrderRefused, match="holds from the moment it is accepted"):
            cancel(order, NOW)
        assert order.state is OrderState.ACCEPTED
    else:
        assert cancel(order, NOW) is Moment.CANCELLED


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("kind", "place", "undone"), REFUSALS)
def test_a_step_that_was_sent_is_undone_by_a_cancel(kind, place, undone, again):
    order = opened(kind)
    run_to(order, place)
    for _ in range(ATTEMPTS if again else 1):
        do(order, postpone, "unreachable")
    assert order.state is (OrderState.FAILED if again else OrderState.RUNNING)
    assert cancel(order, NOW) is (Moment.BEGUN if again else None)
    assert names(order) == undone
    assert order.state is OrderState.COMPENSATED


@pytest.mark.parametrize(("kind", "place", "undone"), REFUSALS)
def test_a_step_that_is_done_while_the_order_was_turned_round_is_still_undone(kind, place, undone):
    order = opened(kind)
    run_to(order, place)
    move = next_move(order)
    begin(order, move, NOW)
    cancel(order, NOW)
    assert succeed(order, move, NOW) is None
    assert order.steps[place].mark is Mark.DONE
    assert names(order) == undone


def test_a_step_that_is_refused_while_the_order_was_turned_round_is_undone_once():
    order = opened(Kind.SWAP)
    run_to(order, 2)
    move = next_move(order)
    begin(order, move, NOW)
    cancel(order, NOW)
    assert refuse(order, move, "no", NOW) is None
    assert names(order) == ["-host.release", "-host.prepare"]


def test_a_notice_of_a_swap_is_all_that_remains_of_it_when_it_is_cancelled_then():
    order = opened(Kind.SWAP)
    begin(order, next_move(order), NOW)
    assert cancel(order, NOW) is Moment.COMPENSATED
    assert next_move(order) is None


@pytest.mark.parametrize("sent_only", [False, True])
@pytest.mark.parametrize(("kind", "place"), [(Kind.SUSPEND, 0), (Kind.TERMINATE, 0), (Kind.RETIRE, 0)])
def test_beyond_what_cannot_be_taken_back_nothing_is_cancelled(kind, place, sent_only):
    order = opened(kind)
    run_to(order, place)
    if sent_only:
        begin(order, next_move(order), NOW)
    else:
        do(order)
    before = [log.mark for log in order.steps]
    with pytest.raises(OrderRefused, match="cannot all be taken back"):
        cancel(order, NOW)
    assert [log.mark for log in order.steps] == before
    assert not order.undoing


def test_an_order_is_not_turned_round_twice():
    order = opened(Kind.ACTIVATE)
    do(order, refuse, "no")
    with pytest.raises(OrderRefused, match="goes back already"):
        cancel(order, NOW)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_has_come_to_its_end_is_not_cancelled(state):
    order = opened(Kind.ACTIVATE)
    order.state = state
    with pytest.raises(OrderRefused, match=f"is {state}"):
        cancel(order, NOW)


# Whatever happens


ACTIONS = st.lists(
    st.sampled_from(
        [
            "done",
            "refused",
            "untouched",
            "declined",
            "declined for long",
            "unavailable",
            "unreachable for long",
            "cancel",
            "retry",
            "late",
        ],
    ),
    max_size=40,
)


class Story:
    """An order that things happen to, as the conductor and people do them, and what must hold after each."""

    def __init__(self, kind, reasons_left):
        self.order = opened(kind, reasons_left=reasons_left)
        self.calls = {}
        self.undone = []
        self.in_hand = None

    def happen(self, action):
        order = self.order
        before = (order.state, [log.mark for log in order.steps])
        if action in ("cancel", "retry"):
            self.ask(cancel if action == "cancel" else retry)
        elif order.open:
            self.step(action)
        elif order.state in FINAL:
            assert (order.state, [log.mark for log in order.steps]) == before

    def ask(self, change):
        state = self.order.state
        try:
            change(self.order, NOW)
        except OrderRefused:
            assert self.order.state is state
        else:
            assert state not in FINAL

    def step(self, action):
        order = self.order
        move = self.in_hand or next_move(order)
        assert move is not None  # an open order always has something to do
        self.in_hand = None
        begin(order, move, NOW)
        self.note(move)
        if action == "late":
            self.in_hand = move
            self.ask(cancel)
            if not order.open:
                self.in_hand = None
        elif action == "done":
            succeed(order, move, NOW)
            self.undone += [move.place] if move.undo else []
        elif isinstance(move.step, GatewayStep):
            return  # only hosts refuse
        elif action in ("refused", "untouched"):
            refuse(order, move, "no", NOW, untouched=action == "untouched")
        else:
            for n in range(ATTEMPTS if action.endswith("long") else 1):
                if n:
                    begin(order, move, NOW)
                if action.startswith("declined"):
                    decline(order, move, "not now", NOW)
                else:
                    postpone(order, move, "unreachable", NOW)
                if not order.open or next_move(order) != move:
                    break

    def note(self, move):
        known = self.calls.setdefault(move.call_id(self.order), (move.place, move.undo))
        assert known == (move.place, move.undo)

    def check(self):
        order = self.order
        marks = [log.mark for log in order.steps]
        assert len(self.undone) == len(set(self.undone))
        if order.state is OrderState.DONE:
            assert set(marks) == {Mark.DONE}
        if order.state is OrderState.COMPENSATED:
            for mark, step in zip(marks, SAGAS[order.kind][-len(marks) :], strict=True):
                if isinstance(step, HostStep):
                    assert step.undo or mark is Mark.WAITING
                    assert mark in (Mark.WAITING, Mark.UNDONE)
                else:
                    assert not step.final or mark is Mark.WAITING
        if order.state is OrderState.CANCELLED:
            assert set(marks) == {Mark.WAITING}
        if order.undoing:
            assert can_undo(order)
        assert (next_move(order) is None) <= (order.state in FINAL)


@given(st.sampled_from(Kind), st.booleans(), ACTIONS)
def test_whatever_happens_an_order_keeps_its_promises(kind, reasons_left, actions):
    story = Story(kind, reasons_left)
    for action in actions:
        story.happen(action)
        story.check()


@given(st.sampled_from(Kind), ACTIONS)
def test_whatever_happened_a_patient_person_brings_an_order_to_its_end(kind, actions):
    story = Story(kind, False)
    for action in actions:
        story.happen(action)
    if story.order.state is OrderState.FAILED:
        retry(story.order, NOW)
    while story.order.open:
        story.happen("done")
        story.check()
    assert story.order.state in FINAL
