"""A part that is away: requests hear 503 within bounded time, the processes live, and everything
goes on by itself when the part is back. Nothing was done that the log does not hold.
"""
import contextlib
import datetime
import signal
import time

import pytest

import leak_scan
from held import frozen
from running_deployment import running, wait_until

# The longest wait of a request: a turn, a connection, an answer (docs/pan-existence.md, place 2).
ANSWER_SECONDS_MAX = 20


@pytest.fixture(scope="module")
def shaken():
    """A deployment on SQLite whose processes come and go; each test leaves it whole."""
    with running() as deployment:
        yield deployment


@pytest.fixture(scope="module")
def shaken_postgres():
    with running("postgres") as deployment:
        yield deployment


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


@pytest.fixture
def client(shaken):
    return shaken.gateway(timeout=30)


@contextlib.contextmanager
def stopped(deployment, instance):
    """`instance` is away; it comes back at the end."""
    assert deployment.stop_one(instance) == 0
    try:
        yield
    finally:
        deployment.start_one(instance, ready=False)


@contextlib.contextmanager
def postgres_stopped(deployment):
    server = deployment.processes["postgres"]
    server.send_signal(signal.SIGINT)  # SIGTERM would wait for the daemons to leave
    assert server.wait(10) == 0
    try:
        yield
    finally:
        deployment.processes["postgres"] = deployment.postgres.start()


def assert_unavailable(answer, *problems):
    assert answer.status == 503 and answer.problem in problems, answer
    assert int(answer.headers.get("retry-after", 1)) >= 1


def timed(call, *arguments):
    begin = time.monotonic()
    answer = call(*arguments)
    return time.monotonic() - begin, answer


def recovers(deployment, client):
    """Everything is ready, and a new card is taken, without a word from outside."""
    for instance in deployment.processes:
        if instance != "postgres":
            wait_until(lambda: deployment.is_ready(instance), f"{instance} is ready again")
    return wait_until(lambda: (made := client.post("/v1/tokens", card())).status == 201 and made,
                      "a card is taken again")


def waits_for(deployment, instance, checks):
    with contextlib.suppress(ConnectionError, FileNotFoundError):  # not so far yet
        return checks <= deployment.failing_checks(instance)
    return False


def pids(deployment):
    return {name: process.pid for name, process in deployment.processes.items()}


def test_nothing_is_done_while_auditd_is_away(shaken, client):
    token = client.post("/v1/tokens", card()).body["id"]
    rows = shaken.vault_rows("SELECT count(*) FROM cards")
    sent, before = card(), pids(shaken)
    with stopped(shaken, "auditd"):
        for answer in (client.post("/v1/tokens", sent), client.get(f"/v1/tokens/{token}"),
                       client.delete(f"/v1/tokens/{token}")):
            assert_unavailable(answer, "audit-unavailable")
        assert shaken.failing_checks("vaultd") == {"auditd"}
        assert shaken.vault_rows("SELECT count(*) FROM cards") == rows
    recovers(shaken, client)
    made = client.post("/v1/tokens", sent)
    assert (made.status, made.body["duplicate"]) == (201, "new")
    assert client.get(f"/v1/tokens/{token}").status == 200
    after = pids(shaken)
    assert {**after, "auditd": 0} == {**before, "auditd": 0}, "a process did not live through it"


def test_frozen_auditd_is_answered_for_within_bounded_time(shaken, client):
    with frozen(shaken, "auditd"):
        seconds, answer = timed(client.post, "/v1/tokens", card())
        print(f"503 after {seconds:.1f} s")
        assert_unavailable(answer, "audit-unavailable")
        assert seconds < ANSWER_SECONDS_MAX
    recovers(shaken, client)


def test_requests_hear_that_authd_is_away(shaken, client):
    with stopped(shaken, "authd"):
        time.sleep(1.1)  # a ticket is kept for a second
        assert_unavailable(client.post("/v1/tokens", card()), "service-unavailable")
        assert client.get("/healthz").status == 200
    recovers(shaken, client)


def test_requests_hear_that_vaultd_is_away(shaken, client):
    with stopped(shaken, "vaultd"):
        assert_unavailable(client.post("/v1/tokens", card()), "service-unavailable")
    recovers(shaken, client)


def test_frozen_vaultd_is_answered_for_and_the_request_may_be_repeated(shaken, client):
    sent = card()
    with frozen(shaken, "vaultd"):
        seconds, answer = timed(client.post, "/v1/tokens", sent)
        print(f"503 after {seconds:.1f} s")
        assert_unavailable(answer, "service-unavailable")
        assert seconds < ANSWER_SECONDS_MAX
    recovers(shaken, client)
    first, second = client.post("/v1/tokens", sent), client.post("/v1/tokens", sent)
    assert first.status in (200, 201) and second.body["id"] == first.body["id"]


def test_requests_hear_that_the_database_is_away(shaken_postgres):
    deployment, client = shaken_postgres, shaken_postgres.gateway(timeout=30)
    vault = deployment.vault()  # its ticket outlives the absence: authd's database is away too
    token = client.post("/v1/tokens", card()).body["id"]
    before = pids(deployment)
    with postgres_stopped(deployment):
        for method in ("GET", "DELETE"):
            seconds, answer = timed(vault.call, method, f"/v1/cards/{token}")
            assert_unavailable(answer, "database-unavailable")
            assert seconds < ANSWER_SECONDS_MAX
        assert_unavailable(vault.post("/v1/cards", card()), "database-unavailable")
        for instance in ("vaultd", "authd"):
            wait_until(lambda: "database" in deployment.failing_checks(instance),
                       f"{instance} names the database")
    recovers(deployment, client)
    assert client.get(f"/v1/tokens/{token}").status == 200
    after = pids(deployment)
    assert {**after, "postgres": 0} == {**before, "postgres": 0}


def test_start_waits_for_the_database(shaken_postgres):
    deployment = shaken_postgres
    assert deployment.stop_one("vaultd") == 0
    with postgres_stopped(deployment):
        deployment.start_one("vaultd", ready=False)
        wait_until(lambda: waits_for(deployment, "vaultd", {"database", "recovery"}),
                   "vaultd waits")
    recovers(deployment, deployment.gateway())


def test_frozen_database_is_answered_for_and_every_intent_is_settled(shaken_postgres):
    deployment, client = shaken_postgres, shaken_postgres.gateway(timeout=30)
    vault = deployment.vault()
    sent = card()
    with frozen(deployment, "postgres"):
        seconds, answer = timed(vault.post, "/v1/cards", sent)
        print(f"503 after {seconds:.1f} s")
        assert_unavailable(answer, "database-unavailable")
        assert seconds < ANSWER_SECONDS_MAX
    recovers(deployment, client)
    first, second = client.post("/v1/tokens", sent), client.post("/v1/tokens", sent)
    assert first.status in (200, 201) and second.body["id"] == first.body["id"]
    wait_until(lambda: deployment.strongroom("audit", "verify")["open_intent_count"] == 0,
               "every intent has its outcome")
    rows = deployment.vault_rows("SELECT count(*) FROM cards WHERE deleted_at IS NULL")[0][0]
    done = [entry for entry in deployment.audit_entries(event_type="token.create")
            if entry["unmapped"].get("outcome") == "done"]
    assert len(done) == rows, "the log and the database differ"


def test_restart_keeps_cards_and_keys(shaken, client):
    token = client.post("/v1/tokens", card()).body["id"]
    for instance in ("edged", "vaultd", "authd", "auditd"):
        assert shaken.stop_one(instance) == 0
    for instance in ("auditd", "authd", "vaultd", "edged"):
        shaken.start_one(instance)
    assert shaken.gateway().get(f"/v1/tokens/{token}").status == 200


def test_start_waits_for_what_it_needs(shaken):
    """Whoever starts first waits: the order of starts is nobody's concern."""
    for instance in ("edged", "vaultd", "authd", "auditd"):
        assert shaken.stop_one(instance) == 0
    for instance in ("edged", "vaultd", "authd"):
        shaken.start_one(instance, ready=False)
    wait_until(lambda: waits_for(shaken, "vaultd", {"auditd", "recovery"}), "vaultd waits")
    wait_until(lambda: waits_for(shaken, "authd", {"auditd"}), "authd waits")
    shaken.start_one("auditd")
    recovers(shaken, shaken.gateway())
