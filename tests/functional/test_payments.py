"""A token pays, with every process real: edged, authd, gatewayd, vaultd, connectord, auditd, and
psp-sim as the processor. On both databases.
"""
import pytest

from children import DeploymentError
from running_deployment import wait_until
from shop import ATTACHES_THEN_DECLINES, LOST_CARD, VISA, Shop


@pytest.fixture
def shop(each_deployment):
    return Shop(each_deployment)


@pytest.fixture
def token(shop):
    return shop.token()


def phases(shop, event_type):
    return [(entry["phase"], entry.get("outcome"))
            for entry in shop.entries(event_type=event_type)]


def test_authorize_capture_a_part_and_refund(shop, token):
    made = shop.pay(token, capture=False, reference="order 7", metadata={"basket": "b-1"})
    assert (made.status, made.body["status"]) == (201, "authorized")
    assert (made.body["reference"], made.body["metadata"]) == ("order 7", {"basket": "b-1"})
    payment = made.body["id"]
    captured = shop.change(payment, "capture", 700)
    assert (captured.status, captured.body["status"]) == (200, "partially_captured")
    twice = shop.change(payment, "capture", 100)
    assert twice.problem == "payment-state" and "partially_captured" in twice.body["detail"]
    assert shop.change(payment, "refunds", 701).problem == "payment-state"
    first = shop.change(payment, "refunds", 200)
    assert (first.status, first.body["status"], first.body["amount"]) == (201, "succeeded", 200)
    assert shop.payment(payment)["status"] == "partially_refunded"
    assert shop.client.get(f"/v1/payments/{payment}/refunds/{first.body['id']}").body == first.body
    rest = shop.change(payment, "refunds")
    assert (rest.status, rest.body["amount"]) == (201, 500)
    end = shop.payment(payment)
    assert (end["status"], end["amount_captured"], end["amount_refunded"]) == ("refunded", 700, 700)
    assert shop.change(payment, "void").problem == "payment-state"
    [charge] = shop.charges()
    assert (charge["amount"], charge["amount_captured"]) == (1099, 700)
    assert [refund["amount"] for refund in charge["refunds"]] == [200, 500]


def test_an_authorization_is_voided(shop, token):
    payment = shop.pay(token, capture=False).body["id"]
    voided = shop.change(payment, "void")
    assert (voided.status, voided.body["status"]) == (200, "voided")
    assert shop.change(payment, "capture").problem == "payment-state"
    assert [charge["status"] for charge in shop.charges()] == ["reversed"]


def test_a_sale_in_a_currency_without_minor_units(shop, token):
    made = shop.pay(token, amount=500, currency="JPY")
    assert made.status == 201 and made.body["status"] == "captured"
    assert made.body["amount_captured"] == 500
    [charge] = shop.charges()
    assert (charge["amount_captured"], charge["currency"]) == (500, "jpy")


@pytest.mark.parametrize("number, decline_class", [(ATTACHES_THEN_DECLINES, "soft"),
                                                   (LOST_CARD, "hard")])
def test_a_decline_says_whether_to_try_again(shop, number, decline_class):
    """The first card is declined when it pays, the second one when it is stored."""
    made = shop.pay(shop.token(number), key="k")
    assert (made.status, made.body["status"]) == (201, "declined")
    assert made.body["decline"]["class"] == decline_class and made.body["decline"]["code"]
    again = shop.pay(made.body["token"], key="k")
    assert again.body == made.body and again.headers["idempotent-replayed"] == "true"
    assert shop.change(made.body["id"], "refunds").problem == "payment-state"
    assert shop.charges() == []


def test_a_lost_answer_is_unknown_and_settles_to_one_charge(shop, token):
    shop.fail_next("/v1/payment_intents", "reset")
    lost = shop.pay(token, key="k")
    assert (lost.status, lost.body["status"]) == (201, "unknown")
    assert shop.settled(lost.body["id"])["status"] == "captured"
    assert shop.pay(token, key="k").body["status"] == "captured"
    assert len(shop.charges()) == 1
    wait_until(lambda: phases(shop, "payment.sale")[-1] == ("outcome", "done"), "it is in the log")
    entries = shop.entries(event_type="payment.sale")
    assert len({entry["operation_id"] for entry in entries}) == 1, "one operation, told on"
    assert [entry["outcome"] for entry in entries if entry["phase"] == "outcome"] == [
        "unknown", "done"]


def test_a_lost_request_is_unknown_and_charges_once_all_the_same(shop, token):
    shop.fail_next("/v1/payment_intents", "reset", when="before_effect")
    lost = shop.pay(token)
    assert lost.body["status"] == "unknown"
    assert shop.settled(lost.body["id"])["status"] == "captured"
    assert len(shop.charges()) == 1


def test_a_lost_refund_keeps_the_payment_busy_until_it_settles(shop, token):
    payment = shop.pay(token).body["id"]
    shop.fail_next("/v1/refunds", "reset")
    lost = shop.change(payment, "refunds", 99, key="r")
    assert (lost.status, lost.body["status"]) == (201, "unknown")
    assert shop.settled(payment)["amount_refunded"] == 99
    again = shop.change(payment, "refunds", 99, key="r")
    assert again.body["id"] == lost.body["id"] and again.body["status"] == "succeeded"
    assert [refund["amount"] for refund in shop.charges()[0]["refunds"]] == [99]


def test_a_card_that_the_processor_forgot_is_put_there_anew(deployment):
    shop = Shop(deployment)
    token = shop.token(usage_limit=2)
    assert shop.pay(token).body["status"] == "captured"
    deployment.stop_one("psp-sim")  # its books are gone
    deployment.start_one("psp-sim")
    paid = shop.pay(token)
    assert (paid.status, paid.body["status"]) == (201, "captured"), paid.body
    [charge] = shop.charges()
    assert charge["amount_captured"] == 1099
    assert shop.pay(token).problem == "token-used-up", "it was one use"
    wait_until(lambda: phases(shop, "processor_token.delete") == [
        ("intent", None), ("outcome", "done")], "the log tells what was dropped")
    [dropped, _] = shop.entries(event_type="processor_token.delete")
    assert dropped["gateway_token"] == token
    assert [outcome for _, outcome in phases(shop, "payment.sale") if outcome] == [
        "done", "failed", "done"]
    assert shop.pay(shop.token()).body["status"] == "captured"


def test_a_key_pays_once(shop):
    token = shop.token(usage_limit=9)
    first = shop.pay(token, key="k")
    again = shop.pay(token, key='"k"')  # the same key, as a structured field
    assert again.body == first.body and again.headers["idempotent-replayed"] == "true"
    other = shop.pay(token, key="k", amount=1)
    assert (other.status, other.problem) == (422, "idempotency-mismatch")
    keyless = shop.client.post("/v1/payments", {"amount": 1, "currency": "USD", "token": token})
    assert (keyless.status, keyless.problem) == (400, "idempotency-key-missing")
    assert len(shop.charges()) == 1
    assert shop.client.get(f"/v1/tokens/{token}").body["usage_count"] == 1


def test_another_merchants_payment_and_token_are_not_there(shop, token):
    payment = shop.pay(token).body["id"]
    stranger = Shop(shop.deployment)
    assert stranger.client.get(f"/v1/payments/{payment}").status == 404
    assert stranger.change(payment, "refunds").status == 404
    assert stranger.pay(token).problem == "not-found"
    assert stranger.client.get("/v1/payments").body["data"] == []
    assert stranger.charges() == [] and len(shop.charges()) == 1


def test_a_token_that_is_deleted_or_used_up_does_not_pay(shop):
    gone = shop.token()
    assert shop.client.delete(f"/v1/tokens/{gone}").status == 204
    assert (shop.pay(gone).status, shop.pay(gone).problem) == (410, "token-deleted")
    once = shop.token(usage_limit=1)
    paid = shop.pay(once, key="k")
    assert paid.body["status"] == "captured"
    assert shop.pay(once).problem == "token-used-up"
    assert shop.pay(once, key="k").body == paid.body, "the replay is no use"
    assert len(shop.charges()) == 1


def test_who_may_not_pay_is_refused_and_logged(shop, token):
    reader = shop.deployment.gateway(
        shop.deployment.new_key(shop.merchant.id, "merchant_user")["key"])
    body = {"amount": 1, "currency": "USD", "token": token}
    refused = reader.post("/v1/payments", body, {"Idempotency-Key": "k"})
    assert (refused.status, refused.problem) == (403, "not-allowed")
    assert [entry["outcome"] for entry in shop.entries(event_type="access.denied")] == ["denied"]
    assert reader.get("/v1/payments").status == 200
    assert shop.pay(token, connector="nmi").pointer == "#/connector"
    assert shop.charges() == []


def test_payments_are_listed_newest_first(shop, token):
    made = [shop.pay(token).body["id"] for _ in range(3)]
    listed = shop.client.get("/v1/payments").body
    assert [payment["id"] for payment in listed["data"]] == made[::-1]
    assert listed["next"] is None
    newest = shop.client.get("/v1/payments?limit=1").body
    assert [payment["id"] for payment in newest["data"]] == [newest["next"]] == [made[2]]
    assert shop.client.get("/v1/payments?limit=0").pointer == "?limit"
    older = shop.client.get(f"/v1/payments?after={made[1]}").body["data"]
    assert [payment["id"] for payment in older] == [made[0]]
    [account] = shop.client.get("/v1/connector-accounts").body["data"]
    assert (account["id"], account["connector"]) == (shop.account_id, "stripe")


def test_operators_see_accounts_and_replace_only_those(shop):
    listed = shop.deployment.strongroom("connector-accounts", "list", "--merchant",
                                        shop.merchant.id)
    assert [account["id"] for account in listed] == [shop.account_id]
    assert "sealed" not in listed[0]
    credential = "sk_test_of_the_sandbox"
    shop.deployment.add_account(shop.merchant.id, credential, "--account-id", shop.account_id)
    with pytest.raises(DeploymentError, match="no such account"):
        shop.deployment.add_account(shop.merchant.id, credential, "--account-id", "acc_typo")
    assert shop.deployment.strongroom("connector-accounts", "list", "--merchant",
                                      shop.merchant.id) == listed


def test_a_payment_names_the_account_that_it_goes_to(shop, token):
    second = shop.deployment.add_account(shop.merchant.id, shop.credential)["account_id"]

    def refuse_no_more():  # gatewayd may take a second to know a new account
        paid = shop.pay(token, connector_account=second)
        return paid if paid.status == 201 else None

    paid = wait_until(refuse_no_more, "the account is known").body
    assert (paid["status"], paid["connector_account"]) == ("captured", second)
    assert shop.pay(token).body["connector_account"] == shop.account_id
    assert shop.pay(token, connector_account="acc_none").pointer == "#/connector_account"


def test_the_log_tells_a_payment_from_the_card_to_the_refund(shop, token):
    payment = shop.pay(token, capture=False).body["id"]
    shop.change(payment, "capture")
    shop.change(payment, "refunds")
    done = [("intent", None), ("outcome", "done")]
    for event_type in ("processor_token.resolve", "processor_token.store", "payment.authorize",
                       "payment.capture", "payment.refund"):
        wait_until(lambda: phases(shop, event_type) == done, f"{event_type} is in the log")
    resolved = shop.deployment.audit_entries(merchant_id=shop.merchant.id,
                                             event_type="processor_token.resolve")
    for entry in resolved:
        assert [resource["uid"] for resource in entry["resources"]] == [
            token, shop.account_id, payment]
    authorized = shop.entries(event_type="payment.authorize")
    assert {entry["request_id"] for entry in authorized} == {
        entry["unmapped"]["request_id"] for entry in resolved}, "one request, by which they meet"
    assert shop.deployment.strongroom("audit", "verify")["ok"]


def test_a_published_test_number_pays_in_the_demo_profile(shop):
    assert shop.pay(shop.token(VISA)).body["status"] == "captured"
