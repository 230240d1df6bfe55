"""connectord-stripe itself, with psp-sim as its processor: each role for its one caller, what a
ticket and a blob are good for, what the log holds, and what a kill leaves.
"""
import subprocess

import pytest

import api
import deployment as d
import leak_scan
from running_deployment import running, wait_until
from stripe_account import CREDENTIAL, Stripe

HOUR, DAY = 3600, 86400


@pytest.fixture(scope="module")
def stripe():
    with running() as deployment:
        yield Stripe(deployment)


@pytest.fixture(scope="module")
def token(stripe):
    return stripe.card()


def phases(stripe, reference):
    """(event, phase, outcome) of each entry that names `reference`."""
    return [(entry["unmapped"]["event_type"], entry["unmapped"]["phase"],
             entry["unmapped"].get("outcome"))
            for entry in stripe.entries()
            if {"uid": reference} in entry.get("resources", [])]


def test_a_card_is_stored_and_pays(stripe, token):
    reference = stripe.fresh()
    answer = stripe.sale(token, reference)
    assert (answer.status, answer.body["outcome"]) == (200, "approved")
    assert stripe.charges(reference)[0]["amount_captured"] == 1099
    wait_until(lambda: phases(stripe, reference) == [
        ("payment.sale", "intent", None), ("payment.sale", "outcome", "done")], "both entries")


def test_authorize_capture_refund_and_void(stripe, token):
    held = stripe.fresh()
    transaction = stripe.sale(token, held, capture=False).body["processor_reference"]
    assert stripe.change("capture", transaction, stripe.fresh(), amount=500).body["outcome"] == \
        "approved"
    refund = stripe.change("refunds", transaction, stripe.fresh(), amount=100).body
    assert refund["outcome"] == "approved" and refund["processor_reference"].startswith("re_")
    seen = stripe.look_up(held).body
    assert (seen["status"], seen["amount_captured"], seen["amount_refunded"]) == \
        ("captured", 500, 100)
    other = stripe.sale(token, stripe.fresh(), capture=False).body["processor_reference"]
    assert stripe.change("void", other, stripe.fresh()).body["outcome"] == "approved"


def test_declines_are_outcomes(stripe):
    refused = stripe.store("4000000000000002")
    assert refused.status == 200 and refused.body["outcome"] == "declined"
    assert refused.body["decline"]["class"] == "soft"
    later = stripe.card("4000000000000341")
    reference = stripe.fresh()
    declined = stripe.sale(later, reference).body
    assert declined["outcome"] == "declined" and declined["decline"]["code"]


@pytest.mark.parametrize("identity", ["gatewayd", "edged", "loadgen", "authd", "connectord-stripe"])
def test_only_vaultd_stores(stripe, identity):
    client = stripe.client(identity, stripe.ticket())
    assert client.post("/v1/stored-cards", {}).status == 403
    assert client.call("DELETE", "/v1/stored-cards", {}).status == 403


@pytest.mark.parametrize("identity", ["vaultd", "edged", "loadgen", "authd", "connectord-stripe"])
def test_only_gatewayd_pays(stripe, identity):
    client = stripe.client(identity, stripe.ticket())
    for path in ("/v1/sales", "/v1/authorizations", "/v1/transactions/pi_1/void"):
        assert client.post(path, {}).status == 403
    assert client.get("/v1/transactions?reference=a&account=b").status == 403


def test_the_merchant_is_the_tickets(stripe, token):
    reference = stripe.fresh()
    assert stripe.sale(token, reference, stripe.ticket(stripe.other)).status == 403
    assert stripe.sale(token, reference, stripe.ticket(scopes=["tokens:write"])).status == 403
    assert stripe.sale(token, reference, "not.a.ticket").status == 403
    theirs = stripe.add_account(merchant=stripe.other)["account"]
    assert stripe.sale(token, reference, account=theirs).status == 403
    assert stripe.sale(token, reference, stripe.ticket(stripe.other), account=theirs).status == 403
    assert stripe.charges(reference) == []


def test_replaced_credential_keeps_the_account_and_its_cards(stripe, token):
    account_id = stripe.add_account()["account_id"]
    old = stripe.account
    try:
        stripe.account = stripe.add_account("--account-id", account_id)["account"]
        mine = stripe.card()
        stripe.account = stripe.add_account("--account-id", account_id)["account"]
        assert stripe.sale(mine, stripe.fresh()).body["outcome"] == "approved"
        assert stripe.sale(token, stripe.fresh()).status == 403, "another account's card"
    finally:
        stripe.account = old


def test_removal_needs_no_ticket_and_ends_payments(stripe):
    gone = stripe.card()
    body = {"account": stripe.account, "processor_token": gone}
    for _ in range(2):
        assert stripe.client("vaultd").call("DELETE", "/v1/stored-cards", body).status == 204
    assert stripe.sale(gone, stripe.fresh()).body["outcome"] == "failed"


def test_a_lost_answer_is_settled_by_the_late_ticket(stripe, token):
    reference = stripe.fresh()
    stripe.fail_next("/v1/payment_intents", "reset")
    ticket = stripe.ticket(ago=HOUR)
    assert stripe.sale(token, reference, ticket).status == 403, "a late ticket only settles"
    assert stripe.sale(token, reference).body["outcome"] == "unknown"
    settled = stripe.sale(token, reference, ticket, settle=True)
    assert settled.body["outcome"] == "approved"
    assert len(stripe.charges(reference)) == 1
    assert stripe.sale(token, reference, stripe.ticket(ago=DAY + 61), settle=True).status == 403
    assert stripe.sale(token, reference, stripe.ticket(ago=DAY - 10), settle=True).status == 409


def test_a_look_up_bears_a_ticket_of_a_month(stripe, token):
    reference = stripe.fresh()
    stripe.sale(token, reference)
    found = stripe.look_up(reference, stripe.ticket(ago=29 * DAY)).body
    assert (found["outcome"], found["status"]) == ("approved", "captured")
    absent = stripe.look_up(stripe.fresh(), stripe.ticket(ago=29 * DAY)).body
    assert (absent["outcome"], absent["status"]) == ("failed", None)
    assert stripe.look_up(stripe.fresh()).body["outcome"] == "unknown"
    assert stripe.look_up(reference, stripe.ticket(ago=31 * DAY)).status == 403


def test_nothing_of_the_processor_or_the_card_is_told(stripe):
    pan = leak_scan.generate_pan()
    secret = stripe.card(pan)
    for kind in ("garbage", "huge", "other_id", "500"):
        stripe.fail_next("/v1/payment_intents", kind)
        assert stripe.sale(secret, stripe.fresh()).body["outcome"] == "unknown"
    said = stripe.deployment.written()
    assert not leak_scan.scan_bytes(said, pan)
    for word in (CREDENTIAL, "client_secret", "payment_method_types", "cus_", "pm_"):
        assert word.encode() not in said, word
    files = [path for path in stripe.deployment.dir.rglob("*") if path.is_file()]
    assert [path for path in files if CREDENTIAL.encode() in path.read_bytes()] == []


def test_accounts_are_entered_by_an_operator_with_a_good_credential(stripe):
    def refused(credential, *more, merchant=stripe.merchant):
        command = [d.BIN / "strongroom", "connector-accounts", "add", "--merchant", merchant,
                   "--connector", "stripe", *more, "--dir", stripe.deployment.dir]
        done = subprocess.run([str(part) for part in command], input=credential, text=True,
                              capture_output=True, timeout=30)
        assert done.returncode == 2 and credential not in done.stderr
        return done.stderr

    assert "test keys only" in refused("sk_live_functional_connectord")
    assert "secret or restricted key" in refused("pk_test_functional_connectord")
    assert "--account-id takes" in refused(CREDENTIAL, "--account-id", "a b")
    entered = stripe.entries(event_type="connector_account.create")
    assert entered and entered[-1]["unmapped"]["merchant_id"] in (stripe.merchant, stripe.other)
    assert "no such merchant" in refused(CREDENTIAL, merchant="mer_" + "a" * 26)
    assert stripe.entries(event_type="connector_account.create") == entered, "nothing was sealed"


def test_killed_in_flight_it_closes_its_intent_as_unknown_and_the_repeat_settles(stripe, token):
    """The last one: it takes connectord away."""
    reference = stripe.fresh()
    stripe.fail_next("/v1/payment_intents", "timeout")
    client = api.Api(*client_arguments(stripe, "gatewayd"))
    body = {"account": stripe.account, "processor_token": token, "amount": 1099, "currency": "USD",
            "reference": reference, "idempotency_key": reference, "initiator": "customer"}
    client.send("POST", "/v1/sales", body, {"Strongroom-Ticket": stripe.ticket()})
    wait_until(lambda: stripe.charges(reference), "the charge was made")
    stripe.deployment.processes["connectord-stripe"].kill()
    stripe.deployment.processes["connectord-stripe"].wait()
    stripe.deployment.start_one("connectord-stripe")
    wait_until(lambda: phases(stripe, reference) == [
        ("payment.sale", "intent", None), ("payment.sale", "outcome", "unknown")],
        "the intent is closed")
    assert stripe.sale(token, reference, settle=True).body["outcome"] == "approved"
    assert len(stripe.charges(reference)) == 1
    report = stripe.deployment.strongroom("audit", "verify")
    assert report["ok"]


def client_arguments(stripe, identity):
    stripe.client(identity)
    files = stripe._files[identity]
    listen = stripe.deployment.settings()["connectord"]["stripe"]["listen"]
    return (f"https://{listen}", stripe.deployment.dir / "tls/ca/ca.crt", None, files.certificate,
            files.key)


BAD_CONFIGURATION = {
    'roles = ["store", "pay"]': ('roles = []', "roles"),
    'roles = ["store", ': ('roles = ["refund", ', "store"),
    'host = "localhost:': ('host = "https://localhost:', "host"),
    'ca = "tls/ca/ca.crt"              # who may say': ('ca = "tls/none.crt"  # who may say',
                                                       "none.crt"),
    'answer_timeout_ms = 30000': ('answer_timeout_ms = 1', "answer_timeout_ms"),
    'connections = 64': ('connections = 64\naddresses = ["api.stripe.com"]', "addresses"),
    'connector = "stripe"': ('connector = "paypal"', "connector"),
    'seal_key = "data/connectord-stripe/seal.sealed"':
        ('seal_key = "data/auditd/checkpoint.sealed"', "checkpoint.sealed"),
}


@pytest.mark.parametrize("before", BAD_CONFIGURATION)
def test_bad_configuration_is_refused_with_its_place(stripe, before):
    after, reason = BAD_CONFIGURATION[before]
    text = stripe.deployment.config.read_text()
    assert before in text
    variant = stripe.deployment.config.with_name("variant.toml")
    variant.write_text(text.replace(before, after, 1).replace(
        'listen = "127.0.0.1:%s"' % listen_port(stripe), 'listen = "127.0.0.1:1"'))
    done = subprocess.run([d.BIN / "connectord", "--config", variant, "--instance",
                           "connectord-stripe", "--check-sandbox"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert done.stderr.startswith("connectord-stripe: ") and reason in done.stderr


def listen_port(stripe):
    return stripe.deployment.settings()["connectord"]["stripe"]["listen"].rpartition(":")[2]
