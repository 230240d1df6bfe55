"""kill -9 under load: nothing that was promised is lost, and the log says what happened.

Promised is what a client was answered. A card is added over two connections at once, so that kills
also fall between two first adds of one card.
"""
import json
import os
import signal
import time

import pytest

import deployment as d
from aftermath import Aftermath
from card_load import CardLoad
from children import READY_SECONDS
from running_deployment import running, wait_until

KILLS = 3
CARDS_BETWEEN_KILLS = 40

EVERY_PROCESS = "every process"
# Of the others' death no card takes notice; payments do.
VICTIMS = ("auditd", "authd", "vaultd", "edged")
SCENES = [("sqlite", victim) for victim in (*VICTIMS, EVERY_PROCESS)]
SCENES += [("postgres", victim) for victim in ("vaultd", "postgres", EVERY_PROCESS)]


def kill(deployment, victim):
    names = list(deployment.processes) if victim == EVERY_PROCESS else [victim]
    for name in names:
        os.kill(deployment.processes[name].pid, signal.SIGKILL)
    for name in names:
        deployment.processes[name].wait()


def restart(deployment):
    """As `./dev up` does; returns the seconds until everything was ready."""
    begin = time.monotonic()

    def all_ready():
        deployment.supervisor.watch_once()
        return all(process.poll() is None for process in deployment.processes.values()) and \
            all(deployment.is_ready(instance) for instance in d.DAEMONS)

    wait_until(all_ready, "every process ready again", READY_SECONDS)
    return time.monotonic() - begin


class Killed(Aftermath):
    """Aftermath of a scene, and how long each kill was felt."""

    def __init__(self, scene, deployment, load, seconds_down):
        super().__init__(deployment, load)
        self.scene = scene
        self.seconds_down = seconds_down

    def closed_at_start(self):
        """How many operations vaultd found open when it came up, and settled from its database."""
        lines = map(json.loads, self.deployment.log_path("vaultd").read_text().splitlines())
        return sum(line.get("count", 0) for line in lines
                   if line.get("event") == "open intents closed")


@pytest.fixture(scope="module", params=SCENES, ids=lambda scene: "-".join(scene).replace(" ", "-"))
def aftermath(request):
    database, victim = request.param
    with running(database) as deployment:
        downs = []
        with CardLoad(deployment) as load:
            for _ in range(KILLS):
                before = len(load.promised_cards)
                wait_until(lambda: len(load.promised_cards) >= before + CARDS_BETWEEN_KILLS,
                           "load", READY_SECONDS)
                kill(deployment, victim)
                downs.append(restart(deployment))
            before = len(load.promised_cards)
            wait_until(lambda: len(load.promised_cards) > before, "load again", READY_SECONDS)
        yield Killed(f"{victim} on {database}", deployment, load, downs)


def test_kills_fell_into_load_that_was_served_or_excused(aftermath, record_property):
    load = aftermath.load
    excused, lost = load.failures
    record_property(f"kill -9, {aftermath.scene}", {
        "cards": len(load.cards), "promises": len(load.request_ids), "excused": excused,
        "lost": lost, "intents closed at start": aftermath.closed_at_start(),
        "seconds to ready": [round(seconds, 2) for seconds in aftermath.seconds_down]})
    assert excused + lost > 0, "nobody noticed the kills"
    assert load.unexpected == []


def test_every_card_has_one_token(aftermath):
    aftermath.assert_one_token_per_card()


def test_every_promised_token_is_read_afterwards(aftermath):
    aftermath.assert_promised_tokens_are_read()


def test_a_card_whose_answer_was_lost_is_added_once(aftermath):
    aftermath.assert_lost_cards_are_added_once()


def test_every_row_has_its_intent_and_every_outcome_is_true(aftermath):
    aftermath.assert_rows_have_their_intents()
    assert len(aftermath.rows) >= KILLS * CARDS_BETWEEN_KILLS


def test_every_deletion_has_its_intent_and_is_whole(aftermath):
    aftermath.assert_deletions_are_whole()


def test_every_promise_is_in_the_log(aftermath):
    aftermath.assert_promises_are_logged()


def test_log_verifies(aftermath):
    aftermath.assert_log_verifies()
