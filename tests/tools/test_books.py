"""The comparison of the books must fail: on each way in which a crash could break them."""
import copy
import dataclasses

import pytest

import books
from books import Attempt, Books, Entry, Payment


def charge(number, reference, amount, status="captured", captured=None, refunds=()):
    """As psp-sim lists it."""
    return {"id": f"ch_{number}", "status": status, "amount": amount,
            "amount_captured": amount if captured is None else captured,
            "amount_refunded": sum(value for _, value in refunds),
            "metadata": {books.REFERENCE: reference},
            "refunds": [{"id": f"re_{name}", "amount": value, "status": "succeeded",
                         "metadata": {books.REFERENCE: name}} for name, value in refunds]}


def logged(event, operation, reference, *outcomes):
    """An intent for each outcome: a repeat continues its operation."""
    for outcome in outcomes:
        yield Entry(event, "intent", "none", operation, ("acc_1", reference))
        yield Entry(event, "outcome", outcome, operation, ("acc_1", reference))


@pytest.fixture
def sound():
    """A sale and its refund; an authorization, captured; one voided; a decline; and one that was
    taken back, for the processor was not reached.
    """
    return Books(
        payments=[Payment("pay_1", "partially_refunded", 1099, 1099, 300),
                  Payment("pay_2", "partially_captured", 1099, 700, 0),
                  Payment("pay_3", "voided", 500, 0, 0),
                  Payment("pay_4", "declined", 900, 0, 0)],
        attempts=[Attempt("att_1", "pay_1", "sale", 1099, "approved"),
                  Attempt("re_1", "pay_1", "refund", 300, "approved"),
                  Attempt("att_2", "pay_2", "authorize", 1099, "approved"),
                  Attempt("att_2c", "pay_2", "capture", 700, "approved"),
                  Attempt("att_3", "pay_3", "authorize", 500, "approved"),
                  Attempt("att_3v", "pay_3", "void", 500, "approved"),
                  Attempt("att_4", "pay_4", "sale", 900, "declined")],
        charges=[charge(1, "att_1", 1099, refunds=[("re_1", 300)]),
                 charge(2, "att_2", 1099, captured=700),
                 charge(3, "att_3", 500, "reversed", 0)],
        entries=[*logged("payment.sale", "op_1", "att_1", "unknown", "done"),
                 *logged("payment.refund", "op_2", "re_1", "done"),
                 *logged("payment.authorize", "op_3", "att_2", "done"),
                 *logged("payment.capture", "op_4", "att_2c", "done"),
                 *logged("payment.authorize", "op_5", "att_3", "done"),
                 *logged("payment.void", "op_6", "att_3v", "done"),
                 *logged("payment.sale", "op_7", "att_4", "failed"),
                 *logged("payment.sale", "op_8", "att_gone", "not_done")],
        told=[{"id": "pay_1", "status": "captured"}, {"id": "pay_2", "status": "authorized"},
              {"id": "re_1", "status": "succeeded", "payment": "pay_1"},
              {"id": "pay_4", "status": "declined"}])


def test_sound_books_agree(sound):
    assert books.compare(sound) == []


def without_entries(of, phase):
    def change(made):
        made.entries = [entry for entry in made.entries
                        if (of, phase) != (entry.operation, entry.phase)]
    return change


def replace(items, index, **members):
    def change(made):
        found = getattr(made, items)
        found[index] = dataclasses.replace(found[index], **members)
    return change


def add(items, item):
    return lambda made: getattr(made, items).append(item)


def drop(items, index):
    return lambda made: getattr(made, items).pop(index)


def update(index, **members):
    return lambda made: made.charges[index].update(members)


BROKEN = {
    "a second charge of the same attempt": (add("charges", charge(9, "att_1", 1099)),
                                            "pay_1: charged 2 times"),
    "a second charge under another key": (add("charges", charge(9, "att_9", 1099)),
                                          "ch_9: a charge that no payment knows"),
    "a second attempt that charged": (
        lambda made: (made.attempts.append(Attempt("att_9", "pay_1", "sale", 1099, "approved")),
                      made.charges.append(charge(9, "att_9", 1099))), "pay_1: charged 2 times"),
    "a charge of a decline": (add("charges", charge(9, "att_4", 900)),
                              "ch_9: a charge of sale that is declined"),
    "a lost charge": (drop("charges", 0), "pay_1: partially_refunded, but never charged"),
    "a lost payment": (drop("payments", 0), "ch_1: a charge that no payment knows"),
    "a wrong amount": (update(0, amount=1100), "pay_1: ('captured', 1099"),
    "captured twice": (update(1, amount_captured=1099), "pay_2: ('captured', 1099, 700"),
    "not captured": (update(1, status="authorized", amount_captured=0), "pay_2: ('captured'"),
    "a lost void": (update(2, status="authorized"), "pay_3: ('reversed'"),
    "a second refund": (
        lambda made: made.charges[0]["refunds"].append(copy.deepcopy(made.charges[0]["refunds"][0])),
        "re_1: [300] refunded here, [300, 300] at the processor"),
    "a refund nobody knows": (drop("attempts", 1), "re_1: a refund that no payment knows"),
    "a lost refund": (update(0, refunds=[], amount_refunded=0),
                      "re_1: [300] refunded here, [] at the processor"),
    "never settled": (replace("payments", 0, open_attempt="att_1"), "pay_1: not settled"),
    "an effect without an intent": (without_entries("op_2", "intent"),
                                    "re_1: refund without an intent in the log"),
    "an intent without an outcome": (without_entries("op_4", "outcome"), "none in the log"),
    "an outcome that is not true": (replace("entries", -1, outcome="done"),
                                    "done in the log, not known here"),
    "a decline that was logged as done": (replace("entries", -3, outcome="done"),
                                          "done in the log, declined here"),
    "unknown for ever": (replace("entries", 3, outcome="unknown"), "unknown in the log"),
    "a payment that was told": (add("told", {"id": "pay_9", "status": "captured"}),
                                "pay_9: told captured"),
    "a decline told as a sale": (add("told", {"id": "pay_4", "status": "captured"}),
                                 "pay_4: told captured"),
    "a refund told as refused": (
        add("told", {"id": "re_1", "status": "failed", "payment": "pay_1"}), "re_1: told failed"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_books_are_found(sound, name):
    change, said = BROKEN[name]
    change(sound)
    assert any(said in finding for finding in books.compare(sound)), books.compare(sound)


def test_a_request_given_up_late_does_not_unsettle_its_repeat(sound):
    sound.entries.append(dataclasses.replace(sound.entries[3], outcome="unknown"))
    assert books.compare(sound) == []


START = Entry("service.start", "single", "success", "", ())


@pytest.mark.parametrize("order", [1, -1])
def test_what_connectord_closed_at_its_start_may_stay_unknown(sound, order):
    sound.entries[3] = dataclasses.replace(sound.entries[3], outcome="unknown")
    sound.entries[3:4] = [sound.entries[3], START][::order]
    assert books.compare(sound) == []


def test_another_start_excuses_nothing(sound):
    sound.entries[3] = dataclasses.replace(sound.entries[3], outcome="unknown")
    sound.entries[5:5] = [START, dataclasses.replace(START, instance="gatewayd")]
    assert len(books.compare(sound)) == 1


def test_a_look_up_settles_what_the_log_has_as_unknown(sound):
    sound.entries[3] = dataclasses.replace(sound.entries[3], outcome="unknown")
    sound.entries.append(Entry("payment.lookup", "single", "success", "", ("acc_1", "att_1")))
    assert books.compare(sound) == []
