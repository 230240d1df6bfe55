"""The proofs of ./dev demo fail where what they prove is not so."""
import demo

COLUMNS = ["token_id", "wrapped_dek", "fingerprint_odd", "fingerprint_even", "card_sealed",
           "deleted_at"]


def entries(events):
    return [{"unmapped": {"event_type": kind, "phase": phase, "outcome": outcome,
                          "gateway_token": "tok_a"}} for kind, phase, outcome in events]


def test_what_erasure_left_is_named():
    assert demo.left_of_card(COLUMNS, [b"i", None, None, None, None, 7]) == []
    assert demo.left_of_card(COLUMNS, [b"i", b"k", None, b"f", b"c", 7]) == [
        "wrapped_dek", "fingerprint_even", "card_sealed"]


def test_each_missing_entry_is_named():
    assert demo.missing_events(entries(demo.EVENTS), "tok_a") == []
    for missing in demo.EVENTS:
        told = entries([event for event in demo.EVENTS if event != missing])
        assert demo.missing_events(told, "tok_a") == [missing]
    assert demo.missing_events(entries(demo.EVENTS), "tok_b") == demo.EVENTS


def test_each_missing_payment_is_named():
    def outcomes(events):
        return [{"unmapped": {"event_type": kind, "phase": "outcome", "outcome": outcome}}
                for kind, outcome in events]

    assert demo.missing_payments(outcomes(demo.PAYMENTS)) == []
    for missing in demo.PAYMENTS:
        told = outcomes([event for event in demo.PAYMENTS if event != missing])
        assert demo.missing_payments(told) == [missing]
