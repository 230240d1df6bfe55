"""Two vaultd on one database behave as one under load, also when one of them dies."""
import concurrent.futures
import itertools

import pytest

from aftermath import Aftermath
from card_load import CardLoad
from running_deployment import wait_until
from second_vaultd import join_behind_one_door, two_vaultds
from shop import Shop

KILLS = 3
CARDS_EACH = 20  # between two kills
FAULTLESS = 20  # promises in a row to each worker
LIMIT = 2
TOKENS = 16
CLIENTS = 8


@pytest.fixture(scope="module")
def both():
    with two_vaultds() as pair:
        join_behind_one_door(*pair)
        yield pair


def kill(deployment):
    deployment.processes["vaultd"].kill()
    deployment.processes["vaultd"].wait()


def cards_taken(deployment):
    return deployment.metrics("vaultd")["strongroom_card_residence_seconds_count"]


def test_one_that_dies_under_load_takes_nothing_along(both, record_property):
    first, second = both
    with CardLoad(first, workers=2) as load:
        for _ in range(KILLS):
            for one in both:
                before = cards_taken(one)
                wait_until(lambda: cards_taken(one) >= before + CARDS_EACH, "each has its share")
            kill(second)
            wait_until(lambda: load.in_a_row >= FAULTLESS, "the other does it all")
            second.start_one("vaultd")
    excused, lost = load.failures
    record_property("kill -9 of one of two vaultd", {"cards": len(load.cards), "excused": excused})
    assert load.unexpected == [] and lost == 0, "each request has its answer"
    Aftermath(first, load, beside=[second]).assert_all()


def test_a_limit_holds_over_both_also_when_one_dies(both):
    first, second = both
    shop = Shop(first)
    tokens = [shop.token(usage_limit=LIMIT) for _ in range(TOKENS)]
    clients = [first.gateway(shop.merchant.api_key) for _ in range(CLIENTS)]
    keys = itertools.count()

    def pay(client, mine):
        for token in mine:
            body = {"amount": 1099, "currency": "USD", "token": token}
            yield client.post("/v1/payments", body, {"Idempotency-Key": f"limit-{next(keys)}"})

    # Two of them at a time pay with the same token.
    work = [tokens[i // 2 * 4:] + tokens[:i // 2 * 4] for i in range(CLIENTS)]
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        under_way = [pool.submit(lambda one=one, mine=mine: list(pay(one, mine)))
                     for one, mine in zip(clients, work)]
        wait_until(lambda: shop.charges(), "the first payment")
        kill(second)
        answers = list(itertools.chain(*(future.result() for future in under_way)))
    second.start_one("vaultd")
    assert {answer.status for answer in answers} <= {201, 410, 503}
    captured = [answer.body["token"] for answer in answers
                if answer.status == 201 and answer.body["status"] == "captured"]
    # Of those under way at the kill, one of each client at most, a use may be spent in vain.
    assert TOKENS * LIMIT - CLIENTS <= len(captured) <= len(shop.charges()) <= TOKENS * LIMIT
    for token in tokens:
        assert captured.count(token) <= LIMIT
        assert shop.client.get(f"/v1/tokens/{token}").body["usage_count"] <= LIMIT
