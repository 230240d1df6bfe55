"""A disk fills up under running processes: requests hear it, nothing is acknowledged that is not
durable, and everything goes on by itself when there is room again.
"""
import contextlib
import datetime

import pytest

import leak_scan
import small_disk
from aftermath import Aftermath
from card_load import CardLoad
from running_deployment import running, wait_until

DISK_MEGABYTES = 32
# auditd keeps two megabytes ahead of its entries: they go in before it hears of the full disk.
FILL_SECONDS = 60
KEY = {"name": "till", "role": "merchant_user"}

DISKS = {"database": "data/vaultd", "journal": "audit"}


@contextlib.contextmanager
def on_small_disks(deployment):
    with contextlib.ExitStack() as disks:
        for folder in DISKS.values():
            disks.enter_context(small_disk.under(deployment.dir / folder, DISK_MEGABYTES))
        yield


@pytest.fixture(scope="module")
def shaken():
    """Each test leaves it whole."""
    with running(around=on_small_disks) as deployment:
        yield deployment


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def is_ready(deployment):
    return all(deployment.is_ready(instance) for instance in ("auditd", "authd", "vaultd"))


def test_requests_hear_that_the_databases_disk_is_full(shaken):
    client, pid = shaken.gateway(), shaken.processes["vaultd"].pid
    kept = [client.post("/v1/tokens", card()).body["id"]]

    def is_told():
        """A page or two may still find room in what a transaction before has left."""
        answer = client.post("/v1/tokens", card())
        if answer.status == 201:
            kept.append(answer.body["id"])
            return False
        assert (answer.status, answer.problem) == (503, "disk-unavailable"), answer
        assert int(answer.headers["retry-after"]) >= 1
        return shaken.failing_checks("vaultd") == {"disk"}

    with small_disk.filled(shaken.dir / DISKS["database"]):
        wait_until(is_told, "vaultd names its disk")
        assert client.get(f"/v1/tokens/{kept[0]}").status == 200, "a look-up writes nothing there"
    wait_until(lambda: is_ready(shaken), "room is found without a request")
    assert client.post("/v1/tokens", card()).status == 201
    assert [client.get(f"/v1/tokens/{token}").status for token in kept] == [200] * len(kept)
    assert shaken.processes["vaultd"].pid == pid and shaken.processes["vaultd"].poll() is None


@pytest.mark.parametrize("disk", DISKS)
def test_nothing_promised_is_lost_on_a_full_disk(shaken, disk):
    before = {name: process.pid for name, process in shaken.processes.items()}
    with CardLoad(shaken) as load:
        wait_until(lambda: load.promised_cards, "load")
        with small_disk.filled(shaken.dir / DISKS[disk]):
            wait_until(lambda: load.failures[0] > 0, "somebody hears it", FILL_SECONDS)
            if disk == "journal":
                wait_until(lambda: "journal" in shaken.failing_checks("auditd"), "auditd says so")
                wait_until(lambda: "auditd" in shaken.failing_checks("vaultd"), "vaultd says so")
        wait_until(lambda: is_ready(shaken), "everything is ready again")
        promised = len(load.promised_cards)
        wait_until(lambda: len(load.promised_cards) > promised, "load again")
    assert load.unexpected == [] and load.failures[1] == 0
    Aftermath(shaken, load).assert_all()
    assert before == {name: process.pid for name, process in shaken.processes.items()
                      if process.poll() is None}, "a process did not live through it"


def test_requests_hear_that_the_journals_disk_is_full(shaken):
    """It takes nothing from its start on, and takes entries again without a restart."""
    client = shaken.gateway()
    token = client.post("/v1/tokens", card()).body["id"]
    assert shaken.stop_one("auditd") == 0
    rows = shaken.vault_rows("SELECT count(*) FROM cards")
    sent = card()
    with small_disk.filled(shaken.dir / DISKS["journal"]):
        shaken.start_one("auditd", ready=False)
        wait_until(lambda: says_journal(shaken), "auditd names its journal")
        for answer in (client.post("/v1/tokens", sent), client.get(f"/v1/tokens/{token}"),
                       client.delete(f"/v1/tokens/{token}")):
            assert (answer.status, answer.problem) == (503, "audit-unavailable"), answer
        assert shaken.vault_rows("SELECT count(*) FROM cards") == rows
    wait_until(lambda: is_ready(shaken), "room is found without a restart")
    assert client.post("/v1/tokens", sent).body["duplicate"] == "new"
    assert client.get(f"/v1/tokens/{token}").status == 200
    report = shaken.strongroom("audit", "verify")
    assert report["ok"] and report["bad"] is None


def says_journal(deployment):
    with contextlib.suppress(ConnectionError, FileNotFoundError):  # not so far yet
        return "journal" in deployment.failing_checks("auditd")
    return False


@contextlib.contextmanager
def with_a_reserve(deployment):
    text = deployment.config.read_text()
    deployment.config.write_text(text.replace("reserve_mib = 64", "reserve_mib = 32"))
    with small_disk.under(deployment.dir / "audit", 3 * DISK_MEGABYTES):
        yield


def test_full_journal_disk_keeps_its_reserve_for_the_cde():
    """Cards are taken and found while nobody else may write; all may when there is room again."""
    with running(around=with_a_reserve) as deployment:
        client = deployment.gateway()
        assert deployment.stop_one("auditd") == 0
        with small_disk.filled(deployment.dir / "audit"):
            deployment.start_one("auditd", ready=False)
            wait_until(lambda: deployment.is_ready("vaultd"), "vaultd writes into the reserve")
            token = client.post("/v1/tokens", card())
            assert token.status == 201, token
            assert client.get(f"/v1/tokens/{token.body['id']}").status == 200
            refused = client.post("/v1/api-keys", KEY)
            assert (refused.status, refused.problem) == (503, "audit-unavailable"), refused
            assert "auditd" in deployment.failing_checks("authd")
            assert any("disk is full" in warning for warning in warnings_of(deployment))
        wait_until(lambda: is_ready(deployment), "all may write again")
        assert client.post("/v1/api-keys", KEY).status == 201
        assert not any("disk is full" in warning for warning in warnings_of(deployment))
        told = [entry["unmapped"] for entry in deployment.audit_entries(event_type="log.failure")
                if entry["resources"] == [{"uid": "reserve"}]]
        assert [entry["outcome"] for entry in told] == ["failed", "success"]
        assert told[0]["operation_id"] == told[1]["operation_id"]
        report = deployment.strongroom("audit", "verify")
        assert report["ok"] and report["bad"] is None


def warnings_of(deployment):
    return deployment.admin("auditd", "GET", "/readyz")[1]["warnings"]
