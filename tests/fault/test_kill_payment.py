"""kill -9 of each process between each two steps of each operation: the processor charges once, the
books of merchant, processor and audit log agree, and nothing that was reported is lost.

Each scene plays every operation at once up to one point (pay_scene.py), kills one process there,
gives back what was held, starts the process again and lets the merchant send the same requests
again, as the API says. psp-sim is not killed: it stands for a processor, whose books survive.
"""
import contextlib
import sqlite3

import pytest

import books
import held
from pay_scene import ANSWER, ATTEMPT, INTENT, NOTHING, OUTCOME, STANDING_SECONDS, Point, Scene
from running_deployment import running, wait_until
from shop import Shop

pytestmark = pytest.mark.alone  # what is held runs into timeouts on a busy machine

ANSWER_TIMEOUT = "answer_timeout_ms = 30000"
# So that silence is noticed soon, but not before a busy machine has brought a scene to its point:
# connectord may have begun to wait before the scene does.
SHORT_ANSWER_TIMEOUT = f"answer_timeout_ms = {(STANDING_SECONDS + 2) * 1000} "
HOURS_2_US = 7_200_000_000

E, T, G, V, C, A = "edged", "authd", "gatewayd", "vaultd", "connectord-stripe", "auditd"
EACH = (E, T, G, V, C, A)

# In the order of a payment's way: what is about to happen, what is held for that, what is on disk
# of first sale, other pays and changes, and who is killed. A first sale meets connectord and the
# processor earlier, for vaultd stores its card there; a change of a payment does not meet vaultd.
POINTS = (
    Point("edged asks authd", (T,), NOTHING, NOTHING, NOTHING, (E, T)),
    Point("edged asks gatewayd", (G,), NOTHING, NOTHING, NOTHING, (E, G)),
    Point("gatewayd asks vaultd", (V,), NOTHING, NOTHING, OUTCOME, (G, V)),
    Point("vaultd logs", (A,), NOTHING, NOTHING, ATTEMPT, (G, V, C, A)),
    Point("vaultd counts the use", ("vault",), NOTHING, NOTHING, OUTCOME, (G, V)),
    Point("gatewayd keeps the attempt", ("core",), NOTHING, NOTHING, NOTHING, (E, G)),
    Point("connectord is asked", (C,), NOTHING, ATTEMPT, ATTEMPT, (G, V, C)),
    Point("connectord logs", (C, A), NOTHING, ATTEMPT, ATTEMPT, (G, V, C, A)),
    Point("connectord asks", ("psp-sim",), NOTHING, INTENT, INTENT, (G, V, C)),
    Point("no answer, no effect", ("silence before",), NOTHING, INTENT, INTENT, EACH),
    Point("no answer, but effect", ("silence after",), NOTHING, INTENT, INTENT, EACH),
    Point("vaultd keeps the answer", ("psp-sim", "vault"), NOTHING, OUTCOME, OUTCOME, (G, V)),
    Point("gatewayd keeps the answer", ("psp-sim", "core"), NOTHING, ANSWER, ANSWER, (G, C, A)),
    Point("gatewayd answers", ("psp-sim", E), OUTCOME, OUTCOME, OUTCOME, (E, G)),
)
# A commit that PostgreSQL has got from a process that is dead by now can happen all the same.
COMMITS = [(point, victim, happens) for point in POINTS for name, victim, happens in (
    ("gatewayd keeps the attempt", G, True), ("gatewayd keeps the attempt", G, False),
    ("gatewayd keeps the answer", G, True), ("gatewayd keeps the answer", G, False),
    ("vaultd keeps the answer", V, True)) if name == point.step]


@contextlib.contextmanager
def impatient(deployment):
    text = deployment.config.read_text()
    assert text.count(ANSWER_TIMEOUT) == 1
    deployment.config.write_text(text.replace(ANSWER_TIMEOUT, SHORT_ANSWER_TIMEOUT))
    yield


def assert_log_is_whole(deployment):
    report = deployment.strongroom("audit", "verify")
    assert report["ok"] and report["open_intent_count"] == 0, report


@pytest.fixture(scope="module")
def deployment():
    with running("sqlite", impatient) as made:
        yield made
        assert_log_is_whole(made)


@pytest.fixture(scope="module")
def postgres_deployment():
    with running("postgres", impatient) as made:
        yield made
        assert_log_is_whole(made)


def play(deployment, point, victim, before_release=lambda: None):
    scene = Scene(deployment)
    with scene.standing_at(point):
        deployment.processes[victim].kill()
        deployment.processes[victim].wait()
        before_release()
    deployment.start_one(victim)
    for operation in scene.operations:
        operation.receive()
    scene.assert_settled()


@pytest.mark.parametrize("point, victim", [(point, victim) for point in POINTS
                                           for victim in point.victims], ids=str)
def test_killed_between_two_steps_it_moves_money_once(deployment, point, victim):
    play(deployment, point, victim)


@pytest.mark.parametrize("point, victim, happens", COMMITS, ids=str)
def test_killed_over_a_commit_that_happens_or_not(postgres_deployment, point, victim, happens):
    play(postgres_deployment, point, victim, lambda: happens or held.forget_waiting_writers(
        postgres_deployment, point.holds[-1]))


def unknown_outcomes(deployment):
    """How many gatewayd counts, and the age of the oldest in seconds."""
    metrics = deployment.metrics("gatewayd")
    return (metrics["strongroom_payment_outcomes_unknown"],
            metrics["strongroom_payment_outcome_unknown_age_seconds"])


def test_an_outcome_unknown_for_long_ages_and_alarms_after_a_restart(deployment):
    shop = Shop(deployment)
    database = deployment.state()["databases"]["core"].removeprefix("sqlite:")
    with books.processor(deployment) as processor:
        processor.fault("/v1/payment_intents", "reset", when="before_effect", count=1000)
        payment = shop.pay(shop.token()).body
        assert payment["status"] == "unknown"
        deployment.processes["gatewayd"].kill()
        deployment.processes["gatewayd"].wait()
        with contextlib.closing(sqlite3.connect(database)) as core, core:
            core.execute("UPDATE attempts SET created_at = created_at - ? WHERE payment_id = ?",
                         (HOURS_2_US, payment["id"]))
        deployment.start_one("gatewayd")
        wait_until(lambda: unknown_outcomes(deployment) >= (1, HOURS_2_US // 10**6), "its age")
        wait_until(lambda: "outcomes are unknown for long" in
                   deployment.log_path("gatewayd").read_text(), "the alarm")
        processor.delete("/_sim/faults")
    assert shop.settled(payment["id"])["status"] == "captured"
    wait_until(lambda: unknown_outcomes(deployment) == (0, 0), "nothing is unknown")
