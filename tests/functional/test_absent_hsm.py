"""The HSM goes away under vaultd and comes back: requests hear it, nothing is half done, and no
restart is needed. The HSM is SoftHSM behind a module whose token a file takes away.
"""
import datetime

import pytest

import leak_scan
from aftermath import Aftermath
from card_load import CardLoad
from faulty_hsm import MODULE, behind_faulty_module, hsm_away
from running_deployment import running, wait_until

ABSENCES = 3
CARDS_BETWEEN_ABSENCES = 20

pytestmark = pytest.mark.skipif(not MODULE.exists(), reason=f"{MODULE} is not built")


@pytest.fixture(scope="module", params=[("sqlite", True), ("postgres", False)],
                ids=["sqlite-inline", "postgres-threads"])
def shaken(request):
    """Each test leaves it whole."""
    database, inline = request.param
    with running(database, behind_faulty_module(inline)) as deployment:
        yield deployment


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def assert_unavailable(answer):
    assert (answer.status, answer.problem) == (503, "hsm-unavailable"), answer
    assert int(answer.headers["retry-after"]) >= 1


def told(deployment):
    return deployment.audit_entries(event_type="token.create")


def test_requests_hear_that_the_hsm_is_away(shaken):
    client = shaken.gateway()
    known = card()
    token, doomed = (client.post("/v1/tokens", sent).body["id"] for sent in (known, card()))
    wait_until(lambda: shaken.strongroom("audit", "verify")["open_intent_count"] == 0, "quiet")
    sent, before, entries = card(), shaken.processes["vaultd"].pid, told(shaken)
    rows = shaken.vault_rows("SELECT count(*) FROM cards")
    with hsm_away(shaken):
        for body in (sent, known, sent):
            assert_unavailable(client.post("/v1/tokens", body))
        assert_unavailable(client.get(f"/v1/tokens/{token}"))
        wait_until(lambda: shaken.failing_checks("vaultd") == {"hsm"}, "vaultd names the HSM")
        assert client.delete(f"/v1/tokens/{doomed}").status == 204, "erasing needs no key"
        assert shaken.vault_rows("SELECT count(*) FROM cards") == rows
        assert told(shaken) == entries, "an act was announced that nobody can do"
    wait_until(lambda: shaken.is_ready("vaultd"), "vaultd is ready again")
    made = client.post("/v1/tokens", sent)
    assert (made.status, made.body["duplicate"]) == (201, "new")
    again = client.post("/v1/tokens", known)
    assert (again.status, again.body["id"]) == (200, token)
    assert client.get(f"/v1/tokens/{token}").status == 200
    assert client.get(f"/v1/tokens/{doomed}").status == 410
    assert shaken.processes["vaultd"].pid == before and shaken.processes["vaultd"].poll() is None


def test_nothing_is_half_done_when_the_hsm_goes_under_load(shaken):
    rows = set(shaken.vault_rows("SELECT token_hash FROM cards"))
    with CardLoad(shaken) as load:
        for _ in range(ABSENCES):
            before = len(load.promised_cards)
            wait_until(lambda: len(load.promised_cards) >= before + CARDS_BETWEEN_ABSENCES, "load")
            excused, _ = load.failures
            with hsm_away(shaken):
                wait_until(lambda: load.failures[0] > excused, "somebody hears it")
            wait_until(lambda: shaken.is_ready("vaultd"), "vaultd is ready again")
        before = len(load.promised_cards)
        wait_until(lambda: len(load.promised_cards) > before, "load again")
    assert load.unexpected == [] and load.failures[1] == 0
    assert rows < set(shaken.vault_rows("SELECT token_hash FROM cards"))
    Aftermath(shaken, load).assert_all()


def test_start_without_the_hsm_ends_and_says_why_until_it_is_there(shaken):
    """A wrong label and an absent token look the same: no start guesses which it is."""
    assert shaken.stop_one("vaultd") == 0
    with hsm_away(shaken):
        shaken.start_one("vaultd", ready=False)
        assert shaken.processes["vaultd"].wait(20) == 2
        said = shaken.log_path("vaultd").read_text().splitlines()[-1]
        assert said.startswith("vaultd: HSM token 'strongroom': "), said

    def supervised():
        shaken.supervisor.watch_once()
        return shaken.is_ready("vaultd")

    wait_until(supervised, "a supervised vaultd starts")
    assert shaken.gateway().post("/v1/tokens", card()).status == 201
