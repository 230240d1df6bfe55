"""strongroom certificates: the services' certificates are renewed before they end, beside requests,
and a renewal that fails or is killed leaves a pair that serves.
"""
import datetime
import fcntl
import json
import os
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
VAULTD, PUBLIC = "tls/vaultd/vaultd", "tls/edged/public"


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
    return {item["certificate"].removesuffix(".crt"): item for item in answer["data"]}


def certificate(deployment, stem):
    return x509.load_pem_x509_certificate((deployment.dir / f"{stem}.crt").read_bytes())


def is_pair(deployment, stem):
    key = serialization.load_pem_private_key((deployment.dir / f"{stem}.key").read_bytes(), None)
    return (key.public_key().public_numbers()
            == certificate(deployment, stem).public_key().public_numbers())


def serial_shown(door):
    with door.connect() as connection:
        return x509.load_der_x509_certificate(connection.certificate()).serial_number


def generated(deployment, stem):
    """What the log says of a renewal: operation, outcome and actor of each entry."""
    return [(entry["api"]["operation"], entry["unmapped"]["outcome"],
             entry["actor"]["user"]["uid"])
            for entry in deployment.audit_entries(event_type="key.generate")
            if [one["uid"] for one in entry["resources"]] == [f"{stem}.crt", f"{stem}.key"]
            and entry["api"]["operation"] in ("begin", "end")]


def body():
    return json.dumps({"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                                "exp_year": datetime.date.today().year + 1}}).encode()


def test_all_are_listed_and_none_is_due_at_first(own):
    shown = tool(own, "list")
    assert (shown.returncode, shown.stderr) == (0, "")
    rows = {line.split()[0]: line for line in shown.stdout.splitlines()[1:]}
    assert {VAULTD, PUBLIC, "tls/authd/authd", "tls/edged/edged", "the"} <= set(rows)
    assert "spiffe://strongroom.local/vaultd" in rows[VAULTD] and "this CA" in rows[VAULTD]
    assert "29 days" in rows[VAULTD]
    assert not any(item["due"] for item in listed(own).values())
    renewed = tool(own, "renew")
    assert (renewed.returncode, renewed.stdout) == (0, "nothing is due\n")


@pytest.mark.parametrize("stem, daemon", [(PUBLIC, "edged"), (VAULTD, "vaultd")])
def test_a_renewed_one_serves_at_once_and_drops_nobody(own, stem, daemon):
    door = getattr(doors, daemon)(own)
    before, rights = certificate(own, stem), os.stat(own.dir / f"{stem}.key")
    entries = len(generated(own, stem))
    with door.connect() as kept:
        kept.send(door.request(body()))
        assert kept.answer().status == 201
        done = tool(own, "renew", stem)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{stem} is renewed: until " in done.stdout
        assert f"SIGHUP was sent to {daemon}\n" in done.stdout
        renewed = certificate(own, stem)
        wait_until(lambda: serial_shown(door) == renewed.serial_number, "the new one is shown")
        kept.send(door.request(body()))
        assert kept.answer().status == 201, "a connection was dropped"
    assert renewed.public_key().public_numbers() != before.public_key().public_numbers()
    assert is_pair(own, stem)
    for kind in (x509.SubjectAlternativeName, x509.ExtendedKeyUsage, x509.KeyUsage):
        assert (renewed.extensions.get_extension_for_class(kind)
                == before.extensions.get_extension_for_class(kind))
    now = os.stat(own.dir / f"{stem}.key")
    assert (now.st_mode, now.st_uid, now.st_gid) == (rights.st_mode, rights.st_uid, rights.st_gid)
    user = f"uid:{os.geteuid()}"
    wait_until(lambda: generated(own, stem)[entries:] == [
        ("begin", "success", user), ("end", "success", user)], "the log tells of it")


def test_what_is_due_is_renewed_by_itself(own):
    """As a timer would: one that has little time left, among others that have much."""
    authority, before = Authority.of(own), certificate(own, PUBLIC)
    made = authority.issue(Leaf(begins=-29 * DAY, ends=DAY, usage=(SERVER, CLIENT),
                                uris=("spiffe://strongroom.local/vaultd",)),
                           own.dir / "tls/vaultd/old")
    made.certificate.rename(own.dir / f"{VAULTD}.crt")
    made.key.rename(own.dir / f"{VAULTD}.key")
    assert tool(own, "list").returncode == 1
    assert [stem for stem, item in listed(own).items() if item["due"]] == [VAULTD]
    done = tool(own, "renew", "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert [item["certificate"] for item in answer["renewed"]] == [f"{VAULTD}.crt"]
    assert (answer["told"], answer["not_told"]) == (["vaultd"], [])
    assert tool(own, "list").returncode == 0
    renewed = certificate(own, VAULTD)
    assert renewed.not_valid_after - renewed.not_valid_before >= 30 * DAY
    assert certificate(own, PUBLIC) == before
    wait_until(lambda: serial_shown(doors.vaultd(own)) == renewed.serial_number, "it serves")


def test_all_may_be_renewed_and_everything_goes_on(own):
    before = {stem: item["serial"] for stem, item in listed(own).items()}
    done = tool(own, "renew", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    after = {stem: item["serial"] for stem, item in listed(own).items()}
    assert set(after) == set(before) and not set(after.values()) & set(before.values())
    for daemon in ("edged", "vaultd"):
        stem = {"edged": PUBLIC, "vaultd": VAULTD}[daemon]
        wait_until(lambda door=getattr(doors, daemon)(own), stem=stem:
                   serial_shown(door) == certificate(own, stem).serial_number, f"{daemon} shows it")
    for daemon in ("authd", "vaultd"):  # so that connections are made anew
        assert own.stop_one(daemon) == 0
        own.start_one(daemon)
    wait_until(lambda: own.gateway().post("/v1/tokens", body()).status == 201, "cards are taken")


def test_a_daemon_that_is_away_is_named(own):
    assert own.stop_one("gatewayd") == 0
    done = tool(own, "renew", "tls/gatewayd/gatewayd")
    assert done.returncode == 0
    assert "gatewayd does not answer" in done.stdout
    own.start_one("gatewayd")


@pytest.mark.parametrize("renamed", [True, False])
def test_a_renewal_that_was_killed_is_ended_by_the_next(own, renamed):
    """Both new files are there, and the key has taken its place already, or not."""
    made = Authority.of(own).issue(Leaf(uris=("spiffe://strongroom.local/vaultd",), ends=30 * DAY,
                                        usage=(SERVER, CLIENT)), own.dir / "tls/vaultd/killed")
    before = certificate(own, VAULTD)
    wanted = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    made.certificate.rename(own.dir / f"{VAULTD}.crt.new")
    made.key.rename(own.dir / (f"{VAULTD}.key" if renamed else f"{VAULTD}.key.new"))
    assert is_pair(own, VAULTD) != renamed
    assert tool(own, "renew").returncode == 0
    assert is_pair(own, VAULTD)
    assert certificate(own, VAULTD) == (wanted if renamed else before)
    assert not list((own.dir / "tls").rglob("*.new"))


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
    with open(own.dir / "run/certificates.lock", "w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = tool(own, "renew", "--all")
    assert (done.returncode, done.stdout) == (2, "")
    assert "are being renewed already" in done.stderr


def test_what_cannot_be_is_said_in_plain_words(own, tmp_path):
    stranger = Authority()
    made = stranger.issue(Leaf(usage=(SERVER,)), tmp_path / "stranger")
    key_of_another = made.key
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


def test_what_another_ca_has_signed_is_left_to_it(own, tmp_path):
    kept = {name: (own.dir / f"{PUBLIC}{name}").read_bytes() for name in (".crt", ".key")}
    made = Authority().issue(Leaf(usage=(SERVER,), begins=-29 * DAY, ends=DAY), tmp_path / "public")
    (own.dir / f"{PUBLIC}.crt").write_bytes(made.certificate.read_bytes())
    (own.dir / f"{PUBLIC}.key").write_bytes(made.key.read_bytes())
    try:
        item = listed(own)[PUBLIC]
        assert (item["signed_by_deployment"], item["due"]) == (False, False)
        assert tool(own, "renew").stdout == "nothing is due\n"
        done = tool(own, "renew", PUBLIC)
        assert done.returncode == 2 and "another CA has signed it" in done.stderr
    finally:
        for name, content in kept.items():
            (own.dir / f"{PUBLIC}{name}").write_bytes(content)
