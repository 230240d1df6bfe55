"""A deployment on a token that is there already, as docs/hsm.md tells; and what `init` says where
that cannot be. The token is NSS softokn's, which `vaultd` cannot make.
"""
import os
import subprocess

import pytest

import leak_scan
import softokn
from card_load import card_body
from deployment import BIN
from running_deployment import RunningDeployment, folder, running
from vault_keys import KEK, tool

USAGE = 2


@pytest.fixture
def place():
    with folder() as path:
        yield path


def init(place, *options):
    command = [BIN / "strongroom", "init", "--dir", place / "deployment", *options]
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def changed(options, name, value):
    """The options of `init`, one of them with another value."""
    at = options.index(name) + 1
    return [*options[:at], value, *options[at + 1:]]


def test_the_document_leads_to_a_deployment_that_lives_through_a_rotation():
    with running("sqlite", hsm="softokn") as deployment:
        client = deployment.gateway()
        token = client.post("/v1/tokens", card_body(leak_scan.generate_pan())).body["id"]
        deployment.strongroom("keys", "rotate", KEK)
        assert deployment.stop_one("vaultd") == 0
        deployment.start_one("vaultd")
        assert client.get(f"/v1/tokens/{token}").status == 200
        assert tool(deployment, "check").returncode == 0
        architecture = deployment.strongroom("keys", "architecture")
        assert "NSS" in architecture["hsm"]["module_description"]
        assert architecture["hsm_configured"]["assurance"] == "software"
        _, report = deployment.admin("vaultd", "GET", "/readyz")
        assert "hsm: software, not a hardware module" in report["warnings"]


def test_the_pin_stays_where_it_is(place):
    options = softokn.make_token(place / "token")
    assert init(place, *options).returncode == 0
    deployment = RunningDeployment(place / "deployment")
    pin = place / "pin"
    assert deployment.settings()["hsm"]["pin"] == f"file:{pin}"
    assert "so_pin" not in deployment.settings()["hsm"]
    secret = pin.read_bytes().strip()
    for root, _, files in os.walk(deployment.dir):
        for name in files:
            with open(os.path.join(root, name), "rb") as file:
                assert secret not in file.read(), name
    assert not list(deployment.dir.glob("secrets/hsm.*"))


def test_no_token_is_made_where_the_label_is_mistyped(place):
    options = softokn.make_token(place / "token")
    done = init(place, *changed(options, "--hsm-token", "strongrom"))
    assert done.returncode == USAGE
    assert "HSM token 'strongrom': HSM: no token of this label" in done.stderr
    assert list((place / "deployment").iterdir()) == []


def test_a_wrong_pin_is_said(place):
    options = softokn.make_token(place / "token")
    (place / "pin").write_text("not-the-pin-0000")
    done = init(place, *options)
    assert done.returncode == USAGE and "the PIN is wrong" in done.stderr
    assert "not-the-pin-0000" not in done.stderr
    assert list((place / "deployment").iterdir()) == []


@pytest.mark.parametrize("settings, words", [
    ("nss_parameters = 1\n", "nss_parameters"),
    ("nonsense\n", "hsm-settings.toml:1:"),
    ('pin = "file:/x"\n', "'pin' cannot stand here (docs/hsm.md)"),
    ('color = "red"\n', "'color' cannot stand here (docs/hsm.md)"),
    ("[mechanisms]\naes_gcm = 1\n", "have no headers; tables stand in { }"),
    ("inline = true\n \t[mechanisms]\naes_gcm = 1\n", "have no headers; tables stand in { }"),
    ("inline = true\n[vaultd]\nworkers = 9\n", "have no headers; tables stand in { }"),
    ("mechanisms = { color = 1 }\n", "unknown key 'color'"),
    ("mechanisms = { aes_gcm = -1 }\n", "'aes_gcm'"),
    ('connects = ["hsm.example:1792"]\n', "must be an IP address and a port"),
    ('read_paths = ["etc"]\n', "must be absolute paths"),
])
def test_settings_that_cannot_be_are_named(place, settings, words):
    options = softokn.make_token(place / "token")
    (place / "hsm-settings.toml").write_text(settings)
    done = init(place, *options)
    assert done.returncode == USAGE and words in done.stderr, done.stderr


def test_settings_that_are_not_there_are_named(place):
    options = softokn.make_token(place / "token")
    done = init(place, *changed(options, "--hsm-settings", place / "absent.toml"))
    assert done.returncode == USAGE and f"{place}/absent.toml" in done.stderr
    assert not (place / "deployment").exists()


def test_production_takes_softokn_for_software(place):
    options = softokn.make_token(place / "token")
    done = init(place, "--profile", "production", *options)
    assert done.returncode == USAGE and "--hsm-assurance software" in done.stderr


def test_a_mechanism_of_another_number_is_asked_for(place):
    """The module has none of that number, and says so: the setting reaches it."""
    options = softokn.make_token(place / "token")
    settings = place / "hsm-settings.toml"
    settings.write_text(settings.read_text() + "mechanisms = { aes_key_gen = 0x80001080 }\n")
    done = init(place, *options)
    assert done.returncode == USAGE and "the HSM lacks CKM_AES_KEY_GEN" in done.stderr


def test_a_variable_reaches_the_module(place):
    """SoftHSM finds its tokens by one; without it vaultd would see none."""
    made = RunningDeployment(place / "made")
    made.create()
    settings = place / "settings.toml"
    settings.write_text(f'environment = {{ SOFTHSM2_CONF = "{made.dir}/hsm/softhsm2.conf" }}\n'
                        f'token_folder = "{made.dir}/hsm"\ninline = true\ncopy_keys = true\n')
    pin = made.dir / "secrets/hsm.pin"
    assert init(place, "--hsm-pin-file", pin, "--hsm-settings", settings).returncode == 0
    second = RunningDeployment(place / "deployment")
    assert "softhsm_conf" not in second.settings()["hsm"]
    try:
        for instance in ("auditd", "vaultd"):
            second.start_one(instance)
    finally:
        for process in second.processes.values():
            process.terminate()
            process.wait()
