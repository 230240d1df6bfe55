"""psp-sim as a process: Stripe's API over HTTPS, its faults on the wire, and what it must not keep.

Each exchange is held to Stripe's own description where that is at hand.
"""
import base64
import http.client
import json
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

import deployment as d
import leak_scan
import psp_sim
import stripe_contract
from running_deployment import wait_until

VISA = "4242424242424242"
DECLINES_LATER = "4000000000000341"
SDK = pathlib.Path(__file__).resolve().parents[1] / "stripe_sdk"
SECRET_CARD = leak_scan.generate_pan()


@pytest.fixture(scope="module")
def contract():
    """None where Stripe's description is absent: then the exchanges are not held to it."""
    return stripe_contract.load()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    with psp_sim.running(tmp_path_factory.mktemp("psp-sim")) as running:
        yield running


@pytest.fixture
def stripe(simulator, contract):
    client = simulator.client(contract=contract)
    yield client
    assert client.sim("DELETE", "faults") == {"unused": 0}, "a fault that nothing met"
    client.close()


def card(number=VISA, **more):
    return {"type": "card", "card": {"number": number, "exp_month": 12, "exp_year": 2030,
                                     "cvc": "123"}, **more}


def stored(stripe, number=VISA):
    """A card attached to a new customer, as parameters of a payment."""
    customer = stripe.post("/v1/customers", {"metadata": {"merchant": "mer_1"}}).body["id"]
    method = stripe.post("/v1/payment_methods", card(number)).body["id"]
    attached = stripe.post(f"/v1/payment_methods/{method}/attach", {"customer": customer})
    assert attached.status == 200, attached
    return {"customer": customer, "payment_method": method}


def pay(stripe, headers=None, **parameters):
    return stripe.post("/v1/payment_intents", {
        "amount": 1099, "currency": "usd", "confirm": True, "payment_method_types": ["card"],
        **parameters}, headers)


def charges_of(stripe, reference):
    """What really happened at the processor under one reference."""
    return [charge for charge in stripe.sim("GET", "charges")["charges"]
            if charge["metadata"].get("reference") == reference]


def test_the_description_is_at_hand(contract):
    if contract is None:
        pytest.skip(f"no {stripe_contract.DOCUMENT}: exchanges are not held to it")


def test_a_stored_card_pays_again_and_again(stripe):
    with_card = stored(stripe)
    sale = pay(stripe, **with_card)
    assert (sale.status, sale.body["status"]) == (200, "succeeded")
    later = pay(stripe, off_session=True, **with_card)
    assert later.body["status"] == "succeeded"
    method = with_card["payment_method"]
    assert stripe.get(f"/v1/payment_methods/{method}").body["card"]["last4"] == "4242"
    assert stripe.post(f"/v1/payment_methods/{method}/detach").status == 200
    assert pay(stripe, **with_card).status == 400
    assert stripe.delete(f"/v1/customers/{with_card['customer']}").body["deleted"] is True


def test_an_unattached_card_pays_once(stripe):
    method = stripe.post("/v1/payment_methods", card()).body["id"]
    assert pay(stripe, payment_method=method).status == 200
    again = pay(stripe, payment_method=method)
    assert (again.status, again.error["type"]) == (400, "invalid_request_error")


def test_authorize_capture_refund(stripe):
    held = pay(stripe, capture_method="manual", **stored(stripe)).body
    path = f"/v1/payment_intents/{held['id']}"
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 1099)
    captured = stripe.post(f"{path}/capture", {"amount_to_capture": 500}).body
    assert (captured["status"], captured["amount_received"]) == ("succeeded", 500)
    refund = stripe.post("/v1/refunds", {"payment_intent": held["id"], "amount": 200,
                                         "metadata": {"reference": "R1"}}).body
    assert (refund["status"], refund["amount"]) == ("succeeded", 200)
    assert stripe.get(f"/v1/refunds/{refund['id']}").body == refund
    listed = stripe.get("/v1/refunds", {"payment_intent": held["id"]}).body["data"]
    assert listed[0] == refund
    released = [(one["amount"], one["metadata"]) for one in listed[1:]]
    assert released == [(599, {})], "what the capture released looks like a refund"
    shown = stripe.get(path, {"expand": ["latest_charge"]}).body["latest_charge"]
    assert (shown["amount_captured"], shown["amount_refunded"]) == (500, 799)
    too_much = stripe.post("/v1/refunds", {"payment_intent": held["id"], "amount": 301})
    assert (too_much.status, too_much.error["param"]) == (400, "amount")


def test_void_ends_an_authorization(stripe):
    held = pay(stripe, capture_method="manual", **stored(stripe)).body
    path = f"/v1/payment_intents/{held['id']}"
    canceled = stripe.post(f"{path}/cancel", {"cancellation_reason": "requested_by_customer"})
    assert canceled.body["status"] == "canceled"
    late = stripe.post(f"{path}/capture")
    assert (late.status, late.error["code"]) == (400, "payment_intent_unexpected_state")


def test_declines_say_why(stripe):
    answer = pay(stripe, **stored(stripe, DECLINES_LATER))
    assert answer.status == 402
    assert answer.error["code"] == "card_declined"
    assert answer.error["decline_code"] == "generic_decline"
    assert answer.error["payment_intent"]["status"] == "requires_payment_method"


def test_a_card_that_declines_cannot_be_attached(stripe):
    customer = stripe.post("/v1/customers").body["id"]
    method = stripe.post("/v1/payment_methods", card("4000000000009995")).body["id"]
    answer = stripe.post(f"/v1/payment_methods/{method}/attach", {"customer": customer})
    assert (answer.status, answer.error["decline_code"]) == (402, "insufficient_funds")


def test_unlisted_numbers_of_test_ranges_are_approved_and_others_refused(stripe):
    assert pay(stripe, **stored(stripe, leak_scan.generate_pan())).body["status"] == "succeeded"
    live = stripe.post("/v1/payment_methods", card("4929000000000000"))
    assert (live.status, live.error["code"]) == (402, "card_declined")
    wrong = stripe.post("/v1/payment_methods", card("4242424242424241"))
    assert wrong.error["code"] == "incorrect_number"


def test_payments_are_found_by_metadata(stripe):
    made = pay(stripe, metadata={"reference": "find-me"}, **stored(stripe)).body
    found = stripe.get("/v1/payment_intents/search", {
        "query": "metadata['reference']:'find-me'", "expand": ["data.latest_charge"]})
    assert [one["id"] for one in found.body["data"]] == [made["id"]]
    assert found.body["data"][0]["latest_charge"]["captured"] is True


def test_search_lags_where_it_is_told_to(tmp_path, contract):
    with psp_sim.running(tmp_path, "--search-delay-ms", "2000") as simulator:
        stripe = simulator.client(contract=contract)
        pay(stripe, metadata={"reference": "late"}, **stored(stripe))
        search = "/v1/payment_intents/search", {"query": "metadata['reference']:'late'"}
        assert stripe.get(*search).body["data"] == []
        wait_until(lambda: len(stripe.get(*search).body["data"]) == 1, "it is found")


def test_wrong_parameters_are_refused_by_name(stripe):
    unknown = pay(stripe, amout=1)
    assert (unknown.error["code"], unknown.error["param"]) == ("parameter_unknown", "amout")
    missing = stripe.post("/v1/payment_intents", {"amount": 1099})
    assert (missing.error["code"], missing.error["param"]) == ("parameter_missing", "currency")
    integer = stripe.post("/v1/payment_intents", {"amount": "ten", "currency": "usd"})
    assert integer.error["code"] == "parameter_invalid_integer"


def test_keys_are_test_keys(simulator):
    for authorization, status in (("Bearer sk_test_other", 404), ("Bearer sk_live_real", 401),
                                  ("Basic " + base64.b64encode(b"sk_test_other:").decode(), 404)):
        client = simulator.client()
        answer = client.send("GET", "/v1/customers/cus_x", None, {"Authorization": authorization})
        assert answer.status == status, authorization
        client.close()


def test_a_key_repeats_its_answer(stripe):
    headers = {"Idempotency-Key": "functional-1", "Stripe-Version": "2026-07-29.dahlia"}
    with_card = stored(stripe)
    first = pay(stripe, headers, metadata={"reference": "once"}, **with_card)
    again = pay(stripe, headers, metadata={"reference": "once"}, **with_card)
    assert again.body == first.body
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["stripe-version"] == "2026-07-29.dahlia"
    assert len(charges_of(stripe, "once")) == 1
    other = pay(stripe, headers, metadata={"reference": "twice"}, **with_card)
    assert (other.status, other.error["type"]) == (400, "idempotency_error")


def test_a_key_in_use_is_refused(simulator, stripe):
    headers = {"Idempotency-Key": "functional-2"}
    stripe.fault("/v1/customers", "slow", when="before_effect", delay_ms=1500)
    answers = []
    clients = [simulator.client(), simulator.client()]
    threads = [threading.Thread(
        target=lambda client=client: answers.append(
            client.post("/v1/customers", {"name": "J"}, headers))) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused, made = sorted(answers, key=lambda answer: answer.status, reverse=True)
    assert (refused.status, refused.error["code"]) == (409, "idempotency_key_in_use")
    assert stripe.post("/v1/customers", {"name": "J"}, headers).body == made.body
    for client in clients:
        client.close()


LOST = {"timeout": TimeoutError, "reset": ConnectionResetError}


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("when", ["before_effect", "after_effect"])
def test_a_lost_answer_leaves_one_charge(simulator, stripe, kind, when):
    reference = f"lost-{kind}-{when}"
    sale = {"metadata": {"reference": reference}, **stored(stripe)}
    headers = {"Idempotency-Key": reference}
    stripe.fault("/v1/payment_intents", kind, when=when)
    impatient = simulator.client(timeout=1)
    with pytest.raises(LOST[kind]):
        pay(impatient, headers, **sale)
    assert len(charges_of(stripe, reference)) == (1 if when == "after_effect" else 0)
    again = pay(stripe, headers, **sale)
    assert again.body["status"] == "succeeded"
    assert len(charges_of(stripe, reference)) == 1


@pytest.mark.parametrize("status,again", [(500, 500), (503, 200)])
def test_server_errors_before_and_after_the_effect(stripe, status, again):
    for when, charges in (("before_effect", 0), ("after_effect", 1)):
        reference = f"error-{status}-{when}"
        sale = {"metadata": {"reference": reference}, **stored(stripe)}
        headers = {"Idempotency-Key": reference}
        stripe.fault("/v1/payment_intents", str(status), when=when)
        assert pay(stripe, headers, **sale).status == status
        assert len(charges_of(stripe, reference)) == charges
        repeated = pay(stripe, headers, **sale)
        assert repeated.status == again, "500 is the answer for good, 503 was never the API's"
        assert len(charges_of(stripe, reference)) == (1 if again == 200 else charges)


def test_answers_that_nobody_should_believe(stripe):
    with_card = stored(stripe)
    stripe.fault("/v1/payment_intents", "garbage")
    with pytest.raises(json.JSONDecodeError):
        pay(stripe, metadata={"reference": "garbage"}, **with_card)
    stripe.fault("/v1/payment_intents", "other_id")
    wrong = pay(stripe, metadata={"reference": "own"}, **with_card)
    assert wrong.body["metadata"] != {"reference": "own"}
    assert len(charges_of(stripe, "own")) == 1
    stripe.fault("/v1/payment_intents", "huge")
    body = "amount=1099&currency=usd"
    answer = stripe.send("POST", "/v1/payment_intents", body,
                         {"Authorization": f"Bearer {psp_sim.KEY}",
                          "Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status == 200


def test_an_issuer_declines_with_any_code(stripe):
    with_card = stored(stripe)
    for code in ("do_not_honor", "insufficient_funds", "a_code_of_next_year"):
        stripe.fault("/v1/payment_intents", "decline", decline_code=code)
        assert pay(stripe, **with_card).error["decline_code"] == code
    assert pay(stripe, **with_card).status == 200


def test_faults_meet_the_path_that_they_name(stripe):
    held = pay(stripe, capture_method="manual", **stored(stripe)).body
    stripe.fault("/v1/payment_intents/*/capture", "503", when="before_effect", count=2)
    path = f"/v1/payment_intents/{held['id']}"
    assert stripe.get(path).status == 200
    assert [stripe.post(f"{path}/capture").status for _ in range(3)] == [503, 503, 200]


def test_requests_are_counted_and_never_shown(stripe):
    before = stripe.sim("GET", "requests")["by_route"].get("POST /v1/payment_methods", 0)
    stripe.post("/v1/payment_methods", card(SECRET_CARD))
    seen = stripe.sim("GET", "requests")
    assert seen["by_route"]["POST /v1/payment_methods"] == before + 1
    assert set(seen) == {"by_route", "replayed", "faulted"}


def test_no_card_number_is_kept(simulator, stripe):
    """In no answer and no log."""
    with_card = stored(stripe, SECRET_CARD)
    pay(stripe, expand=["latest_charge", "payment_method"], **with_card)
    shown = json.dumps([stripe.sim("GET", "charges"), stripe.sim("GET", "requests"),
                        stripe.get(f"/v1/payment_methods/{with_card['payment_method']}").body])
    assert SECRET_CARD[-4:] in shown
    assert leak_scan.scan_bytes(shown.encode(), SECRET_CARD) == []
    assert leak_scan.scan_bytes(simulator.log.read_bytes(), SECRET_CARD) == []


def test_it_serves_this_machine_alone_unless_told_otherwise():
    text = subprocess.run([d.BIN / "psp-sim", "--help"], capture_output=True, text=True).stdout
    assert "127.0.0.1:12111 by default" in text


def test_bad_starts_say_why(simulator, tmp_path):
    program = str(d.BIN / "psp-sim")
    certificate, key = map(str, (simulator.files.certificate, simulator.files.key))
    for arguments, reason in (
            ([], "--certificate and --key are required"),
            (["--certificate", certificate, "--key", str(tmp_path / "none")], "--key"),
            (["--certificate", certificate, "--key", key, "--listen",
              f"127.0.0.1:{simulator.port}"], "port in use"),
            (["--certificate", certificate, "--key", key, "--listen", "somewhere"], "--listen"),
            (["--certificate", certificate, "--key", key, "--search-delay-ms", "-1"], "600000"),
            (["--color"], "--color")):
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert reason in done.stderr, arguments


def test_it_stops_with_answers_still_withheld(tmp_path):
    with psp_sim.running(tmp_path) as simulator:
        stripe = simulator.client()
        stripe.fault("/v1/customers", "timeout")
        stripe.fault("/v1/refunds", "slow", delay_ms=600000)
        context = ssl.create_default_context(cafile=str(simulator.ca_cert))
        open_connections = []
        for path in ("/v1/customers", "/v1/refunds"):
            connection = http.client.HTTPSConnection("localhost", simulator.port, context=context)
            connection.request("POST", path, "", {"Authorization": "Bearer sk_test_x"})
            open_connections.append(connection)
        time.sleep(0.3)
        begin = time.monotonic()
        assert simulator.stop() == 0
        assert time.monotonic() - begin < 10
        for connection in open_connections:
            connection.close()


def test_it_reaches_nothing(simulator):
    """Its sandbox: no file, no other host, no program."""
    status = pathlib.Path(f"/proc/{simulator.process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status and "Seccomp:\t2" in status
    assert socket.create_connection(("127.0.0.1", simulator.port), 5).close() is None


# --- the processor's own client ---------------------------------------------------------------


@pytest.fixture(scope="module")
def sdk_report(simulator, contract):
    """What the official SDK for Node made of the simulator, through a door that checks."""
    if shutil.which("node") is None or not (SDK / "node_modules/stripe").exists():
        pytest.skip("the SDK is not installed: ./dev setup --tests")
    door = psp_sim.CheckedDoor(simulator, contract)
    try:
        done = subprocess.run(["node", str(SDK / "drive.mjs"), str(door.port)], timeout=120,
                              capture_output=True, text=True,
                              env={"PATH": "/usr/local/bin:/usr/bin:/bin",
                                   "NODE_EXTRA_CA_CERTS": str(simulator.ca_cert)})
    finally:
        door.close()
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), door


def test_the_official_sdk_drives_it(sdk_report):
    report, _ = sdk_report
    assert report == {
        "stored": {"brand": "visa", "last4": "4242"},
        "sale": "succeeded",
        "authorized": "requires_capture",
        "captured": {"status": "succeeded", "received": 500, "charged": 500},
        "canceled": "canceled",
        "refunded": {"status": "succeeded", "amount": 200, "listed": 1},
        "found": True,
        "declined": {"type": "StripeCardError", "status": 402, "code": "card_declined",
                     "decline": "generic_decline"},
        "invalid": {"type": "StripeInvalidRequestError", "param": "amout"},
        "missing": {"type": "StripeInvalidRequestError", "status": 404},
        "conflict": "StripeIdempotencyError",
        "replayed": True,
        "unauthorized": "StripeAuthenticationError",
        "retried": "succeeded",
    }


def test_the_sdks_requests_and_its_answers_keep_the_contract(sdk_report, contract):
    if contract is None:
        pytest.skip(f"no {stripe_contract.DOCUMENT}")
    _, door = sdk_report
    assert len(door.exchanges) > 15
    assert door.broken == []
