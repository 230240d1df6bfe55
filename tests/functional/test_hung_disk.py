"""The disk of the audit log hangs: nothing acts, everybody is told, and all goes on by itself when
the disk answers again.
"""
import datetime
import signal

import frozen_disk
import leak_scan
from running_deployment import running, wait_until

DISK_MEGABYTES = 64
DISK_IS_TOLD_SECONDS = 20
STOP_SECONDS = 30


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def on_a_disk_of_its_own(deployment):
    return frozen_disk.under(deployment.dir / "audit", DISK_MEGABYTES)


def is_ready(deployment):
    return all(deployment.is_ready(instance) for instance in ("auditd", "authd", "vaultd", "edged"))


def assert_nothing_acts(deployment, sent, known):
    """The first entry waits until auditd counts as absent; from then on no one waits."""
    client = deployment.gateway()
    rows = deployment.vault_rows("SELECT count(*) FROM cards")
    for answer in (client.post("/v1/tokens", sent), client.get(f"/v1/tokens/{known}"),
                   client.delete(f"/v1/tokens/{known}")):
        assert (answer.status, answer.problem) == (503, "audit-unavailable"), answer
    wait_until(lambda: "journal" in deployment.failing_checks("auditd"), "auditd names its journal")
    wait_until(lambda: "auditd" in deployment.failing_checks("vaultd"), "vaultd names auditd",
               DISK_IS_TOLD_SECONDS)
    assert deployment.vault_rows("SELECT count(*) FROM cards") == rows


def test_nothing_acts_while_the_journals_disk_hangs():
    with running(around=on_a_disk_of_its_own) as deployment:
        client = deployment.gateway()
        known, sent = client.post("/v1/tokens", card()).body["id"], card()
        with frozen_disk.frozen(deployment.dir / "audit"):
            assert_nothing_acts(deployment, sent, known)
        wait_until(lambda: is_ready(deployment), "everything is ready again")
        taken = client.post("/v1/tokens", sent)
        assert (taken.status, taken.body["duplicate"]) == (201, "new"), taken
        assert client.get(f"/v1/tokens/{known}").status == 200

        auditd = deployment.processes["auditd"]
        with frozen_disk.frozen(deployment.dir / "audit"):
            assert client.post("/v1/tokens", card()).status == 503
            auditd.send_signal(signal.SIGTERM)
        assert auditd.wait(STOP_SECONDS) == 0, "it does not hang when the disk no longer does"
        deployment.start_one("auditd")
        wait_until(lambda: is_ready(deployment), "everything is ready again")
        assert client.get(f"/v1/tokens/{taken.body['id']}").status == 200

        told = [entry["unmapped"]["outcome"] for entry in
                deployment.audit_entries(event_type="log.failure")
                if entry["resources"] == [{"uid": "disk"}]]
        assert told == ["failed", "success", "failed", "success"]
        report = deployment.strongroom("audit", "verify")
        assert report["ok"] and report["bad"] is None
