"""Backups of a deployment that works on meanwhile: what they hold fits together all the same."""
import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from backups import OK, USAGE, Safe, added, refused
from deployment import BIN
from running_deployment import running, wait_until

TURN_SECONDS, REST_SECONDS = 0.00005, 1.2


@pytest.fixture
def safe(tmp_path):
    return Safe(tmp_path)


@pytest.fixture(scope="module")
def busy():
    with running() as deployment:
        for _ in range(30):
            deployment.new_merchant()  # each has a log of its own to be copied first
        yield deployment


@contextlib.contextmanager
def stopped_before_copying(process, part):
    """The backup has chosen what goes into `part`, and has yet to copy it. It runs for a moment at
    a time, on the processor that looks."""
    chosen, anywhere = False, os.sched_getaffinity(0)
    for pid in (0, process.pid):
        os.sched_setaffinity(pid, {min(anywhere)})
    while not chosen and process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        chosen = part.exists()
        if chosen:
            yield
        process.send_signal(signal.SIGCONT)
        time.sleep(TURN_SECONDS)
    for pid in (0, process.pid):
        os.sched_setaffinity(pid, anywhere)
    assert chosen


def test_a_slow_backup_of_a_busy_deployment_fits_together(busy, safe):
    client = busy.gateway()
    command = [BIN / "strongroom", *safe.creating(busy.dir), "--json"]
    create = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    while create.stderr.readline() not in ("strongroom: audit log\n", ""):
        pass
    with stopped_before_copying(create, safe.data / "log.part"):
        signed = (busy.dir / "audit/last-signed").read_text()
        added(client, 20)
        wait_until(lambda: (busy.dir / "audit/last-signed").read_text() != signed, "it is replaced")
        time.sleep(REST_SECONDS)
    _, reason = create.communicate()
    assert create.returncode == OK, reason
    assert safe.verify().returncode == OK


def test_what_is_no_file_is_named_and_a_whole_backup_is_kept(busy, safe, tmp_path_factory):
    added(busy.gateway(), 1)
    link = busy.dir / "secrets/elsewhere"
    link.symlink_to("/etc/hostname")
    try:
        done = safe.create(busy.dir)
    finally:
        link.unlink()
    assert refused(done, USAGE, f"{link}: neither a file nor a folder",
                   "of the keys there is no backup")
    (data,) = json.loads(done.stdout)
    assert data["kind"] == "data" and safe.verify().returncode == OK
    assert not safe.keys.exists()
    outcomes = {kind: [entry["unmapped"]["outcome"] for entry in
                       busy.audit_entries(event_type=kind)][-1]
                for kind in ("backup.create", "key.backup")}
    assert outcomes == {"backup.create": "success", "key.backup": "failed"}

    other = Safe(tmp_path_factory.mktemp("other"))
    link = busy.dir / "public/elsewhere"
    link.symlink_to("/etc")
    try:
        assert refused(other.create(busy.dir), USAGE,
                       f"{link}: neither a file nor a folder")
    finally:
        link.unlink()
