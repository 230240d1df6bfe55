"""What a restore believes of a log, and what the log says of the backup that is restored."""
import shutil

import pytest

from backups import CHECK_FAILED, OK, Safe, added, refused
from forged_backup import ForgedBackup
from running_deployment import folder, running

STRANGE_ID = "ab" * 16


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """A deployment at rest, and a backup of it."""
    safe = Safe(tmp_path_factory.mktemp("safe"))
    with running() as deployment:
        added(deployment.gateway(), 3)
        made = safe.create(deployment.dir)
        assert made.returncode == OK, made.stderr
        deployment.supervisor.stop_all()
        yield deployment, safe


@pytest.fixture
def target():
    with folder() as path:
        yield path / "target"


def renamed(source, secret, copy):
    shutil.copytree(source, copy)
    forged = ForgedBackup(copy, secret.read_text())
    forged.rename(STRANGE_ID)
    forged.finish()
    return copy


def test_a_final_log_that_does_not_tell_of_the_backup_is_refused(backed_up, tmp_path, target):
    deployment, safe = backed_up
    log = deployment.dir / "audit"
    data = renamed(safe.data, safe.data_secret, tmp_path / "renamed")
    reason = f"{log}: does not vouch for {data}: it does not tell how the backup {STRANGE_ID} ended"
    assert refused(safe.restore(target, "--log", log, "--log-is-final", data=data), CHECK_FAILED,
                   reason)
    assert not target.exists()
    assert refused(safe.restore(target, "--log", log, data=data), OK, reason)
    known = safe.restore(target.with_name("known"), "--log", log, "--log-is-final")
    assert refused(known, OK) and "vouch" not in known.stderr


def test_keys_of_another_time_are_told_where_the_log_does_not_vouch_for_them(backed_up, tmp_path,
                                                                             target):
    deployment, safe = backed_up
    log = deployment.dir / "audit"
    keys = renamed(safe.keys, safe.keys_secret, tmp_path / "renamed")
    assert refused(safe.restore(target, "--log", log, "--log-is-final", keys=keys), OK,
                   f"{log}: does not vouch for {keys}")


def copy_of_log(deployment, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(deployment.dir / "audit", copy)
    return copy


def test_a_log_that_may_go_back_and_has_nothing_signed_is_refused(backed_up, tmp_path, target):
    deployment, safe = backed_up
    copy = copy_of_log(deployment, tmp_path)
    (copy / "last-signed").write_bytes(b"")
    for file in (*copy.glob("snapshot"), *(copy / "checkpoints").iterdir()):
        file.unlink()
    journal = max(copy.glob("journal-*.log"))  # before a torn end nothing needs to be signed for
    journal.write_bytes(journal.read_bytes().rstrip(b"\0") + b"torn")
    assert refused(safe.restore(target, "--log", copy), CHECK_FAILED,
                   f"{copy}: holds no signed checkpoint of the operator's")
    assert not target.exists()


def test_of_a_log_that_auditd_refuses_the_proof_is_kept_and_not_what_is_auditds_own(
        backed_up, tmp_path, target):
    deployment, safe = backed_up
    copy = copy_of_log(deployment, tmp_path)
    for name in ("rolled-back", "refused"):
        (copy / name).write_text("a proof\n")
    assert {"lock", "reserve"} <= {path.name for path in copy.iterdir()}
    assert safe.restore(target, "--log", copy, "--log-is-final").returncode == OK
    assert (target / "audit/rolled-back").read_text() == "a proof\n"
    assert not {"lock", "reserve", "refused"} & {path.name for path in
                                                 (target / "audit").iterdir()}


def test_the_files_of_a_newer_log_have_the_rights_that_they_had(backed_up, tmp_path, target):
    deployment, safe = backed_up
    copy = copy_of_log(deployment, tmp_path)
    journal, (notes,) = max(copy.glob("journal-*.log")), copy.glob("checkpoints/operator-*.log")
    rights = {"last-signed": (0o600, 0o600), journal.name: (0o440, 0o640),
              notes.relative_to(copy): (0o666, 0o644)}
    for name, (before, _) in rights.items():
        (copy / name).chmod(before)
    assert safe.restore(target, "--log", copy, "--log-is-final").returncode == OK
    for name, (_, behind) in rights.items():
        assert (target / "audit" / name).stat().st_mode & 0o7777 == behind, name
