"""A card that waits too long for its turn is shed: 503, nothing done, and its memory is free."""
import concurrent.futures
import datetime
import time

import pytest

import held
import leak_scan
from running_deployment import running, wait_until

IN_FLIGHT = 2  # frames to auditd, and batches at the database, at once
WAITING = 6


@pytest.fixture(scope="module")
def deployment():
    with running("postgres") as made:
        yield made


def add(client):
    card = {"number": leak_scan.generate_pan(), "exp_month": 12,
            "exp_year": datetime.date.today().year + 1}
    began = time.monotonic()
    answer = client.post("/v1/cards", {"card": card})
    return answer, time.monotonic() - began


def held_up(pool, clients):
    """Adds a card at a time until one is shed: then every turn is taken, by the ones returned."""
    waiting = []
    for client in clients:
        future = pool.submit(add, client)
        if concurrent.futures.wait([future], timeout=1.5).done:
            assert future.result()[0].status == 503
            break
        waiting.append(future)
    assert 1 <= len(waiting) <= IN_FLIGHT
    return waiting


@pytest.mark.parametrize("hold", [lambda deployment: held.frozen(deployment, "auditd"),
                                  lambda deployment: held.locked(deployment, "vault")],
                         ids=["auditd", "database"])
def test_what_waits_behind_a_slow_neighbor_is_shed(deployment, hold):
    ticket = deployment.ticket()
    clients = [deployment.vault(ticket) for _ in range(IN_FLIGHT + WAITING)]
    for client in clients:
        assert add(client)[0].status == 201  # connected
    shed_before = deployment.metrics("vaultd")["strongroom_cards_shed_total"]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        with hold(deployment):
            served = held_up(pool, clients)
            shed = [future.result(timeout=4)
                    for future in [pool.submit(add, client) for client in clients[len(served):]]]
            assert not any(future.done() for future in served), "it was not slow"
        assert [future.result()[0].status for future in served] == [201] * len(served)
    for answer, took in shed:
        assert (answer.status, answer.problem) == (503, "overloaded"), answer
        assert int(answer.headers["retry-after"]) >= 1
        assert 0.1 <= took < 2
    metrics = deployment.metrics("vaultd")
    assert metrics["strongroom_cards_shed_total"] == shed_before + len(shed) + 1
    assert metrics["strongroom_card_residence_seconds_count"] >= 2 * len(clients)
    # auditd takes a stop for a disk that hangs, until it has looked again.
    wait_until(lambda: add(clients[0])[0].status == 201, "it goes on")
    for client in clients:
        assert add(client)[0].status == 201
    deployment.strongroom("audit", "verify")
