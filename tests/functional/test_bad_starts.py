"""What keeps vaultd and edged from starting: exit status 2 and the reason in one line, no secret in
it. Each start reads a variant of the configuration; the deployment itself stays as it is.
"""
import re
import socket
import sqlite3
import subprocess
import tomllib

import pytest

from certificates import HOUR, Authority, Leaf
from deployment import BIN, Deployment
from running_deployment import folder

START_SECONDS = 20


@pytest.fixture(scope="module")
def made():
    """A deployment of which nothing runs."""
    with folder() as parent:
        deployment = Deployment(parent / "deployment")
        deployment.create()
        yield deployment


def reason(made, daemon, *changes):
    """Why `daemon` does not start with `changes` of the configuration; checks the form."""
    text = made.config.read_text()
    for before, after in changes:
        assert before in text, f"{before} stands no longer in strongroom.toml"
        text = text.replace(before, after, 1)
    variant = made.config.with_name("variant.toml")
    variant.write_text(text)
    done = subprocess.run([BIN / daemon, "--config", variant], capture_output=True, text=True,
                          timeout=START_SECONDS)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    said = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert len(said) == 1 and said[0].startswith(f"{daemon}: "), done.stderr
    for secret in (made.dir / "secrets").iterdir():
        assert secret.read_text().strip() not in done.stderr
    return said[0]


def secret(made, name, text, mode=0o600):
    path = made.dir / "secrets" / name
    path.write_text(text)
    path.chmod(mode)
    return f"file:secrets/{name}"


def listen(made, daemon):
    return tomllib.loads(made.config.read_text())[daemon]["listen"]


def test_wrong_pin(made):
    wrong = secret(made, "wrong.pin", "not-the-pin-0000")
    said = reason(made, "vaultd", ("file:secrets/hsm.pin", wrong))
    assert "PIN" in said


def test_pin_that_others_can_read(made):
    loose = secret(made, "loose.pin", "x" * 20, 0o644)
    assert "[hsm] pin" in reason(made, "vaultd", ("file:secrets/hsm.pin", loose))


def test_missing_pin(made):
    assert "[hsm] pin" in reason(made, "vaultd", ("file:secrets/hsm.pin", "file:secrets/absent"))


def test_missing_module(made):
    module = tomllib.loads(made.config.read_text())["hsm"]["module"]
    said = reason(made, "vaultd", (module, "/nowhere/libsofthsm2.so"))
    assert "/nowhere/libsofthsm2.so" in said


def test_module_that_is_none(made):
    module = tomllib.loads(made.config.read_text())["hsm"]["module"]
    library = next(line.split()[-1] for line in
                   open("/proc/self/maps") if "libc.so" in line)
    assert library in reason(made, "vaultd", (module, library))


def test_unknown_token(made):
    said = reason(made, "vaultd", ('token = "strongroom"', 'token = "elsewhere"'))
    assert "HSM token" in said


@pytest.mark.parametrize("daemon", ["vaultd", "edged", "authd", "auditd"])
def test_unknown_key_is_named_with_its_place(made, daemon):
    line = made.config.read_text().splitlines().index(
        next(line for line in made.config.read_text().splitlines()
             if line.startswith(f"[{daemon}]"))) + 2
    said = reason(made, daemon, (f"[{daemon}]", f"[{daemon}]\n  color = 1\n#"))
    assert re.search(rf"variant\.toml:{line}:3\b", said) and "'color'" in said


BAD_TEXTS = {
    "no TOML": ("[tls]", "[tls"),
    "a number for text": ('trust_domain = "strongroom.local"', "trust_domain = 1"),
    "an unknown profile": ('profile = "demo"', 'profile = "staging"'),
    "an unknown level": ('log_level = "info"', 'log_level = "loud"'),
    "an unknown section": ("[tickets]", "[tikets]\nx = 1\n[tickets]"),
    "an inline secret": ('pin = "file:secrets/hsm.pin"', 'pin = "123456"'),
    "a repeated key": ('token = "strongroom"', 'token = "strongroom"\ntoken = "strongroom"'),
    "workers out of range": ("workers = 1", "workers = 0"),
}


@pytest.mark.parametrize("wrong", BAD_TEXTS)
def test_bad_configuration_is_named_with_its_line(made, wrong):
    # Only [vaultd] may be out of range for vaultd: the change must hit the section it reads.
    before, after = BAD_TEXTS[wrong]
    text = made.config.read_text()
    if wrong == "workers out of range":
        section = text[text.index("[vaultd]"):]
        before, after = section, section.replace(before, after, 1)
    said = reason(made, "vaultd", (before, after))
    assert re.search(r"variant\.toml:\d+:\d+", said), said
    assert "123456" not in said


def test_missing_key_is_named(made):
    said = reason(made, "edged", ("authd = ", "# authd = "))
    assert "'authd'" in said and "variant.toml" in said


@pytest.mark.parametrize("daemon", ["vaultd", "edged"])
@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999"])
def test_bad_address(made, daemon, address):
    said = reason(made, daemon, (f'listen = "{listen(made, daemon)}"', f'listen = "{address}"'))
    assert "listen" in said


def test_softhsm_in_production_says_what_to_set(made):
    said = reason(made, "vaultd", ('profile = "demo"', 'profile = "production"'),
                  ('hsm_assurance = "software"', 'hsm_assurance = "hardware"'))
    assert "SoftHSM is no hardware" in said
    assert said.endswith("""set hsm_assurance = "software" in [hsm] beside 'module'""")


@pytest.mark.parametrize("daemon, before", [
    ("authd", "secrets/authd.passphrase"), ("auditd", "secrets/auditd.passphrase"),
    ("vaultd", "secrets/hsm.pin"), ("gatewayd", "tls/gatewayd/gatewayd.key"),
    ("audit-relay", "tls/audit-relay/audit-relay.key"),
    ("edged", "tls/edged/public.key"), ("authd", "data/authd/ticket.sealed"),
])
def test_an_absent_file_is_named(made, daemon, before):
    said = reason(made, daemon, (before, "nowhere/it"))
    assert str(made.dir / "nowhere/it") in said


@pytest.mark.parametrize("keys, said", [
    ('destination = "udp://siem:514"', "must be tls://HOST:PORT or file:PATH"),
    ('destination = "tls://siem"', "must be a host and a port"),
    ('destination = "tls://localhost:6514"', "'ca'"),
    ('destination = "tls://localhost:6514", ca = "nowhere/ca.crt"', "nowhere/ca.crt"),
    ('destination = "file:here"', "absolute path"),
    ('destination = "file:/nowhere/audit.log"', "/nowhere: no such folder"),
    ('destination = "file:/tmp/x", format = "xml"', "'format'"),
])
def test_an_exporter_that_cannot_be(made, keys, said):
    data = 'data = "data/audit-relay"'
    table = f"export.siem = {{ {keys} }}"
    assert said in reason(made, "audit-relay", (data, f'{data}\nexporters = ["siem"]\n{table}'))


@pytest.mark.parametrize("path", ["audit/copy", "audit/checkpoints/../copy", "copy"])
def test_an_exporter_that_could_write_the_audit_log(made, path):
    data = 'data = "data/audit-relay"'
    table = f'export.copy = {{ destination = "file:{made.dir}/{path}" }}'
    (made.dir / "audit/checkpoints").mkdir(exist_ok=True)
    said = reason(made, "audit-relay", (data, f'{data}\nexporters = ["copy"]\n{table}'))
    assert said.endswith("must be apart from the folder of the audit log")


@pytest.mark.parametrize("daemon", ["authd", "gatewayd", "vaultd"])
def test_the_folder_of_a_moved_database_is_named(made, daemon):
    said = reason(made, daemon, (f"sqlite:data/{daemon}/", "sqlite:/nowhere/data/"))
    assert said.startswith(f"{daemon}: /nowhere/data: ") and "moved" in said


def test_the_folder_of_a_moved_token_is_named(made):
    conf = made.dir / "hsm/moved.conf"
    conf.write_text("directories.tokendir = /nowhere/hsm/tokens\n")
    said = reason(made, "vaultd", ("hsm/softhsm2.conf", "hsm/moved.conf"))
    assert said.startswith("vaultd: /nowhere/hsm/tokens: ") and "moved" in said


def test_connectord_asks_which_one_it_is(made):
    assert "connectord-NAME by '--instance'" in reason(made, "connectord")


@pytest.mark.parametrize("daemon", ["vaultd", "edged", "authd"])
def test_port_in_use(made, daemon):
    host, port = listen(made, daemon).split(":")
    with socket.create_server((host, int(port))):
        assert f"[{daemon}] listen = {host}:{port}: port in use: " in reason(made, daemon)


@pytest.mark.parametrize("daemon, key", [("vaultd", "vaultd/vaultd"), ("edged", "edged/public")])
def test_certificate_that_cannot_be_used(made, daemon, key):
    authority = Authority.of(made)
    over = authority.issue(Leaf(begins=-2 * HOUR, ends=-HOUR), made.dir / "tls/over")
    other = authority.issue(Leaf(), made.dir / "tls/other")
    before = (f"tls/{key}.crt", f"tls/{key}.key")
    cases = [((before[0], "tls/absent.crt"),), ((before[0], "tls/ca/ca.crt"),),
             ((before[1], f"tls/{other.key.name}"),),
             ((before[0], f"tls/{over.certificate.name}"), (before[1], f"tls/{over.key.name}"))]
    for changes in cases:
        assert "certificate" in reason(made, daemon, *changes)


def test_ticket_keys_that_anybody_could_have_written(made):
    loose = made.dir / "public/loose.pub"
    loose.write_text((made.dir / "public/tickets.pub").read_text())
    loose.chmod(0o666)
    assert "ticket key" in reason(made, "vaultd", ("public/tickets.pub", "public/loose.pub"))


def vault_database(made, name, statement):
    """A copy of the vault's database, changed by `statement`."""
    path = made.dir / "data/vaultd" / name
    source = sqlite3.connect(made.dir / "data/vaultd/vault.db")
    changed = sqlite3.connect(path)
    source.backup(changed)
    changed.execute(statement)
    changed.commit()
    source.close()
    changed.close()
    path.chmod(0o600)


def test_keys_that_are_not_the_databases(made):
    vault_database(made, "foreign.db",
                   "INSERT INTO key_versions VALUES ('pan-encryption', 1, '000000', 0)")
    assert "another token" in reason(made, "vaultd", ("vaultd/vault.db", "vaultd/foreign.db"))


def test_a_key_registry_that_somebody_has_written_to(made):
    vault_database(made, "edited.db", "INSERT INTO keys VALUES"
                   " ('pan-encryption', 1, '000000', 'active', 0, 0, 0, 1, 0, NULL, 0, '')")
    assert "somebody else" in reason(made, "vaultd", ("vaultd/vault.db", "vaultd/edited.db"))


def test_database_of_a_later_version(made):
    vault_database(made, "later.db", "INSERT INTO schema_version VALUES (999, 0)")
    auditd = made.start("auditd")
    try:
        made.wait_ready("auditd", auditd)
        assert "newer" in reason(made, "vaultd", ("vaultd/vault.db", "vaultd/later.db"))
    finally:
        auditd.terminate()
        auditd.wait()


def test_second_process_of_an_instance(deployment):
    for daemon in ("vaultd", "edged", "authd", "auditd"):
        done = subprocess.run([BIN / daemon, "--config", deployment.config], capture_output=True,
                              text=True, timeout=START_SECONDS)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].endswith("already running")
        assert deployment.is_ready(daemon), f"the first {daemon} was harmed"


@pytest.mark.parametrize("arguments", [[], ["--config"], ["--config", "/nowhere.toml"],
                                       ["--nonsense"], ["--config", "/", "extra"]])
@pytest.mark.parametrize("daemon", ["vaultd", "edged"])
def test_bad_command_line(daemon, arguments):
    done = subprocess.run([BIN / daemon, *arguments], capture_output=True, text=True,
                          timeout=START_SECONDS)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"{daemon}: ")
