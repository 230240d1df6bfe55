"""Three books of the same money: gatewayd's database, the processor's charges and the audit log;
and, beside them, what merchants were told. compare() is what a crash may never break.
"""
import collections
import contextlib
from dataclasses import dataclass, field

import audit_journal
import psp_sim
from running_deployment import wait_until

FIRST = ("authorize", "sale")
OPERATIONS = (*FIRST, "capture", "void", "refund")
EVENTS = tuple(f"payment.{operation}" for operation in OPERATIONS)
REFERENCE = "strongroom_reference"  # metadata of all that we make at the processor
ALL_CHARGES = "charges?limit=1000000"
# Of a payment at rest -> of its charge at the processor.
CHARGE_STATUS = {"authorized": "authorized", "voided": "reversed", "captured": "captured",
                 "partially_captured": "captured", "partially_refunded": "captured",
                 "refunded": "captured"}


@dataclass(frozen=True)
class Payment:
    id: str
    stage: str
    amount: int
    captured: int
    refunded: int
    open_attempt: str = ""


@dataclass(frozen=True)
class Attempt:
    id: str
    payment: str
    operation: str
    amount: int
    state: str


@dataclass(frozen=True)
class Entry:
    event: str
    phase: str
    outcome: str
    operation: str     # its id
    resources: tuple
    instance: str = "connectord-stripe"  # who wrote it


@dataclass
class Books:
    payments: list = field(default_factory=list)
    attempts: list = field(default_factory=list)
    charges: list = field(default_factory=list)  # as psp-sim lists them, without declined ones
    entries: list = field(default_factory=list)
    told: list = field(default_factory=list)     # bodies of final answers


def compare(books):
    """What is wrong, a sentence each."""
    return [*_charges_without_payment(books), *_payments_unlike_charge(books),
            *_refunds_unlike(books), *_effects_without_entry(books), *_entries_unlike(books),
            *_told_unlike(books)]


def _by_id(items):
    return {item.id: item for item in items}


def _reference(made):
    return made["metadata"].get(REFERENCE)


def _charges_without_payment(books):
    attempts, payments = _by_id(books.attempts), _by_id(books.payments)
    charged = collections.Counter()
    for charge in books.charges:
        attempt = attempts.get(_reference(charge))
        if attempt is None or attempt.payment not in payments:
            yield f"{charge['id']}: a charge that no payment knows"
        elif attempt.operation not in FIRST or attempt.state != "approved":
            yield f"{charge['id']}: a charge of {attempt.operation} that is {attempt.state}"
        else:
            charged[attempt.payment] += 1
    for payment, times in charged.items():
        if times > 1:
            yield f"{payment}: charged {times} times"


def _payments_unlike_charge(books):
    payment_of = {attempt.id: attempt.payment for attempt in books.attempts}
    charges = {payment_of.get(_reference(charge)): charge for charge in books.charges}
    for payment in books.payments:
        if payment.open_attempt:
            yield f"{payment.id}: not settled"
            continue
        charge = charges.get(payment.id)
        if payment.stage not in CHARGE_STATUS:
            if charge:
                yield f"{payment.id}: {payment.stage}, but charged"
            continue
        if charge is None:
            yield f"{payment.id}: {payment.stage}, but never charged"
            continue
        ours = (CHARGE_STATUS[payment.stage], payment.amount, payment.captured, payment.refunded)
        theirs = (charge["status"], charge["amount"], charge["amount_captured"],
                  charge["amount_refunded"])
        if ours != theirs:
            yield f"{payment.id}: {ours} here, {theirs} at the processor"


def _refunds_unlike(books):
    made = collections.defaultdict(list)
    for charge in books.charges:
        for refund in charge["refunds"]:
            made[_reference(refund)].append(refund["amount"])
    for attempt in books.attempts:
        if attempt.operation == "refund":
            expected = [attempt.amount] if attempt.state == "approved" else []
            found = made.pop(attempt.id, [])
            if found != expected:
                yield f"{attempt.id}: {expected} refunded here, {found} at the processor"
    for reference in made:
        yield f"{reference}: a refund that no payment knows"


def _effects_without_entry(books):
    intents = {(entry.event, reference) for entry in books.entries if entry.phase == "intent"
               for reference in entry.resources}
    for attempt in books.attempts:
        if attempt.state == "approved" and (f"payment.{attempt.operation}",
                                            attempt.id) not in intents:
            yield f"{attempt.id}: {attempt.operation} without an intent in the log"


def _closed_at_start(entries):
    """Operations that connectord closed as unknown when it came up again. It may have answered
    before it died, so that nobody asks it again.
    """
    closed, given_up, started = set(), set(), False
    for entry in entries:
        if entry.event == "service.start" and entry.instance.startswith("connectord-"):
            started = True
        elif entry.event in EVENTS and entry.phase == "intent":  # it serves
            given_up, started = set(), False
        elif entry.event in EVENTS and entry.outcome == "unknown":
            given_up.add(entry.operation)
        if started:
            closed |= given_up
    return closed


def _entries_unlike(books):
    """Each operation's last word in the log is what became of it. That one of its requests was
    never answered may be said late, and says nothing of the others.
    """
    attempts = _by_id(books.attempts)
    looked_up = {reference for entry in books.entries if entry.event == "payment.lookup"
                 for reference in entry.resources}
    first = {attempt.payment: attempt.id for attempt in books.attempts
             if attempt.operation in FIRST}
    closed_at_start = _closed_at_start(books.entries)
    last, about = {}, {}
    for entry in books.entries:
        if entry.event in EVENTS:
            about[entry.operation] = entry.resources
            if entry.outcome != "unknown" or last.get(entry.operation, "none") == "none":
                last[entry.operation] = entry.outcome  # of an intent it is none
    for operation, outcome in last.items():
        attempt = next((attempts[name] for name in about[operation] if name in attempts), None)
        allowed = {"not_done", "failed", "unknown"}  # taken back: it came to nothing
        if attempt:
            allowed = {"done"} if attempt.state == "approved" else {"failed", "not_done"}
            if first.get(attempt.payment) in looked_up or operation in closed_at_start:
                allowed.add("unknown")
        if outcome not in allowed:
            state = attempt.state if attempt else "not known"
            yield f"{about[operation]}: {outcome} in the log, {state} here"


def _told_unlike(books):
    """What was told as made is so: of a payment, unless a later operation undid it."""
    payments, attempts = _by_id(books.payments), _by_id(books.attempts)
    for body in books.told:
        if "payment" in body:
            made = attempts.get(body["id"])
            stands = made and (made.state == "approved") == (body["status"] == "succeeded")
        else:
            made = payments.get(body["id"])
            stands = made and (made.stage in CHARGE_STATUS) == (body["status"] in CHARGE_STATUS)
        if not stands:
            yield f"{body['id']}: told {body['status']}, but it is {made}"


# --- reading them ---------------------------------------------------------------------------------

PAYMENTS = ("SELECT id, stage, amount, amount_captured, amount_refunded, open_attempt"
            " FROM payments")
ATTEMPTS = "SELECT id, payment_id, operation, amount, state FROM attempts"


def entries(deployment):
    return [Entry(entry["unmapped"]["event_type"], entry["unmapped"]["phase"],
                  entry["unmapped"].get("outcome", "none"),
                  entry["unmapped"].get("operation_id", ""),
                  tuple(resource["uid"] for resource in entry["resources"]),
                  entry["actor"]["app_uid"])
            for entry in audit_journal.entries(deployment.dir / "audit")]


@contextlib.contextmanager
def processor(deployment):
    """A client of the deployment's psp-sim."""
    client = psp_sim.StripeClient(deployment.simulator_address()[1],
                                  deployment.dir / "tls/ca/ca.crt")
    with contextlib.closing(client):
        yield client


def read(deployment, told=()):
    """All books of a deployment that is at rest."""
    with processor(deployment) as client:
        charges = client.sim("GET", ALL_CHARGES)["charges"]
    return Books([Payment(*row) for row in deployment.rows("core", PAYMENTS)],
                 [Attempt(*row) for row in deployment.rows("core", ATTEMPTS)],
                 [charge for charge in charges if charge["status"] != "declined"],
                 entries(deployment), list(told))


def assert_agree(deployment, told=()):
    """Waits for what is still on its way into the log."""
    found = ["never read"]

    def agree():
        found[:] = compare(read(deployment, told))
        return not found

    with contextlib.suppress(AssertionError):
        wait_until(agree, "the books agree")
    assert found == [], found
