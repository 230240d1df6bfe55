"""Whoever reads the log's files with the operators' tool stands in the log (PCI DSS 10.2.1.3), and
may read them all the same where nobody can record it."""
import os
import shutil
import subprocess

import pytest

from deployment import BIN
from running_deployment import folder, wait_until
from shop import Shop

UNRECORDED = "this reading is not in the audit log: audit-relay does not run\n"


@pytest.fixture(scope="module")
def token(deployment):
    return Shop(deployment).token()


def read(directory, *arguments, cwd=None):
    """Runs `strongroom audit ...`; what it says beside its answer."""
    done = subprocess.run([BIN / "strongroom", "audit", *arguments, "--dir", directory],
                          capture_output=True, text=True, cwd=cwd)
    assert done.returncode == 0, done
    return done.stderr


def readings(deployment):
    return [entry for entry in deployment.audit_entries(event_type="log.read")
            if entry["api"]["operation"].startswith("strongroom audit")]


def test_each_command_that_reads_the_files_is_told_once(deployment, token, tmp_path):
    facts = deployment.audit_entries(gateway_token=token)[0]["unmapped"]
    merchant = facts["merchant_id"]
    log = f"{merchant}-{facts['timestamp'][:4]}"
    wait_until(lambda: deployment.strongroom("audit", "search", "--merchant", merchant),
               "audit-relay knows the merchant's log")
    commands = [(["verify"], None, ["all logs"]),
                (["report", "--from", "2026-01-01", "--to", "2026-01-31", "--merchant", merchant],
                 merchant, ["2026-01-01 to 2026-01-31"]),
                (["prove", "--token", token], None, [token]),
                (["prove", "--log", log, "--index", "0"], merchant, [f"{log} 0"])]
    for arguments, owner, what in commands:
        before = len(readings(deployment))
        assert "not in the audit log" not in read(deployment.dir, *arguments, cwd=tmp_path)
        told = readings(deployment)[before:]
        assert len(told) == 1, arguments
        assert told[0]["api"]["operation"] == f"strongroom audit {arguments[0]}"
        assert told[0]["actor"] == {"user": {"uid": f"uid:{os.getuid()}"}, "app_uid": "audit-relay"}
        assert [resource["uid"] for resource in told[0]["resources"]] == what
        assert told[0]["unmapped"].get("merchant_id") == owner


def test_without_audit_relay_they_read_and_say_that_it_is_not_told(deployment, token, tmp_path):
    assert deployment.stop_one("audit-relay") == 0
    try:
        before = len(readings(deployment))
        for arguments in (["verify"], ["report"], ["prove", "--token", token]):
            assert read(deployment.dir, *arguments, cwd=tmp_path).count(UNRECORDED) == 1
        assert len(readings(deployment)) == before
    finally:
        deployment.start_one("audit-relay")


def test_a_copy_outside_of_a_deployment_is_nobodys_to_record(deployment):
    before = len(readings(deployment))
    with folder() as parent:
        for name in ("etc", "audit", "public"):
            shutil.copytree(deployment.dir / name, parent / "copy" / name)
        assert UNRECORDED not in read(parent / "copy", "verify")
    assert len(readings(deployment)) == before
