"""SIGHUP takes over renewed certificates without dropping anybody; SIGTERM drains; and nobody is
taken for vaultd who cannot prove it.
"""
import datetime
import json
import os
import signal
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

import door as doors
import leak_scan
from certificates import HOUR, Authority, Leaf
from running_deployment import running, wait_until

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
DOMAIN = "spiffe://strongroom.local"
DRAIN_SECONDS = 15


@pytest.fixture(scope="module")
def own():
    """A deployment whose certificates and processes this module changes; each test mends it."""
    with running() as deployment:
        yield deployment


@pytest.fixture(scope="module")
def authority(own):
    return Authority.of(own)


def body():
    return json.dumps({"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                                "exp_year": datetime.date.today().year + 1}}).encode()


def serial_shown(door):
    with door.connect() as connection:
        return x509.load_der_x509_certificate(connection.certificate()).serial_number


def serial_of(path):
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def replace(authority, stem, leaf):
    """A new certificate at `stem`, by renaming, as a careful operator does."""
    made = authority.issue(leaf, stem.parent / "renewed")
    made.certificate.rename(stem.with_suffix(".crt"))
    made.key.rename(stem.with_suffix(".key"))
    return serial_of(stem.with_suffix(".crt"))


RENEWED = {
    "edged": ("tls/edged/public", Leaf(usage=(SERVER,))),
    "vaultd": ("tls/vaultd/vaultd", Leaf(uris=(f"{DOMAIN}/vaultd",), usage=(SERVER, CLIENT))),
}


@pytest.mark.parametrize("daemon", RENEWED)
def test_renewed_certificate_is_shown_after_sighup(own, authority, daemon):
    door = getattr(doors, daemon)(own)
    path, leaf = RENEWED[daemon]
    before = serial_shown(door)
    with door.connect() as kept:
        kept.send(door.request(body()))
        assert kept.answer().status == 201
        renewed = replace(authority, own.dir / path, leaf)
        assert serial_shown(door) == before, "taken over unasked"
        own.processes[daemon].send_signal(signal.SIGHUP)
        wait_until(lambda: serial_shown(door) == renewed, "the renewed certificate is shown")
        kept.send(door.request(body()))
        assert kept.answer().status == 201, "a connection was dropped"
    assert own.gateway().post("/v1/tokens", body()).status == 201


def test_renewed_inner_certificate_is_shown_to_neighbors(own, authority):
    """edged's own identity: the next connections to vaultd and authd carry it."""
    replace(authority, own.dir / "tls/edged/edged",
            Leaf(uris=(f"{DOMAIN}/edged",), usage=(CLIENT,)))
    own.processes["edged"].send_signal(signal.SIGHUP)
    assert own.stop_one("vaultd") == 0  # so that a new connection is needed
    own.start_one("vaultd")
    wait_until(lambda: own.gateway().post("/v1/tokens", body()).status == 201, "cards are taken")


@pytest.mark.parametrize("daemon", RENEWED)
def test_unusable_certificate_is_not_taken_over(own, authority, daemon):
    door = getattr(doors, daemon)(own)
    before = serial_shown(door)
    path, leaf = RENEWED[daemon]
    stem = own.dir / path
    kept = {suffix: stem.with_suffix(suffix).read_bytes() for suffix in (".crt", ".key")}
    said = own.log_path(daemon).read_text().count("not taken over")
    replace(authority, stem, Leaf(leaf.uris, -2 * HOUR, -HOUR, leaf.usage))
    own.processes[daemon].send_signal(signal.SIGHUP)
    wait_until(lambda: own.log_path(daemon).read_text().count("not taken over") > said,
               "the log says so")
    assert serial_shown(door) == before
    for suffix, data in kept.items():
        stem.with_suffix(suffix).write_bytes(data)
    assert "SIGHUP" in "".join(warnings(own, daemon))
    own.processes[daemon].send_signal(signal.SIGHUP)
    wait_until(lambda: warnings(own, daemon) == [], "all is taken over again")


def replace_text(path, text):
    """As editors and configuration management do: another file takes the name."""
    written = path.with_name("written")
    written.touch(mode=0o600)
    written.write_text(text)
    os.replace(written, path)


def warnings(deployment, daemon):
    status, report = deployment.admin(daemon, "GET", "/readyz")
    assert status == 200
    return [warning for warning in report["warnings"]
            if not warning.startswith("hsm: software") and "immutable" not in warning]


@pytest.mark.parametrize("wrong", [("[vaultd]", "[vaultd]\ncolor = 1"), ("[tls]", "[tls")])
def test_bad_configuration_is_said_and_does_not_stop_the_certificates(own, authority, wrong):
    text = own.config.read_text()
    said = own.log_path("vaultd").read_text().count('"reason"')
    assert warnings(own, "vaultd") == []
    replace_text(own.config, text.replace(*wrong, 1))
    path, leaf = RENEWED["vaultd"]
    renewed = replace(authority, own.dir / path, leaf)
    own.processes["vaultd"].send_signal(signal.SIGHUP)
    wait_until(lambda: serial_shown(doors.vaultd(own)) == renewed, "the certificate is shown")
    assert own.log_path("vaultd").read_text().count('"reason"') > said
    assert "SIGHUP" in "".join(warnings(own, "vaultd"))
    wait_until(lambda: last_reload(own) == "failed", "the audit log says so")
    assert own.gateway().post("/v1/tokens", body()).status == 201
    replace_text(own.config, text)
    own.processes["vaultd"].send_signal(signal.SIGHUP)
    wait_until(lambda: warnings(own, "vaultd") == [], "all is taken over again")
    wait_until(lambda: last_reload(own) == "success", "the audit log says so")


def last_reload(deployment):
    """How vaultd's last reload ended, as its audit entry says."""
    entries = deployment.audit_entries(event_type="config.reload")
    return [entry["unmapped"]["outcome"] for entry in entries
            if entry["actor"]["app_uid"] == "vaultd"][-1]


@pytest.mark.parametrize("daemon", RENEWED)
def test_authority_that_was_replaced_is_read_again(own, authority, daemon):
    """Twice: after the first time the file is not the one that stood there at the start."""
    ca = own.dir / "tls/ca/ca.crt"
    path, leaf = RENEWED[daemon]
    for _ in range(2):
        replace_text(ca, ca.read_text())
        renewed = replace(authority, own.dir / path, leaf)
        own.processes[daemon].send_signal(signal.SIGHUP)
        wait_until(lambda: serial_shown(getattr(doors, daemon)(own)) == renewed, "it is shown")
        assert warnings(own, daemon) == []


def test_log_level_is_read_again(own):
    text = own.config.read_text()
    replace_text(own.config, text.replace('log_level = "info"', 'log_level = "warn"'))
    log = own.log_path("edged")

    def reloads():
        return log.read_text().count('"reloaded"')

    own.processes["edged"].send_signal(signal.SIGHUP)
    time.sleep(0.5)
    quiet = reloads()
    replace_text(own.config, text)
    own.processes["edged"].send_signal(signal.SIGHUP)
    wait_until(lambda: reloads() > quiet, "information is logged again")


@pytest.mark.parametrize("daemon", ["edged", "vaultd"])
def test_request_under_way_is_answered_before_the_process_ends(own, daemon):
    door = getattr(doors, daemon)(own)
    whole = door.request(body())
    with door.connect() as busy, door.connect() as idle:
        idle.send(door.request(body()))
        assert idle.answer().status == 201
        busy.send(whole[:-10])
        time.sleep(1)  # it has read them
        own.processes[daemon].send_signal(signal.SIGTERM)
        assert idle.is_closed(), "an idle connection was kept"
        with pytest.raises((ConnectionError, ssl.SSLError, TimeoutError)):
            door.connect()
        busy.send(whole[-10:])
        answer = busy.answer()
        assert answer.status == 201 and answer.headers["connection"] == "close"
    assert own.processes[daemon].wait(DRAIN_SECONDS) == 0
    own.start_one(daemon)


def test_stopping_under_load_loses_no_answer(own):
    """Each request of eight clients is answered, or was never taken: its card is no row then."""
    answered, cut = [], []

    def keep_sending():
        door = doors.vaultd(own)
        while True:
            sent = body()
            try:
                with door.connect() as connection:
                    while True:
                        connection.send(door.request(sent))
                        answer = connection.answer()
                        if answer is None:
                            cut.append(sent)
                            break
                        answered.append((sent, answer))
                        sent = body()
            except (ConnectionError, ssl.SSLError, TimeoutError):
                return

    threads = [threading.Thread(target=keep_sending) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answered) > 8, "the clients are served", 30)
    assert own.stop_one("vaultd") == 0
    for thread in threads:
        thread.join()
    own.start_one("vaultd")
    assert {answer.status for _, answer in answered} == {201}
    vault = own.vault()
    for sent, answer in answered[-20:]:
        assert vault.post("/v1/cards", sent).body["id"] == answer.body["id"]
    for sent in cut:
        assert vault.post("/v1/cards", sent).body["duplicate"] == "new", "an answer was lost"


def test_stop_is_clean_in_the_log(own):
    for daemon in ("edged", "vaultd", "authd", "auditd"):
        assert own.stop_one(daemon) == 0
        last = json.loads(own.log_path(daemon).read_text().splitlines()[-1])
        assert last["event"] == "stopped"
    for daemon in ("auditd", "authd", "vaultd", "edged"):
        own.start_one(daemon)


@pytest.mark.parametrize("daemon", ["authd", "vaultd"])
def test_start_and_stop_are_in_the_audit_log(own, daemon):
    def count(event):
        return len([entry for entry in own.audit_entries(event_type=event)
                    if entry["actor"]["app_uid"] == daemon])

    starts, stops = count("service.start"), count("service.stop")
    assert own.stop_one(daemon) == 0
    own.start_one(daemon)
    assert (count("service.start"), count("service.stop")) == (starts + 1, stops + 1)


def test_auditd_that_went_first_does_not_hold_up_the_others(own):
    assert own.stop_one("auditd") == 0
    began = time.monotonic()
    assert [own.stop_one(daemon) for daemon in ("vaultd", "authd")] == [0, 0]
    assert time.monotonic() - began < DRAIN_SECONDS
    for daemon in ("auditd", "authd", "vaultd"):
        own.start_one(daemon)
    wait_until(lambda: own.gateway().post("/v1/tokens", body()).status == 201, "cards are taken")


def received_in_vaultds_place(own, identity):
    """What edged sends when a process with `identity` listens where vaultd should."""
    received = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stem = own.dir / "tls" / identity / identity
    context.load_cert_chain(stem.with_suffix(".crt"), stem.with_suffix(".key"))

    def stand_in(listener):
        raw, _ = listener.accept()
        try:
            with context.wrap_socket(raw, server_side=True) as connection:
                received.append(connection.recv(65536))
        except (OSError, ssl.SSLError):
            received.append(b"")

    with socket.create_server(doors.vaultd(own).address) as listener:
        thread = threading.Thread(target=stand_in, args=[listener], daemon=True)
        thread.start()
        answer = own.gateway().post("/v1/tokens", body())
        assert (answer.status, answer.problem) == (503, "service-unavailable")
        thread.join(5)
    return received


def test_edged_sends_nothing_to_one_who_is_not_vaultd(own):
    """Another service of the same CA is not enough; the control is vaultd's own name."""
    assert own.stop_one("vaultd") == 0
    assert received_in_vaultds_place(own, "authd") == [b""]
    assert received_in_vaultds_place(own, "vaultd")[0].startswith(b"POST /v1/cards HTTP/1.1")
    own.start_one("vaultd")
    wait_until(lambda: own.gateway().post("/v1/tokens", body()).status == 201, "cards are taken")
