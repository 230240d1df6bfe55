"""strongroom certificates: the services' certificates are renewed before they end, beside requests,
and a renewal that fails or is killed leaves a pair that serves.
"""
import contextlib
import datetime
import fcntl
import json
import os
import pwd
import signal
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from deployment import BIN
import door as doors
import leak_scan
from certificates import Authority, Leaf
from running_deployment import running, wait_until

DAY = datetime.timedelta(days=1)
SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
VAULTD, PUBLIC = "vaultd", "edged/public"  # as the command names them
STEMS = {VAULTD: "tls/vaultd/vaultd", PUBLIC: "tls/edged/public",
         "gatewayd": "tls/gatewayd/gatewayd"}
VAULTD_LEAF = {"uris": ("spiffe://strongroom.local/vaultd",), "usage": (SERVER, CLIENT)}


@pytest.fixture(scope="module")
def own():
    """A deployment whose certificates this module renews; each test leaves it serving."""
    with running() as deployment:
        yield deployment


def tool(deployment, *arguments):
    return subprocess.run([BIN / "strongroom", "certificates", *arguments, "--dir",
                           str(deployment.dir)], capture_output=True, text=True, timeout=60)


def listed(deployment):
    answer = json.loads(tool(deployment, "list", "--json").stdout)
    return {item["name"]: item for item in answer["data"]}


def files(deployment, name):
    """Its certificate and its key."""
    stem = STEMS[name]
    return deployment.dir / f"{stem}.crt", deployment.dir / f"{stem}.key"


@contextlib.contextmanager
def replaced(deployment, name, certificate_pem, key_pem):
    """Another pair in its place for a while."""
    pair = files(deployment, name)
    kept = [path.read_bytes() for path in pair]
    for path, content in zip(pair, (certificate_pem, key_pem)):
        path.write_bytes(content)
    try:
        yield
    finally:
        for path, content in zip(pair, kept):
            path.write_bytes(content)


def certificate(deployment, name):
    return x509.load_pem_x509_certificate(files(deployment, name)[0].read_bytes())


def is_pair(deployment, name):
    key = serialization.load_pem_private_key(files(deployment, name)[1].read_bytes(), None)
    return (key.public_key().public_numbers()
            == certificate(deployment, name).public_key().public_numbers())


def serial_shown(door):
    with door.connect() as connection:
        return x509.load_der_x509_certificate(connection.certificate()).serial_number


def generated(deployment, name):
    """What the log says of a renewal: operation, outcome and actor of each entry."""
    return [(entry["api"]["operation"], entry["unmapped"]["outcome"],
             entry["actor"]["user"]["uid"])
            for entry in deployment.audit_entries(event_type="key.generate")
            if [one["uid"] for one in entry["resources"]] == [
                f"{STEMS[name]}.crt", f"{STEMS[name]}.key"]
            and entry["api"]["operation"] in ("begin", "end")]


def body():
    return json.dumps({"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                                "exp_year": datetime.date.today().year + 1}}).encode()


def test_all_are_listed_and_none_is_due_at_first(own):
    shown = tool(own, "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()[1:]}
    assert {VAULTD, PUBLIC, "authd", "edged", "connectord-stripe", "the"} <= set(rows)
    assert "spiffe://strongroom.local/vaultd" in rows[VAULTD] and "this CA" in rows[VAULTD]
    assert "29 days" in rows[VAULTD]
    assert not any(item["due"] for item in listed(own).values())
    renewed = tool(own, "renew")
    assert (renewed.returncode, renewed.stdout) == (0, "nothing is due\n")


@pytest.mark.parametrize("name, daemon", [(PUBLIC, "edged"), (VAULTD, "vaultd")])
def test_a_renewed_one_serves_at_once_and_drops_nobody(own, name, daemon):
    door = getattr(doors, daemon)(own)
    before, rights = certificate(own, name), os.stat(files(own, name)[1])
    entries = len(generated(own, name))
    with door.connect() as kept:
        kept.send(door.request(body()))
        assert kept.answer().status == 201
        done = tool(own, "renew", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{name} is renewed: until " in done.stdout
        assert f"SIGHUP was sent to {daemon}\n" in done.stdout
        renewed = certificate(own, name)
        wait_until(lambda: serial_shown(door) == renewed.serial_number, "the new one is shown")
        kept.send(door.request(body()))
        assert kept.answer().status == 201, "a connection was dropped"
    assert renewed.public_key().public_numbers() != before.public_key().public_numbers()
    assert is_pair(own, name)
    for kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
        assert (renewed.extensions.get_extension_for_class(kind)
                == before.extensions.get_extension_for_class(kind))
    now = os.stat(files(own, name)[1])
    assert (now.st_mode, now.st_uid, now.st_gid) == (rights.st_mode, rights.st_uid, rights.st_gid)
    user = f"uid:{os.geteuid()}"
    wait_until(lambda: generated(own, name)[entries:] == [
        ("begin", "success", user), ("end", "success", user)], "the log tells of it")


def test_what_is_due_is_renewed_by_itself(own):
    """As a timer would: one that has little time left, among others that have much."""
    before = certificate(own, PUBLIC)
    made = Authority.of(own).issue(Leaf(begins=-29 * DAY, ends=DAY, **VAULTD_LEAF))
    for path, new in zip(files(own, VAULTD), (made.certificate, made.key)):
        path.write_bytes(new.read_bytes())
    assert tool(own, "list").returncode == 1
    assert [name for name, item in listed(own).items() if item["due"]] == [VAULTD]
    done = tool(own, "renew", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert [item["name"] for item in answer["renewed"]] == [VAULTD]
    assert (answer["told"], answer["not_told"]) == (["vaultd"], [])
    assert tool(own, "list").returncode == 0
    renewed = certificate(own, VAULTD)
    assert renewed.not_valid_after - renewed.not_valid_before >= 30 * DAY
    assert certificate(own, PUBLIC) == before
    wait_until(lambda: serial_shown(doors.vaultd(own)) == renewed.serial_number, "it serves")


def test_all_may_be_renewed_and_everything_goes_on(own):
    before = {name: item["serial"] for name, item in listed(own).items()}
    done = tool(own, "renew", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    after = {name: item["serial"] for name, item in listed(own).items()}
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    for daemon in ("edged", "vaultd"):
        name = {"edged": PUBLIC, "vaultd": VAULTD}[daemon]
        wait_until(lambda door=getattr(doors, daemon)(own), name=name:
                   serial_shown(door) == certificate(own, name).serial_number, f"{daemon} shows it")
    for daemon in ("authd", "vaultd"):  # so that connections are made anew
        assert own.stop_one(daemon) == 0
        own.start_one(daemon)
    wait_until(lambda: own.gateway().post("/v1/tokens", body()).status == 201, "cards are taken")


def test_a_daemon_that_is_away_is_named(own):
    assert own.stop_one("gatewayd") == 0
    done = tool(own, "renew", "gatewayd")
    assert done.returncode == 0
    assert "gatewayd does not answer" in done.stdout
    own.start_one("gatewayd")


def test_a_renewal_that_was_killed_is_due_again(own):
    """The new key has taken its place, and its certificate has not."""
    made = Authority.of(own).issue(Leaf(ends=30 * DAY, **VAULTD_LEAF))
    certificate_path, key_path = files(own, VAULTD)
    certificate_path.with_suffix(".crt.new").write_bytes(made.certificate.read_bytes())
    key_path.write_bytes(made.key.read_bytes())
    assert not is_pair(own, VAULTD)
    assert "its key is another's: due" in tool(own, "list").stdout
    assert f"{VAULTD} is renewed" in tool(own, "renew").stdout
    assert is_pair(own, VAULTD)
    assert not list((own.dir / "tls").rglob("*.new"))
    wait_until(lambda: serial_shown(doors.vaultd(own)) == certificate(own, VAULTD).serial_number,
               "it serves")


def test_without_auditd_nothing_is_made(own):
    before = certificate(own, VAULTD)
    assert own.stop_one("auditd") == 0
    try:
        done = tool(own, "renew", VAULTD)
        assert done.returncode == 3
        assert "auditd does not record it" in done.stderr
        assert certificate(own, VAULTD) == before and is_pair(own, VAULTD)
    finally:
        own.start_one("auditd")
        own.wait_ready("vaultd", own.processes["vaultd"])


def test_one_renewal_at_a_time(own):
    with open(own.dir / "secrets/ca.key", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = tool(own, "renew", "--all")
    assert (done.returncode, done.stdout) == (2, "")
    assert "certificates are being renewed with it already" in done.stderr


def test_what_cannot_be_is_said_in_plain_words(own, tmp_path):
    key_of_another = Authority().issue(Leaf(usage=(SERVER,)), tmp_path / "stranger").key
    for arguments, words in [
            (("renew", "tls/vaultd"), "tls/vaultd: no certificate of this deployment"),
            (("renew", VAULTD, "--ca-key", str(tmp_path / "none")), "the CA's key is not here"),
            (("renew", VAULTD, "--ca-key", str(key_of_another)), "not the key of this deployment"),
            (("renew", VAULTD, "--all"), "excludes"),
    ]:
        before = certificate(own, VAULTD)
        done = tool(own, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert certificate(own, VAULTD) == before


def test_what_another_ca_has_signed_is_left_to_it(own):
    """Also where the authority's own certificate stands behind the leaf, as public ones give it."""
    stranger = Authority()
    made = stranger.issue(Leaf(usage=(SERVER,), begins=-29 * DAY, ends=DAY))
    chain = made.certificate.read_bytes() + stranger.certificate.public_bytes(
        serialization.Encoding.PEM)
    with replaced(own, PUBLIC, chain, made.key.read_bytes()):
        item = listed(own)[PUBLIC]
        assert (item["signed_by_deployment"], item["due"]) == (False, False)
        assert tool(own, "renew").stdout == "nothing is due\n"
        done = tool(own, "renew", PUBLIC)
        assert done.returncode == 2 and "who did alone can renew it" in done.stderr


def test_nobody_is_given_another_identity(own):
    """Who may write one daemon's folder puts the certificate of another there."""
    made = Authority.of(own).issue(Leaf(begins=-29 * DAY, ends=DAY, **VAULTD_LEAF))
    with replaced(own, "gatewayd", made.certificate.read_bytes(), made.key.read_bytes()):
        assert not listed(own)["gatewayd"]["due"]
        assert tool(own, "renew").stdout == "nothing is due\n"
        assert tool(own, "renew", "--all").returncode == 0
        assert certificate(own, "gatewayd").serial_number == x509.load_pem_x509_certificate(
            made.certificate.read_bytes()).serial_number
        assert tool(own, "renew", "gatewayd").returncode == 2


def test_one_that_cannot_be_read_keeps_no_other_from_it(own):
    made = Authority.of(own).issue(Leaf(begins=-29 * DAY, ends=DAY, **VAULTD_LEAF))
    with replaced(own, "gatewayd", b"no certificate", b"no key"):
        for path, new in zip(files(own, VAULTD), (made.certificate, made.key)):
            path.write_bytes(new.read_bytes())
        done = tool(own, "renew")
        assert done.returncode == 1
        assert f"{VAULTD} is renewed" in done.stdout
        assert "tls/gatewayd/gatewayd.crt" in done.stderr
        assert tool(own, "list").returncode == 1
    assert is_pair(own, VAULTD) and tool(own, "list").returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root works for other users")
def test_root_works_with_the_rights_of_the_folders_owner(own):
    """What root writes is the daemon's, and a link leads it to nothing that is not."""
    nobody = pwd.getpwnam("nobody")
    certificate_path, key_path = files(own, "gatewayd")
    folder = certificate_path.parent
    opened = [own.dir, own.dir / "tls", *own.dir.parents]
    rights = {path: path.stat().st_mode & 0o7777 for path in opened}
    for path in opened:
        path.chmod(rights[path] | 0o011)
    for path in (folder, certificate_path, key_path):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    try:
        done = tool(own, "renew", "gatewayd")
        assert done.returncode == 0, done.stderr
        assert "gatewayd does not answer" in done.stdout, "another user's process was sent SIGHUP"
        for path, mode in ((certificate_path, 0o644), (key_path, 0o600)):
            status = path.stat()
            assert (status.st_uid, status.st_gid) == (nobody.pw_uid, nobody.pw_gid)
            assert status.st_mode & 0o7777 == mode
        key_path.unlink()
        key_path.symlink_to("/etc/shadow")
        assert tool(own, "list").returncode == 1, "root's file was read as a key"
        key_path.unlink()
        assert tool(own, "renew", "gatewayd").returncode == 0
    finally:
        for path in (folder, certificate_path, key_path):
            os.chown(path, 0, 0)
        for path in opened:
            path.chmod(rights[path])
    own.processes["gatewayd"].send_signal(signal.SIGHUP)
