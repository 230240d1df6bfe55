"""A database leaves the store by --dump only as the audit log tells it: who, which one, what."""
import base64
import hashlib
import os
import subprocess

import pytest

from backups import DATABASES, OK, USAGE
from deployment import BIN
from running_deployment import running

BEFORE, BEHIND = "begin", "end"


@pytest.fixture(scope="module")
def deployment():
    with running() as one:
        yield one


def dump(deployment, daemon):
    return subprocess.run([str(BIN / daemon), "--config", str(deployment.config), "--dump"],
                          capture_output=True, timeout=60)


def told(deployment, since):
    """What the log says of dumps behind its first `since` entries of backups."""
    entries = deployment.audit_entries(event_type="backup.create")
    return [(entry["api"]["operation"], entry["unmapped"]["outcome"],
             entry["actor"]["user"]["uid"], [one["uid"] for one in entry["resources"]],
             entry["unmapped"].get("sha256")) for entry in entries[since:]]


def count(deployment):
    return len(deployment.audit_entries(event_type="backup.create"))


@pytest.mark.parametrize("database", DATABASES)
def test_a_dump_is_told_of_before_and_behind(deployment, database):
    since = count(deployment)
    done = dump(deployment, DATABASES[database])
    assert done.returncode == OK, done.stderr
    assert done.stdout.startswith(b"SRDUMP01")
    before, behind = told(deployment, since)
    user, digest = f"uid:{os.getuid()}", base64.b64encode(hashlib.sha256(done.stdout).digest())
    assert before == (BEFORE, "success", user, before[3], None)
    assert behind == (BEHIND, "success", user, before[3], digest.decode())
    name, which = before[3]
    assert name.startswith("dump ") and which == database


def test_a_dump_that_fails_is_told_of_as_such(deployment):
    folder = deployment.dir / "data/gatewayd"
    folder.rename(folder.with_name("away"))
    folder.mkdir(mode=0o700)
    try:
        since = count(deployment)
        assert dump(deployment, "gatewayd").returncode == USAGE
    finally:
        folder.rmdir()
        folder.with_name("away").rename(folder)
    assert [entry[:2] for entry in told(deployment, since)] == [(BEFORE, "success"),
                                                              (BEHIND, "failed")]


def test_nothing_is_dumped_that_is_not_told_of(deployment):
    assert deployment.stop_one("auditd") == 0
    try:
        for daemon in DATABASES.values():
            done = dump(deployment, daemon)
            assert (done.returncode, done.stdout) == (USAGE, b"")
            assert b"auditd does not record this dump, so there is none" in done.stderr
    finally:
        deployment.start_one("auditd")
