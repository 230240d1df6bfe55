"""A database leaves the store by --dump only as the audit log tells it: who, which one, what."""
import base64
import hashlib
import os
import subprocess

import pytest

import small_disk
from backups import DATABASES, OK, USAGE, added
from deployment import BIN
from running_deployment import running, wait_until

BEFORE, BEHIND = "begin", "end"
CARDS = 100  # in a dump of more than PIPE_BYTES
PIPE_BYTES = 4096
DISK_BYTES, ROOM_BYTES = 1 << 20, 1 << 13


@pytest.fixture(scope="module")
def deployment():
    with running() as one:
        yield one


def dumping(deployment, daemon):
    return [str(BIN / daemon), "--config", str(deployment.config), "--dump"]


def dump(deployment, daemon):
    return subprocess.run(dumping(deployment, daemon), capture_output=True, timeout=60)


def sha256(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def told(deployment, since):
    """What the log says of dumps behind its first `since` entries of backups."""
    entries = deployment.audit_entries(event_type="backup.create")
    return [(entry["api"]["operation"], entry["unmapped"]["outcome"],
             entry["actor"]["user"]["uid"], [one["uid"] for one in entry["resources"]],
             entry["unmapped"].get("sha256"), entry["unmapped"].get("new_size_bytes"))
            for entry in entries[since:]]


def count(deployment):
    return len(deployment.audit_entries(event_type="backup.create"))


@pytest.mark.parametrize("database", DATABASES)
def test_a_dump_is_told_of_before_and_behind(deployment, database):
    since = count(deployment)
    done = dump(deployment, DATABASES[database])
    assert done.returncode == OK, done.stderr
    assert done.stdout.startswith(b"SRDUMP01")
    before, behind = told(deployment, since)
    user = f"uid:{os.getuid()}"
    assert before == (BEFORE, "success", user, before[3], None, None)
    assert behind == (BEHIND, "success", user, before[3], sha256(done.stdout), len(done.stdout))
    name, which = before[3]
    assert name.startswith("dump ") and which == database


def test_a_dump_that_fails_is_told_of_as_such(deployment):
    assert deployment.stop_one("gatewayd") == 0
    folder = deployment.dir / "data/gatewayd"
    folder.rename(folder.with_name("away"))
    folder.mkdir(mode=0o700)
    try:
        since = count(deployment)
        assert dump(deployment, "gatewayd").returncode == USAGE
    finally:
        folder.rmdir()
        folder.with_name("away").rename(folder)
        deployment.start_one("gatewayd")
    before, behind = told(deployment, since)
    assert before[:2] == (BEFORE, "success")
    assert behind == (BEHIND, "failed", *before[2:4], sha256(b""), 0)


def test_of_a_dump_that_breaks_off_it_is_told_what_was_given(deployment, tmp_path):
    added(deployment.gateway(), CARDS)
    since, disk = count(deployment), tmp_path / "disk"
    disk.mkdir()
    with small_disk.under(disk, megabytes=DISK_BYTES >> 20):
        (disk / "filler").write_bytes(bytes(DISK_BYTES - ROOM_BYTES))
        with open(disk / "dump", "wb") as file:
            done = subprocess.run(dumping(deployment, "vaultd"), stdout=file,
                                  stderr=subprocess.PIPE, timeout=60)
        given = (disk / "dump").read_bytes()
    assert done.returncode == USAGE and b"dump cannot be written" in done.stderr, done.stderr
    assert given.startswith(b"SRDUMP01")
    assert told(deployment, since)[-1][-2:] == (sha256(given), len(given))
    assert told(deployment, since)[-1][1] == "failed"


def test_a_dump_whose_end_is_not_told_of_is_to_be_destroyed(deployment):
    added(deployment.gateway(), CARDS)
    since = count(deployment)
    given = subprocess.Popen(dumping(deployment, "vaultd"), stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, pipesize=PIPE_BYTES)
    wait_until(lambda: count(deployment) > since, "it is begun")
    assert deployment.stop_one("auditd") == 0
    try:
        content, reason = given.communicate(timeout=60)
    finally:
        deployment.start_one("auditd")
    assert given.returncode == USAGE and content.startswith(b"SRDUMP01")
    assert len(content) > PIPE_BYTES
    assert b"the dump was given, but auditd does not record its end: destroy it" in reason
    assert b"there is none" not in reason and b"auditd.admin.sock: " in reason
    assert [entry[0] for entry in told(deployment, since)] == [BEFORE]


def test_an_end_without_a_hash_is_not_taken(deployment):
    since = count(deployment)
    said = {"id": "ab" * 16, "kind": "dump", "parts": ["vault"]}
    assert deployment.admin("auditd", "POST", "/v1/backups", said | {"act": "end"})[0] == 422
    assert deployment.admin("auditd", "POST", "/v1/backups", said | {"act": "failed"})[0] == 200
    assert [entry[:2] for entry in told(deployment, since)] == [(BEHIND, "failed")]


def test_nothing_is_dumped_that_is_not_told_of(deployment):
    assert deployment.stop_one("auditd") == 0
    try:
        for daemon in DATABASES.values():
            done = dump(deployment, daemon)
            assert (done.returncode, done.stdout) == (USAGE, b"")
            assert b"auditd does not record this dump, so there is none" in done.stderr
    finally:
        deployment.start_one("auditd")
