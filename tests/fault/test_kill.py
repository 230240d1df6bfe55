"""kill -9 under load: nothing that was promised is lost, and the log says what happened.

Promised is what a client was answered. A card is added over two connections at once, so that kills
also fall between two first adds of one card.
"""
import collections
import json
import os
import signal
import subprocess
import time

import pytest

import api
import audit_journal
import deployment as d
import vault_rows
from card_load import CardLoad, card_body
from children import READY_SECONDS
from running_deployment import running, wait_until

KILLS = 3
CARDS_BETWEEN_KILLS = 40
CLOSE_SECONDS = 30  # vaultd settles an operation of unknown end after ten

EVERY_PROCESS = "every process"
SCENES = [("sqlite", victim) for victim in (*d.DAEMONS, EVERY_PROCESS)]
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


class Aftermath:
    """What clients were told, the database and the log, when all is quiet again."""

    def __init__(self, scene, deployment, load, seconds_down):
        self.scene = scene
        self.deployment = deployment
        self.load = load
        self.seconds_down = seconds_down
        self.report = wait_until(self._closed_report, "no open intent", CLOSE_SECONDS)
        self.rows = vault_rows.read(deployment)
        self.entries = audit_journal.entries(deployment.dir / "audit")

    def verify(self):
        done = subprocess.run([d.BIN / "strongroom", "audit", "verify", "--dir",
                               self.deployment.dir, "--json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def _closed_report(self):
        report = self.verify()
        return report if report["open_intent_count"] == 0 else None

    def closed_at_start(self):
        """How many operations vaultd found open when it came up, and settled from its database."""
        lines = map(json.loads, self.deployment.log_path("vaultd").read_text().splitlines())
        return sum(line.get("count", 0) for line in lines
                   if line.get("event") == "open intents closed")

    def intents(self, event_type):
        return [entry["unmapped"] for entry in self.entries
                if entry["unmapped"]["event_type"] == event_type
                and entry["unmapped"]["phase"] == "intent"]

    def outcomes(self):
        """Outcomes by operation."""
        found = collections.defaultdict(list)
        for entry in self.entries:
            if entry["unmapped"]["phase"] == "outcome":
                found[entry["unmapped"]["operation_id"]].append(entry["unmapped"]["outcome"])
        return found


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
        yield Aftermath(f"{victim} on {database}", deployment, load, downs)


@pytest.fixture(scope="module")
def client(aftermath):
    state = aftermath.deployment.state()
    made = api.Api(state["gateway_url"], state["ca_cert"], state["api_key"])
    yield made
    made.close()


def test_kills_fell_into_load_that_was_served_or_excused(aftermath, record_testsuite_property):
    load = aftermath.load
    excused, lost = load.failures
    record_testsuite_property(f"kill -9, {aftermath.scene}", {
        "cards": len(load.cards), "promises": len(load.request_ids), "excused": excused,
        "lost": lost, "intents closed at start": aftermath.closed_at_start(),
        "seconds to ready": [round(seconds, 2) for seconds in aftermath.seconds_down]})
    assert excused + lost > 0, "nobody noticed the kills"
    assert load.unexpected == []


def test_every_card_has_one_token(aftermath):
    assert [card.tokens for card in aftermath.load.cards if len(card.tokens) > 1] == []
    assert [card.tokens for card in aftermath.load.cards if card.created > 1] == []


def test_every_promised_token_is_read_afterwards(aftermath, client):
    for card in aftermath.load.promised_cards:
        status, token, _ = client.call("GET", f"/v1/tokens/{min(card.tokens)}")
        if card.delete_acknowledged:
            assert status == 410
        elif not card.delete_sent:
            assert status == 200, token
            assert (token["card"]["bin"], token["card"]["last4"]) == (card.pan[:6], card.pan[-4:])
        else:
            assert status in (200, 410)


def test_a_card_whose_answer_was_lost_is_added_once(aftermath, client):
    """The client asks again, and gets the token that was made, if one was."""
    for card in aftermath.load.cards:
        if not card.tokens:
            status, token, _ = client.call("POST", "/v1/tokens", card_body(card.pan))
            assert status in (200, 201), token
            there = vault_rows.token_hash(token["id"]) in aftermath.rows
            assert there == (token["duplicate"] == "same")


def test_every_row_has_its_intent_and_every_outcome_is_true(aftermath):
    outcomes = aftermath.outcomes()
    created = set()
    for intent in aftermath.intents("token.create"):
        digest = vault_rows.token_hash(intent["gateway_token"])
        expected = "done" if digest in aftermath.rows else "not_done"
        assert outcomes[intent["operation_id"]] == [expected]
        if expected == "done":
            created.add(digest)
    assert created == set(aftermath.rows)
    assert len(created) >= KILLS * CARDS_BETWEEN_KILLS


def test_every_deletion_has_its_intent_and_is_whole(aftermath):
    outcomes = aftermath.outcomes()
    deleted = {vault_rows.token_hash(intent["gateway_token"])
               for intent in aftermath.intents("token.delete")
               if outcomes[intent["operation_id"]] == ["done"]}
    assert deleted == {digest for digest, row in aftermath.rows.items() if row.deleted}
    assert all(row.has_key != row.deleted for row in aftermath.rows.values())


def test_every_promise_is_in_the_log(aftermath):
    logged = {entry["unmapped"].get("request_id") for entry in aftermath.entries}
    assert [identifier for identifier in aftermath.load.request_ids
            if identifier not in logged] == []


def test_log_verifies(aftermath):
    report = aftermath.verify()
    assert report["ok"] and report["bad"] is None
    assert report["entries"] >= len(aftermath.entries) > len(aftermath.load.request_ids)
