"""The operators' tool on real processes: init, status, merchants, api-keys, audit verify."""

import json
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import tomllib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from api import Api  # noqa: E402
from children import stop  # noqa: E402
from deployment import BIN, DAEMONS, Deployment  # noqa: E402

OK, CHECK_FAILED, USAGE, NOT_REACHABLE = 0, 1, 2, 3


def run(deployment, *arguments, program="strongroom"):
    command = [BIN / program, *arguments]
    if program == "strongroom":
        command += ["--dir", deployment.dir]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                          timeout=60)
    return done


def start(deployment, instance):
    process = deployment.start(instance)
    deployment.wait_ready(instance, process)
    return process


def start_and_fail(deployment, instance):
    """Exit status and the last line that a process left which must not come up."""
    done = run(deployment, "--config", deployment.config, program=instance)
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A deployment that nothing has changed yet."""
    deployment = Deployment(tmp_path_factory.mktemp("made") / "dir")
    deployment.create()
    return deployment


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """auditd and authd of a deployment, with a merchant; processes by name."""
    deployment = Deployment(tmp_path_factory.mktemp("running") / "dir")
    deployment.create()
    deployment.processes = {name: start(deployment, name) for name in ("auditd", "authd")}
    deployment.merchant = deployment.strongroom("merchants", "create", "--name", "Shop")["id"]
    yield deployment
    for name in ("authd", "auditd"):
        stop(deployment.processes[name])


@pytest.fixture
def fresh(tmp_path):
    """A deployment for one test to spoil; what runs in it is stopped."""
    deployment = Deployment(tmp_path / "dir")
    deployment.create()
    deployment.processes = []
    yield deployment
    for process in reversed(deployment.processes):
        stop(process)


def ticket_status(deployment, key, identity="loadgen"):
    tls = deployment.dir / "tls"
    config = tomllib.loads(deployment.config.read_text())
    base = tls / identity / identity if (tls / identity).is_dir() else tls / identity
    api = Api(f"https://{config['authd']['listen']}", tls / "ca/ca.crt", api_key=key,
              client_cert=f"{base}.crt", client_key=f"{base}.key")
    try:
        return api.call("POST", "/v1/tickets")[0]
    finally:
        api.close()


# --- init -----------------------------------------------------------------------------------------


def test_init_gives_rights_to_its_owner_alone(made):
    for path in [made.dir, *made.dir.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        public = path.suffix == ".crt" or path.parent.name == "public"
        assert mode & 0o077 == 0 or (public and path.is_file() and mode == 0o644), (path, oct(mode))


def test_init_makes_certificates_that_verify_and_name_their_service(made):
    ca = made.dir / "tls/ca/ca.crt"
    for name in ("edged", "vaultd", "authd", "gatewayd", "connectord-stripe",
                 "audit-relay"):
        leaf = made.dir / f"tls/{name}/{name}.crt"
        subprocess.run(["openssl", "verify", "-CAfile", ca, leaf], check=True, capture_output=True)
        text = subprocess.run(["openssl", "x509", "-in", leaf, "-noout", "-ext", "subjectAltName"],
                              check=True, capture_output=True, text=True).stdout
        assert f"URI:spiffe://strongroom.local/{name}" in text
        assert "DNS:localhost" in text and "IP Address:127.0.0.1" in text


def test_init_makes_distinct_secrets_and_names_none_in_the_configuration(made):
    secrets = [path.read_text() for path in (made.dir / "secrets").iterdir()
               if path.suffix != ".key"]
    assert len(secrets) == len(set(secrets)) == 5
    assert all(len(secret) == 32 for secret in secrets)
    assert not any(secret in made.config.read_text() for secret in secrets)


def test_init_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "precious").write_text("keep")
    done = run(Deployment(tmp_path), "init")
    assert done.returncode == USAGE
    assert "not an empty folder" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_init_takes_back_what_it_made_when_a_step_fails(tmp_path):
    deployment = Deployment(tmp_path / "dir")
    done = run(deployment, "init", "--hsm-module", "/nowhere/module.so")
    assert done.returncode == USAGE
    assert "vaultd --init failed" in done.stderr
    assert list(deployment.dir.iterdir()) == []
    assert run(deployment, "init").returncode == OK


def test_production_on_softhsm_is_asked_for_before_anything_is_made(tmp_path):
    deployment = Deployment(tmp_path / "dir")
    done = run(deployment, "init", "--profile", "production")
    assert done.returncode == USAGE and "--hsm-assurance software" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and not deployment.dir.exists()


def test_demo_says_that_its_hsm_is_software(made):
    assert tomllib.loads(made.config.read_text())["hsm"]["hsm_assurance"] == "software"


def test_init_uses_the_ports_it_is_given(tmp_path):
    deployment = Deployment(tmp_path / "dir")
    assert run(deployment, "init", "--port-base", "41230").returncode == OK
    config = tomllib.loads(deployment.config.read_text())
    assert config["edged"]["listen"] == "127.0.0.1:41230"
    assert config["authd"]["listen"] == config["edged"]["authd"] == "127.0.0.1:41231"
    assert config["vaultd"]["listen"] == config["edged"]["vaultd"] == "127.0.0.1:41232"
    stripe = config["connectord"]["stripe"]
    assert (stripe["listen"], stripe["host"]) == ("127.0.0.1:41233", "localhost:41235")
    gateway = config["gatewayd"]
    assert gateway["listen"] == config["edged"]["gatewayd"] == "127.0.0.1:41234"
    assert config["audit-relay"]["listen"] == config["edged"]["audit_relay"] == "127.0.0.1:41236"
    assert gateway["vaultd"] == config["vaultd"]["listen"]
    assert gateway["connectors"] == config["vaultd"]["connectors"] == {"stripe": stripe["listen"]}
    assert run(Deployment(tmp_path / "two"), "init", "--port-base", "65530").returncode == USAGE


def test_init_survives_odd_names_and_refuses_odd_trust_domains(tmp_path):
    deployment = Deployment(tmp_path / 'di"r \\ x')
    done = run(deployment, "init", "--json")
    assert done.returncode == OK
    assert json.loads(done.stdout)["directory"] == str(deployment.dir)
    stop(start(deployment, "auditd"))
    refused = run(Deployment(tmp_path / "two"), "init", "--trust-domain", 'a"b')
    assert refused.returncode == USAGE and not (tmp_path / "two").exists()


def test_daemons_init_again_changes_nothing(made):
    before = {path: path.read_bytes() for path in (made.dir / "public").iterdir()}
    for daemon in ("auditd", "authd"):
        assert run(made, "--config", made.config, "--init", program=daemon).returncode == OK
    assert before == {path: path.read_bytes() for path in (made.dir / "public").iterdir()}


# --- bad starts -----------------------------------------------------------------------------------


def test_wrong_passphrase_is_a_bad_start(fresh):
    (fresh.dir / "secrets/authd.passphrase").write_text("another passphrase")
    status, reason = start_and_fail(fresh, "authd")
    assert status == 2 and reason.startswith("authd: ") and "ticket.sealed" in reason


def test_secret_that_others_can_read_is_a_bad_start(fresh):
    (fresh.dir / "secrets/authd.passphrase").chmod(0o644)
    status, reason = start_and_fail(fresh, "authd")
    assert status == 2 and "passphrase" in reason


def test_unknown_key_is_a_bad_start_with_its_place(fresh):
    text = fresh.config.read_text().replace("[authd]\n", "[authd]\ncolor = \"red\"\n")
    fresh.config.write_text(text)
    line = text.splitlines().index('color = "red"') + 1
    status, reason = start_and_fail(fresh, "authd")
    assert status == 2 and f"strongroom.toml:{line}:" in reason and "'color'" in reason


def test_port_in_use_is_a_bad_start(fresh):
    host, port = tomllib.loads(fresh.config.read_text())["authd"]["listen"].split(":")
    with socket.create_server((host, int(port)), reuse_port=True):
        status, reason = start_and_fail(fresh, "authd")
    assert status == 2 and f"{host}:{port}: port in use" in reason


def test_schema_of_a_later_version_is_a_bad_start(fresh):
    import sqlite3
    with sqlite3.connect(fresh.dir / "data/authd/auth.db") as database:
        database.execute("INSERT INTO schema_version VALUES (999, 0)")
    database.close()
    status, reason = start_and_fail(fresh, "authd")
    assert status == 2 and "newer" in reason


def test_second_process_of_an_instance_is_refused(running):
    status, reason = start_and_fail(running, "authd")
    assert status == 2 and "already running" in reason


def test_flipped_journal_byte_keeps_auditd_down(fresh):
    process = start(fresh, "auditd")
    assert stop(process) == 0
    flip_journal_byte(fresh)
    status, reason = start_and_fail(fresh, "auditd")
    assert status == 2 and "journal" in reason


@pytest.mark.parametrize("daemon", DAEMONS)
def test_sandbox_denies_everything_that_is_probed(made, daemon):
    command = [str(part) for part in made.command(daemon)]
    done = subprocess.run([*command, "--check-sandbox"], capture_output=True, text=True, timeout=60)
    probes = json.loads(done.stdout)["probes"]
    assert done.returncode == OK and len(probes) > 10
    assert all(probe["denied"] for probe in probes)


# --- merchants and keys ---------------------------------------------------------------------------


def test_key_is_shown_once_and_opens_until_it_is_revoked(running):
    made_key = running.strongroom("api-keys", "create", "--merchant", running.merchant,
                                  "--name", "till")
    assert made_key["key"].startswith(made_key["prefix"])
    assert ticket_status(running, made_key["key"]) == 200
    listed = run(running, "api-keys", "list", "--merchant", running.merchant, "--json")
    assert made_key["key"] not in listed.stdout and made_key["id"] in listed.stdout
    assert run(running, "api-keys", "revoke", made_key["id"]).returncode == OK
    assert ticket_status(running, made_key["key"]) == 401


def test_only_listed_identities_get_tickets(running):
    key = running.strongroom("api-keys", "create", "--merchant", running.merchant,
                             "--name", "till")["key"]
    assert ticket_status(running, key, identity="edged") == 200
    assert ticket_status(running, key, identity="vaultd") == 403


@pytest.mark.parametrize("arguments", [
    ("merchants", "create", "--name", "4242 4242 4242 4242"),
    ("merchants", "create"),
    ("api-keys", "create", "--merchant", "mer_none", "--name", "till"),
    ("api-keys", "create", "--merchant", "mer_" + "a" * 26, "--name", "till"),
    ("api-keys", "revoke", "key_none"),
    ("merchants",),
    ("--unknown",),
])
def test_refused_requests_and_usage_give_two(running, arguments):
    done = run(running, *arguments)
    assert done.returncode == USAGE
    assert done.stderr.startswith("strongroom: ") and done.stdout == ""
    assert "4242" not in done.stderr


@pytest.mark.parametrize("name, said", [
    ("4242 4242 4242 4242", "(name)"),
    ("x" * 500, "(name)"),
])
def test_refusals_name_the_member(running, name, said):
    done = run(running, "merchants", "create", "--name", name)
    assert done.returncode == USAGE and done.stderr.strip().endswith(said), done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    done = run(running, "api-keys", "create", "--merchant", "mer_" + "a" * 26, "--name", "till")
    assert "(merchant)" in done.stderr


@pytest.mark.parametrize("words, said", [
    (("frobnicate",), "no such command: frobnicate (see strongroom --help)"),
    (("merchants", "frobnicate"), "no such command: frobnicate (see strongroom merchants --help)"),
    (("merchants",), "a command is missing (see strongroom merchants --help)"),
    ((), "a command is missing (see strongroom --help)"),
])
def test_unknown_commands_are_named(words, said):
    done = subprocess.run([BIN / "strongroom", *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (USAGE, f"strongroom: {said}\n")


def test_help_of_a_key_tells_the_default_role():
    done = subprocess.run([BIN / "strongroom", "api-keys", "create", "--help"],
                          capture_output=True, text=True)
    assert "merchant_admin (the default)" in done.stdout


def test_help_reads_like_a_manual_page():
    for command in ([], ["init"], ["api-keys", "create"], ["audit", "verify"],
                    ["certificates", "renew"]):
        done = subprocess.run([BIN / "strongroom", *command, "--help"], capture_output=True,
                              text=True)
        assert done.returncode == OK
        for heading in ("NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS"):
            assert f"{heading}\n" in done.stdout


def test_nothing_happens_while_the_audit_log_is_away_and_all_recovers(fresh):
    auditd = start(fresh, "auditd")
    authd = start(fresh, "authd")
    fresh.processes = [auditd, authd]
    auditd.send_signal(signal.SIGKILL)
    auditd.wait()
    deadline = time.monotonic() + 10
    while fresh.is_ready("authd") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert run(fresh, "merchants", "create", "--name", "Unaudited").returncode == NOT_REACHABLE
    fresh.processes[0] = start(fresh, "auditd")
    fresh.wait_ready("authd", authd)
    assert run(fresh, "merchants", "create", "--name", "Audited").returncode == OK
    names = [merchant["name"] for merchant in fresh.strongroom("merchants", "list")]
    assert names == ["Audited"]


def test_killed_authd_comes_back_with_its_data_and_no_open_intent(fresh):
    fresh.processes = [start(fresh, "auditd"), start(fresh, "authd")]
    merchant = fresh.strongroom("merchants", "create", "--name", "Shop")["id"]
    creating = [subprocess.Popen([BIN / "strongroom", "api-keys", "create", "--merchant", merchant,
                                  "--name", f"key {n}", "--dir", fresh.dir, "--json"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                for n in range(8)]
    time.sleep(0.02)
    fresh.processes[1].send_signal(signal.SIGKILL)
    answered = [json.loads(process.communicate()[0]) for process in creating
                if process.wait() == OK]
    fresh.processes[1].wait()
    fresh.processes[1] = start(fresh, "authd")
    kept = {key["id"] for key in fresh.strongroom("api-keys", "list", "--merchant", merchant)}
    assert {key["id"] for key in answered} <= kept
    report = fresh.strongroom("audit", "verify")
    assert report["ok"] and report["open_intent_count"] == 0


# --- status and audit -----------------------------------------------------------------------------


def test_status_tells_reachable_from_not(made, running):
    done = run(made, "status")
    assert done.returncode == NOT_REACHABLE and "does not answer" in done.stdout
    report = json.loads(run(running, "status", "--json").stdout)
    ready = {daemon["instance"]: daemon["ready"] for daemon in report["daemons"]}
    assert ready == {"auditd": True, "authd": True, "connectord-stripe": False, "vaultd": False,
                     "gatewayd": False, "audit-relay": False, "edged": False}


def test_commands_without_a_deployment_say_so(tmp_path):
    assert run(Deployment(tmp_path), "status").returncode == USAGE
    assert run(Deployment(tmp_path), "merchants", "list").returncode == NOT_REACHABLE


def flip_journal_byte(deployment):
    journal = next((deployment.dir / "audit").glob("journal-*.log"))
    data = bytearray(journal.read_bytes())
    data[data.index(b"log.start")] ^= 1
    journal.write_bytes(data)


def test_verify_finds_a_flipped_byte_and_names_its_place(fresh):
    stop(start(fresh, "auditd"))
    good = run(fresh, "audit", "verify")
    assert good.returncode == OK and good.stdout.startswith("intact\n")
    assert re.search(r" in 1 segment, 1 log, [1-9] checkpoints? verified\n", good.stdout)
    assert "not yet signed for" not in good.stdout
    flip_journal_byte(fresh)
    bad = run(fresh, "audit", "verify")
    assert bad.returncode == CHECK_FAILED and "NOT INTACT" in bad.stdout
    report = json.loads(run(fresh, "audit", "verify", "--json").stdout)
    assert not report["ok"] and report["bad"]["sequence"] == 1
    assert report["bad"]["file"].startswith("journal-")


def test_verify_says_what_no_checkpoint_covers(fresh):
    stop(start(fresh, "auditd"))
    shutil.rmtree(fresh.dir / "audit/checkpoints")
    (fresh.dir / "audit/checkpoints").mkdir()
    early = run(fresh, "audit", "verify")
    assert early.returncode == OK, early.stdout
    assert "0 checkpoints verified" in early.stdout and "not yet signed for" in early.stdout


def test_verify_believes_only_the_key_it_is_given(fresh, made):
    stop(start(fresh, "auditd"))
    other = run(fresh, "audit", "verify", "--vkey", made.dir / "public/audit.vkey")
    assert other.returncode == CHECK_FAILED
    (fresh.dir / "nonsense").write_text("no key")
    nonsense = run(fresh, "audit", "verify", "--vkey", fresh.dir / "nonsense")
    assert nonsense.returncode == USAGE
    assert nonsense.stderr.endswith(f"{fresh.dir / 'nonsense'}: not a verifier key\n")
    assert run(fresh, "audit", "verify", "--vkey", fresh.dir / "absent").returncode == USAGE


def test_nothing_secret_is_logged(running):
    key = running.strongroom("api-keys", "create", "--merchant", running.merchant,
                             "--name", "till")["key"]
    ticket_status(running, key)
    secret = key[12:]
    secrets = [path.read_text() for path in (running.dir / "secrets").iterdir()]
    for path in [*(running.dir / "log").iterdir(), *(running.dir / "audit").rglob("*")]:
        if path.is_file():
            text = path.read_bytes().decode("utf-8", "replace")
            assert secret not in text and not any(other in text for other in secrets), path
