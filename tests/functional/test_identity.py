"""Who gets in: TLS 1.3 only, a certificate of the deployment's CA with one service's name, and that
service on the route's list.
"""
import datetime
import json
import shutil
import socket
import ssl

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

import door as doors
import leak_scan
from certificates import HOUR, Authority, Leaf

DOMAIN = "spiffe://strongroom.local"


@pytest.fixture(scope="module")
def authority(deployment):
    return Authority.of(deployment)


@pytest.fixture
def issue(authority):
    """Certificates that are gone after the test."""
    made = []

    def make(leaf, by=authority):
        made.append(by.issue(leaf))
        return made[-1]

    yield make
    for files in made:
        shutil.rmtree(files.certificate.parent)


def context(deployment, files=None, version=None):
    made = ssl.create_default_context(cafile=deployment.dir / "tls/ca/ca.crt")
    if version:
        made.minimum_version = made.maximum_version = version
    if files:
        made.load_cert_chain(files.certificate, files.key)
    return made


def card():
    return {"card": {"number": leak_scan.generate_pan(), "exp_month": 12,
                     "exp_year": datetime.date.today().year + 1}}


def answer_to(door, tls):
    """The answer to a good request over `tls`; None when the listener would not talk."""
    door.tls = tls
    try:
        with door.connect() as connection:
            connection.send(door.request(json.dumps(card()).encode()))
            return connection.answer()
    except (ssl.SSLError, ConnectionError):
        return None


def test_vault_takes_a_certificate_of_its_ca(deployment, issue):
    files = issue(Leaf(uris=(f"{DOMAIN}/loadgen",)))
    assert answer_to(doors.vaultd(deployment), context(deployment, files)).status == 201


def test_vault_refuses_a_client_without_certificate(deployment):
    assert answer_to(doors.vaultd(deployment), context(deployment)) is None


def test_vault_refuses_another_cas_certificate(deployment, issue):
    files = issue(Leaf(uris=(f"{DOMAIN}/loadgen",)), by=Authority())
    assert answer_to(doors.vaultd(deployment), context(deployment, files)) is None


WRONG = {
    "no name": Leaf(),
    "two names": Leaf(uris=(f"{DOMAIN}/loadgen", f"{DOMAIN}/edged")),
    "another domain": Leaf(uris=("spiffe://other.local/loadgen",)),
    "a longer domain": Leaf(uris=(f"{DOMAIN}.evil/loadgen",)),
    "another scheme": Leaf(uris=("https://strongroom.local/loadgen",)),
    "a deeper path": Leaf(uris=(f"{DOMAIN}/x/loadgen",)),
    "capitals": Leaf(uris=(f"{DOMAIN}/Loadgen",)),
    "an empty name": Leaf(uris=(f"{DOMAIN}/",)),
    "over": Leaf(uris=(f"{DOMAIN}/loadgen",), begins=-2 * HOUR, ends=-HOUR),
    "not begun": Leaf(uris=(f"{DOMAIN}/loadgen",), begins=HOUR, ends=2 * HOUR),
    "for servers": Leaf(uris=(f"{DOMAIN}/loadgen",), usage=(ExtendedKeyUsageOID.SERVER_AUTH,)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_vault_refuses_a_wrong_certificate(deployment, issue, wrong):
    files = issue(WRONG[wrong])
    assert answer_to(doors.vaultd(deployment), context(deployment, files)) is None


@pytest.mark.parametrize("identity", ["webhookd", "gatewayd", "authd", "auditd", "vaultd", "edge",
                                      "edged2"])
def test_vault_refuses_services_that_are_not_on_the_routes_list(deployment, issue, identity):
    files = issue(Leaf(uris=(f"{DOMAIN}/{identity}",)))
    answer = answer_to(doors.vaultd(deployment), context(deployment, files))
    assert (answer.status, answer.problem) == (403, "not-allowed")
    denied = deployment.audit_entries(request_id=answer.body["request_id"])
    assert [entry["unmapped"]["event_type"] for entry in denied] == ["access.denied"]
    assert denied[0]["actor"]["user"]["uid"] == identity


@pytest.mark.parametrize("identity, method, path, status", [
    ("loadgen", "POST", "/v1/tickets", 200),
    ("edged", "POST", "/v1/tickets", 200),
    ("vaultd", "POST", "/v1/tickets", 403),
    ("gatewayd", "POST", "/v1/tickets", 403),
    ("loadgen", "GET", "/v1/api-keys", 403),
    ("loadgen", "POST", "/v1/api-keys", 403),
    ("edged", "GET", "/v1/merchants", 404),
])
def test_authd_serves_each_route_to_its_own_callers(deployment, issue, identity, method, path,
                                                    status):
    state = deployment.state()
    door = doors.vaultd(deployment)
    door.url = state["authd_url"]
    door.credential = {"Authorization": f"Bearer {state['api_key']}"}
    door.tls = context(deployment, issue(Leaf(uris=(f"{DOMAIN}/{identity}",))))
    with door.connect() as connection:
        connection.send(door.request(b"", method=method, path=path))
        assert connection.answer().status == status


@pytest.mark.parametrize("url", ["gateway_url", "vault_url", "authd_url"])
def test_older_tls_is_refused(deployment, issue, url):
    door = doors.vaultd(deployment)
    door.url = deployment.state()[url]
    files = issue(Leaf(uris=(f"{DOMAIN}/loadgen",)))
    door.tls = context(deployment, files, ssl.TLSVersion.TLSv1_2)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        door.connect()
    door.tls = context(deployment, files, ssl.TLSVersion.TLSv1_3)
    with door.connect() as connection:
        assert connection.version() == "TLSv1.3"


@pytest.mark.parametrize("url", ["gateway_url", "vault_url", "authd_url"])
def test_plain_http_gets_no_answer(deployment, url):
    door = doors.edged(deployment)
    door.url = deployment.state()[url]
    with socket.create_connection(door.address, timeout=doors.ANSWER_SECONDS) as plain:
        plain.sendall(door.request(b""))
        try:
            assert b"HTTP" not in plain.recv(4096)
        except ConnectionError:
            pass


def test_edge_proves_its_name_to_the_public(deployment):
    stranger = ssl.create_default_context()
    door = doors.edged(deployment)
    door.tls = stranger
    with pytest.raises(ssl.SSLCertVerificationError):
        door.connect()
