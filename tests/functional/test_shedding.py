"""A card that waits too long for its turn is shed: 503, nothing done, and its memory is free."""
import concurrent.futures
import contextlib
import datetime
import signal
import time

import psycopg2
import pytest

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


@contextlib.contextmanager
def stopped(process):
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def locked_cards(deployment):
    with contextlib.closing(psycopg2.connect(deployment.state()["databases"]["vault"])) as other:
        other.cursor().execute("LOCK TABLE cards IN SHARE MODE")
        yield
        other.rollback()


def held_up(pool, clients):
    """Adds a card at a time until one is shed: then every turn is taken, by the ones returned."""
    held = []
    for client in clients:
        future = pool.submit(add, client)
        if concurrent.futures.wait([future], timeout=1.5).done:
            assert future.result()[0].status == 503
            break
        held.append(future)
    assert 1 <= len(held) <= IN_FLIGHT
    return held


@pytest.mark.parametrize("neighbor", ["auditd", "database"])
def test_what_waits_behind_a_slow_neighbor_is_shed(deployment, neighbor):
    ticket = deployment.ticket()
    clients = [deployment.vault(ticket) for _ in range(IN_FLIGHT + WAITING)]
    for client in clients:
        assert add(client)[0].status == 201  # connected
    shed_before = deployment.metrics("vaultd")["strongroom_cards_shed_total"]
    slow = {"auditd": lambda: stopped(deployment.processes["auditd"]),
            "database": lambda: locked_cards(deployment)}[neighbor]
    with concurrent.futures.ThreadPoolExecutor(len(clients)) as pool:
        with slow():
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
