"""An attacker with a merchant's key, who knows a token's first and last digits and sends the
numbers between them, as fast as may be, until one is called a duplicate.
"""
import concurrent.futures
import datetime
import itertools

import pytest

import leak_scan
from second_vaultd import two_vaultds

LIMIT = 100  # new_cards_per_truncation_daily
HANDS = 16   # requests at once


@pytest.fixture(scope="module")
def pair():
    with two_vaultds() as both:
        yield both


def body(number):
    return {"card": {"number": number, "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def alike(number):
    """Cards without end that only the digits in the middle tell from `number`."""
    for middle in range(1_000_000):
        digits = f"{number[:6]}{middle:06}{number[-4:]}"
        if digits != number and leak_scan.check_digit(digits[:-1]) == digits[-1]:
            yield digits


def guess_at_once(clients, numbers):
    """Their answers; each hand has one of the clients."""
    def work(client, mine):
        return [client.post("/v1/cards", body(number)) for number in mine]

    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        shares = [numbers[i::len(clients)] for i in range(len(clients))]
        return list(itertools.chain(*pool.map(work, clients, shares)))


def denied(deployment, merchant):
    return [(entry["unmapped"]["bin"], entry["unmapped"]["last4"])
            for entry in deployment.audit_entries(event_type="access.denied",
                                                  merchant_id=merchant.id)]


def test_guessing_ends_and_says_nothing(each_deployment):
    merchant = each_deployment.new_merchant()
    client = each_deployment.gateway(merchant.api_key)
    known = leak_scan.generate_pan()
    assert client.post("/v1/tokens", body(known)).status == 201
    ticket = each_deployment.ticket(merchant.api_key)
    guesses = list(itertools.islice(alike(known), 3 * LIMIT))
    answers = guess_at_once([each_deployment.vault(ticket) for _ in range(HANDS)], guesses)
    statuses = [answer.status for answer in answers]
    assert (statuses.count(201), statuses.count(429)) == (LIMIT - 1, 2 * LIMIT + 1)
    refused = next(answer for answer in answers if answer.status == 429)
    assert refused.problem == "rate-limited"
    assert 86_000 < int(refused.headers["retry-after"]) <= 86_400
    assert client.post("/v1/tokens", body(known)).status == 429, "no sign that it is there"
    assert client.post("/v1/tokens", body(leak_scan.generate_pan())).status == 201
    told = denied(each_deployment, merchant)
    assert told == [(known[:6], known[-4:])] * (2 * LIMIT + 2)


def test_two_vaultds_count_as_one(pair):
    first, second = pair
    merchant = first.new_merchant()
    known = leak_scan.generate_pan()
    ticket = first.ticket(merchant.api_key)
    vaults = [first.vault(ticket), second.vault(ticket)]
    made = vaults[0].post("/v1/cards", body(known))
    again = vaults[1].post("/v1/cards", body(known))
    assert (made.status, again.status) == (201, 200) and again.body["id"] == made.body["id"]

    guesses = alike(known)
    hands = [deployment.vault(ticket) for deployment in pair for _ in range(HANDS // 2)]
    answers = guess_at_once(hands, list(itertools.islice(guesses, 3 * LIMIT)))
    added = [answer.status for answer in answers].count(201) + 1
    # Neither knows what the other has under way at the moment when the limit is reached.
    assert LIMIT <= added <= LIMIT + HANDS
    assert {answer.status for answer in answers} == {201, 429}
    for vault in vaults:
        assert vault.post("/v1/cards", body(next(guesses))).status == 429
        assert vault.post("/v1/cards", body(known)).status == 429


def test_a_new_start_counts_on(pair):
    first, second = pair
    merchant = first.new_merchant()
    known = leak_scan.generate_pan()
    guesses = alike(known)
    client = first.vault(first.ticket(merchant.api_key))
    for number in itertools.islice(guesses, LIMIT):
        assert client.post("/v1/cards", body(number)).status == 201
    first.processes["vaultd"].kill()
    first.processes["vaultd"].wait()
    ticket = first.ticket(merchant.api_key)
    assert second.vault(ticket).post("/v1/cards", body(next(guesses))).status == 429
    first.start_one("vaultd")
    assert first.vault(ticket).post("/v1/cards", body(next(guesses))).status == 429
