"""What is old leaves the journal for archives, comes back when it is asked for, can be proved then,
and is removed only when its lock is over. With one daemon, auditd, for which everything is old.
"""
import datetime
import json
import shutil
import subprocess

import pytest

import immutable
import tlog
from deployment import BIN
from running_deployment import RunningDeployment, folder

SEGMENT = "journal-00000000000000000001.log"


class Archives:
    def __init__(self, deployment):
        self.deployment = deployment
        self.dir = deployment.dir

    def audit(self, *arguments):
        """Exit status, what was printed (JSON as such), and the reason of a refusal."""
        done = subprocess.run([BIN / "strongroom", "audit", *map(str, arguments), "--dir", self.dir,
                               "--json"], capture_output=True, text=True)
        return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr

    def list(self):
        return self.audit("archives")[1]


@pytest.fixture(scope="module")
def archives():
    with folder() as path:
        made = RunningDeployment(path / "made")
        made.create("sqlite")
        text = made.config.read_text()
        made.config.write_text(text.replace("archive_key =",
                                            "at_hand_days = 0\nkeep_days = 0\narchive_key =", 1))
        made.start_one("auditd")
        yield Archives(made)
        assert made.stop_one("auditd") == 0


@pytest.fixture(scope="module")
def log(archives):
    """The operator's log, once its first entries are in an archive."""
    status, made, _ = archives.audit("archive")
    assert (status, made) == (0, {"archived": 1})
    return next((archives.dir / "audit/trees").iterdir()).name


def prove(archives, log, out):
    return archives.audit("prove", "--log", log, "--index", 0, "--out", out)


def test_an_archived_entry_is_back_for_its_proof(archives, log, tmp_path):
    (archive,) = archives.list()
    assert archive["readable"] and archive["first_sequence"] == 1
    assert not (archives.dir / "audit" / SEGMENT).exists()
    status, _, reason = prove(archives, log, tmp_path)
    assert status != 0 and "archive" in reason
    status, report, _ = archives.audit("verify")
    assert status == 0 and report["ok"] and report["unread_entries"] == archive["entries"]

    status, restored, _ = archives.audit("restore", "--log", log, "--index", 0)
    assert status == 0
    week = datetime.datetime.fromisoformat(restored["restored_until"])
    assert week > datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=6)
    status, (proof,), _ = prove(archives, log, tmp_path)
    assert status == 0
    entry = open(proof["entry"], "rb").read()
    assert json.loads(entry)["unmapped"]["event_type"] == "log.start"
    tlog.verify_proof(open(proof["proof"], "rb").read(), entry,
                      tlog.read_key(archives.dir / "public/audit.vkey"))


def test_an_archive_is_opened_with_its_keys_alone(archives, log, tmp_path):
    (archive,) = archives.list()
    file = archives.dir / "audit/archive" / archive["name"]
    arguments = ["--key", archives.dir / "data/auditd/archive.sealed", "--passphrase",
                 archives.dir / "secrets/auditd.passphrase"]
    status, opened, _ = archives.audit("open-archive", file, *arguments, "--out", tmp_path / "one")
    assert status == 0 and opened["entries"] == archive["entries"]
    assert b"log.start" in open(opened["file"], "rb").read()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    changed = tmp_path / "changed.archive"
    changed.write_bytes(data)
    status, _, reason = archives.audit("open-archive", changed, *arguments, "--out",
                                       tmp_path / "two")
    assert status == 1 and "damaged" in reason


def test_a_restart_needs_no_archive(archives, log):
    before = archives.list()
    assert archives.deployment.stop_one("auditd") == 0
    archives.deployment.start_one("auditd")
    assert archives.list() == before
    assert archives.audit("report")[0] == 0, "with the restored copy"


def test_an_archive_is_locked_longer_but_not_shorter_and_then_stays(archives, log):
    (archive,) = archives.list()
    name = archive["name"]
    assert archives.audit("hold", name, "--until", "2001-01-01")[0] == 2
    assert archives.audit("hold", name, "--until", "2099-01-01")[0] == 0
    status, answer, reason = archives.audit("dispose", name)
    assert status == 1 and not answer["disposed"]
    assert "locked until 2099-01-01" in reason
    assert archives.audit("dispose", "journal-00000000000000000002.archive")[0] == 2
    assert archives.list()[0]["locked_until"].startswith("2099-01-01")


def test_a_locked_archive_that_is_gone_or_another_is_named(archives, log):
    (archive,) = archives.list()
    file = archives.dir / "audit/archive" / archive["name"]
    whole = file.read_bytes()
    immutable.make_mutable(file)
    for damage in (lambda: file.write_bytes(whole[:-1] + b"x"), file.unlink):
        damage()
        status, report, _ = archives.audit("verify")
        assert status == 1 and report["bad"]["file"] == f"archive/{archive['name']}", report
        assert not report["complete"]
    file.write_bytes(whole)
    assert archives.audit("verify")[0] == 0


def test_a_lost_snapshot_is_not_intact(archives, log):
    snapshot = archives.dir / "audit/snapshot"
    kept = snapshot.read_bytes()
    snapshot.unlink()
    try:
        status, report, _ = archives.audit("verify")
        text = subprocess.run([BIN / "strongroom", "audit", "verify", "--dir", archives.dir],
                              capture_output=True, text=True)
    finally:
        snapshot.write_bytes(kept)
    assert status == text.returncode == 4
    assert report["ok"] and not report["complete"] and not report["archives_known"]
    assert text.stdout.startswith("INCOMPLETE") and "no snapshot" in text.stdout
    status, report, _ = archives.audit("verify")
    assert status == 0 and report["complete"]


@pytest.fixture
def closed(archives, log):
    """An archive and the restored copy of its segment; skips where nothing can be immutable."""
    archive = archives.list()[0]
    assert archives.audit("restore", archive["name"])[0] == 0
    warnings = archives.deployment.admin("auditd", "GET", "/readyz")[1]["warnings"]
    if lacking := [warning for warning in warnings if "immutable" in warning]:
        pytest.skip(lacking[0])
    audit = archives.dir / "audit"
    return [audit / "archive" / archive["name"], audit / "restored" / SEGMENT]


def expect_withstands(path, elsewhere):
    before = path.read_bytes()
    for command in (["rm", "-f"], ["truncate", "--size=0"], ["mv", "-t", elsewhere]):
        assert subprocess.run([*command, path], capture_output=True).returncode != 0, command
    assert path.read_bytes() == before


def test_a_start_makes_immutable_what_a_crash_or_a_backup_left(archives, closed, tmp_path):
    archive, copy = closed
    segment = archives.dir / "audit" / SEGMENT
    assert archives.deployment.stop_one("auditd") == 0
    immutable.make_mutable(archive)
    shutil.copy(copy, segment)
    archives.deployment.start_one("auditd")
    for path in (archive, segment):
        expect_withstands(path, tmp_path)
    assert archives.audit("archive")[0] == 0, "its auditd removes it, for it is in an archive"
    assert not segment.exists()
    assert archives.audit("verify")[0] == 0


def test_what_is_closed_withstands_root(archives, closed, tmp_path):
    for path in closed:
        expect_withstands(path, tmp_path)
    audit = archives.dir / "audit"
    for path in (max(audit.glob("journal-*.log")), audit / "last-signed", audit / "snapshot"):
        assert not immutable.is_immutable(path), path


def test_an_archive_whose_lock_is_over_is_disposed_of(archives, log):
    assert archives.audit("archive")[1] == {"archived": 1}
    name = archives.list()[-1]["name"]
    assert archives.audit("dispose", name)[1] == {"disposed": True}
    assert name not in [archive["name"] for archive in archives.list()]
    assert not (archives.dir / "audit/archive" / name).exists()
    acts = [entry["api"]["operation"] for entry in
            archives.deployment.audit_entries(event_type="log.archive")]
    assert acts[-1] == "dispose"
