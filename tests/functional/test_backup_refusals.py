"""Backups that somebody who knows the passphrase wrote, and folders that cannot be read: refused
with the place and what to do. What is as it must be is restored with its rights."""
import contextlib
import json
import shutil
import subprocess

import pytest

import immutable
from backups import CHECK_FAILED, OK, USAGE, Safe, added, refused
from deployment import BIN
from forged_backup import ForgedBackup
from running_deployment import folder, running

CONFIG = "etc/strongroom.toml"
AS_FAR_AS_IT_GOES = 4  # exit status


@pytest.fixture(scope="module")
def backed_up(tmp_path_factory):
    """A deployment that runs, and a backup of it."""
    safe = Safe(tmp_path_factory.mktemp("safe"))
    with running() as deployment:
        added(deployment.gateway(), 1)
        made = safe.create(deployment.dir)
        assert made.returncode == OK, made.stderr
        yield deployment, safe


@pytest.fixture
def target():
    with folder() as path:
        yield path / "target"


@pytest.fixture
def forge(backed_up, tmp_path):
    """A copy of the backup, and the hand that changes it."""
    _, safe = backed_up

    def copy(kind):
        source, secret = {"data": (safe.data, safe.data_secret),
                          "keys": (safe.keys, safe.keys_secret)}[kind]
        shutil.copytree(source, tmp_path / kind)
        return ForgedBackup(tmp_path / kind, secret.read_text())

    return copy


@pytest.mark.parametrize("kind, part, path", [
    ("data", "files", "secrets/vaultd.pin"), ("data", "files", "audit/last-signed"),
    ("data", "files", "data/vaultd/vault.db"), ("data", "files", "etc/openssl.cnf"),
    ("data", "files", "public/new/tickets.pub"), ("data", "log", "public/tickets.pub"),
    ("data", "log", "audit/rolled-back"), ("data", "log", "audit/lock"),
    ("data", "vault", "auth"), ("keys", "keys", "etc/strongroom.toml")])
def test_a_part_that_names_a_file_of_another_place_is_refused(backed_up, forge, target, kind, part,
                                                              path):
    _, safe = backed_up
    forged = forge(kind)
    forged.part(part)["files"][-1]["path"] = path
    forged.finish()
    reason = f"{forged.folder}/manifest: part {part} names {path}, which does not belong there"
    if kind == "data":
        assert refused(safe.verify(forged.folder), CHECK_FAILED, reason)
    assert refused(safe.restore(target, "--log-is-lost", **{kind: forged.folder}), CHECK_FAILED,
                   reason)
    assert not target.exists()


def test_a_part_of_the_other_kind_is_refused(backed_up, forge, target):
    _, safe = backed_up
    forged = forge("data")
    forged.part("files")["name"] = "keys"
    forged.finish()
    assert refused(safe.verify(forged.folder), CHECK_FAILED, "part keys, which is none of")


def test_a_manifest_that_lacks_a_part_is_half_a_backup(backed_up, forge):
    _, safe = backed_up
    forged = forge("data")
    forged.manifest["parts"] = [part for part in forged.manifest["parts"]
                                if part["name"] != "core"]
    forged.finish()
    assert refused(safe.verify(forged.folder), CHECK_FAILED,
                   f"{forged.folder}/manifest: has no part core")


def test_a_database_that_is_not_one_dump_is_refused(backed_up, forge):
    _, safe = backed_up
    forged = forge("data")
    forged.part("vault")["files"] = []
    forged.finish()
    assert refused(safe.verify(forged.folder), CHECK_FAILED, "part vault names 0 files")


def test_a_backup_of_a_vaultd_with_peers_is_not_restored(backed_up, forge, target):
    _, safe = backed_up
    forged = forge("data")
    files = forged.files_of("files")
    files[CONFIG] = files[CONFIG].replace(
        b"\n[vaultd]", b"\n[vaultd]\nname = \"a\"\npeers = { b = \"127.0.0.1:1\" }", 1)
    forged.put_files("files", files)
    forged.finish()
    assert safe.verify(forged.folder).returncode == OK
    assert refused(safe.restore(target, "--log-is-lost", data=forged.folder), USAGE,
                   f"{CONFIG}: [vaultd] has peers")
    assert not target.exists()


def powerless(*arguments):
    """The tool as root without its power over files."""
    return subprocess.run(
        [str(word) for word in ("setpriv", "--bounding-set=-dac_override,-dac_read_search",
                                BIN / "strongroom", *arguments)],
        capture_output=True, text=True, timeout=120)


@contextlib.contextmanager
def rights_of(path, mode):
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


@pytest.mark.parametrize("name", ["secrets", "secrets/ca.key", "tls/ca", "data/auditd",
                                  "etc/strongroom.toml"])
def test_what_cannot_be_read_is_named(backed_up, tmp_path, name):
    deployment, _ = backed_up
    closed, safe = deployment.dir / name, Safe(tmp_path)
    with rights_of(closed, 0o000):
        done = powerless(*safe.creating(deployment.dir))
    assert refused(done, USAGE, f"{closed}: Permission denied", "as the daemons' user or root")
    of_data = ("data/auditd", "etc/strongroom.toml")
    assert not safe.keys.exists() and safe.data.exists() == (name not in of_data)


@pytest.mark.parametrize("name", ["key", "manifest", "vault.part"])
def test_what_cannot_be_read_of_a_backup_is_not_told_as_damage(backed_up, tmp_path, name):
    _, safe = backed_up
    copy = tmp_path / "copy"
    shutil.copytree(safe.data, copy)
    with rights_of(copy / name, 0o000):
        done = powerless("backup", "verify", copy, "--passphrase", safe.data_secret)
    assert refused(done, USAGE, f"{copy}/{name}: Permission denied", "give this user access to it")


def test_where_nothing_can_be_written_is_named(backed_up, tmp_path):
    deployment, _ = backed_up
    safe = Safe(tmp_path)
    with rights_of(tmp_path, 0o500):
        done = powerless(*safe.creating(deployment.dir))
    assert refused(done, USAGE, f"{safe.data}: Permission denied", "give this user access to it")


def test_a_file_whose_name_steers_a_terminal_is_not_backed_up(backed_up, tmp_path):
    deployment, _ = backed_up
    safe, strange = Safe(tmp_path), deployment.dir / "secrets/a\nb"
    strange.touch()
    try:
        done = safe.create(deployment.dir)
    finally:
        strange.unlink()
    assert refused(done, USAGE, f"{deployment.dir}/secrets: holds a file whose name has a control")
    assert not safe.keys.exists()


def archives_at_once(deployment):
    text = deployment.config.read_text()
    deployment.config.write_text(
        text.replace("archive_key =", "at_hand_days = 0\nkeep_days = 0\narchive_key =", 1))
    return contextlib.nullcontext()


def test_a_log_that_lacks_something_is_not_called_intact(tmp_path, tmp_path_factory, target):
    safe = Safe(tmp_path)

    def verify():
        """As a script and as people read it."""
        done, text = safe.verify(), subprocess.run(
            [BIN / "strongroom", "backup", "verify", safe.data, "--passphrase", safe.data_secret],
            capture_output=True, text=True, timeout=60)
        assert done.returncode == text.returncode, (done.stderr, text.stderr)
        return done.returncode, json.loads(done.stdout)[0]["log_complete"], text.stdout

    with running(around=archives_at_once) as original:
        added(original.gateway(), 3)
        assert original.strongroom("audit", "archive")["archived"] == 1
        made = safe.create(original.dir)
        assert made.returncode == OK, made.stderr
        status, complete, text = verify()
        assert (status, complete) == (OK, True)
        assert "intact" in text and "INCOMPLETE" not in text and "not read" in text
        restored = safe.restore(original.dir.parent / "whole", "--log-is-lost")
        assert restored.returncode == OK and json.loads(restored.stdout)["log_complete"]
        (archive,) = (original.dir / "audit/archive").iterdir()
        immutable.make_mutable(archive)
        archive.unlink()
        again = Safe(tmp_path_factory.mktemp("again"))
        lacking = again.create(original.dir)
        assert refused(lacking, AS_FAR_AS_IT_GOES)
        assert [backup.get("log_complete") for backup in json.loads(lacking.stdout)] == [False,
                                                                                       None]
    forged = ForgedBackup(safe.data, safe.data_secret.read_text())
    files = forged.files_of("log")
    del files["audit/snapshot"]
    forged.put_files("log", files)
    forged.finish()
    status, complete, text = verify()
    assert (status, complete) == (AS_FAR_AS_IT_GOES, False)
    assert "INCOMPLETE" in text and "no snapshot that fits" in text
    restored = safe.restore(target, "--log-is-lost")
    assert restored.returncode == OK and not json.loads(restored.stdout)["log_complete"]


def rights(directory):
    return {path.relative_to(directory): path.stat().st_mode & 0o777
            for top in ("etc", "public", "tls", "secrets", "hsm")
            for path in (directory / top).rglob("*")}


def test_what_is_restored_has_the_rights_that_it_had(backed_up, target):
    deployment, safe = backed_up
    done = safe.restore(target, "--log-is-lost")
    assert done.returncode == OK, done.stderr
    before = rights(deployment.dir)
    assert rights(target) == before
    assert {(target / "public" / name).stat().st_mode & 0o777
            for name in ("tickets.pub", "audit.vkey")} == {0o644}


@pytest.mark.parametrize("before, behind", [(0o777, 0o644), (0o133, 0o600), (0o450, 0o640)])
def test_nobody_else_may_write_what_is_restored_nor_anybody_run_it(backed_up, forge, target, before,
                                                                   behind):
    _, safe = backed_up
    forged = forge("data")
    for file in forged.part("files")["files"]:
        file["mode"] = before
    forged.finish()
    assert safe.restore(target, "--log-is-lost", data=forged.folder).returncode == OK
    assert {(target / "public" / name).stat().st_mode & 0o777
            for name in ("tickets.pub", "audit.vkey")} == {behind}


def test_what_is_beside_the_configuration_is_told_not_to_be_backed_up(backed_up, tmp_path, target):
    deployment, safe = backed_up[0], Safe(tmp_path)
    others = [deployment.dir / "etc/notes", deployment.dir / "public/old/tickets.pub"]
    others[1].parent.mkdir()
    for other in others:
        other.touch()
    try:
        done = safe.create(deployment.dir)
    finally:
        for other in others:
            other.unlink()
        others[1].parent.rmdir()
    assert refused(done, OK, *(f"{other}: not backed up" for other in others))
    assert safe.restore(target, "--log-is-lost").returncode == OK
    assert [path.name for path in (target / "etc").iterdir()] == ["strongroom.toml"]
