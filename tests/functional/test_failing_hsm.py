"""The HSM fails in every way while keys are rotated and cards move to a new one: it is said,
nothing is half done, the job goes on by itself, every card opens, and nobody is told of tampering.
A wrong PIN is tried once.
"""
import json
import subprocess
import threading
import time

import pytest

import leak_scan
from card_load import card_body
from faulty_hsm import MODULE, behind_faulty_module, faults, hsm_away, logins
from running_deployment import running, wait_until
from vault_keys import KEK, active, dek_versions, states, told_of_keys, tool, wait_closed

REWRAP_SECONDS = 120
CARDS = 40
START_SECONDS = 20
CLOSE_SECONDS = 40  # vaultd settles what it does not know of after ten
# What a failing HSM may say of anything: the device, its sessions, itself, a ciphertext (a wrong
# tag among them), its memory.
FAILURES = {"device removed": "0x32", "session closed": "0xb0", "session unknown": "0xb3",
            "busy": "0x6", "general error": "0x5", "wrong tag": "0x40", "wrong length": "0x41",
            "no memory": "0x2", "not permitted": "0x68"}

pytestmark = pytest.mark.skipif(not MODULE.exists(), reason=f"{MODULE} is not built")


@pytest.fixture(scope="module", params=[("sqlite", True), ("postgres", False)],
                ids=["sqlite-inline", "postgres-threads"])
def failing(request):
    """Each test leaves it whole."""
    database, inline = request.param
    with running(database, behind_faulty_module(inline)) as deployment:
        yield deployment


def new_card(client):
    made = client.post("/v1/tokens", card_body(leak_scan.generate_pan()))
    assert made.status == 201, made
    return made.body["id"]


def said(deployment, event):
    """vaultd's lines of this event."""
    lines = deployment.log_path("vaultd").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def not_moved(deployment):
    return said(deployment, "keys of cards could not be moved yet")


def assert_nobody_speaks_of_tampering(deployment):
    assert "tampered" not in deployment.log_path("vaultd").read_text()


def assert_unavailable(answer):
    assert (answer.status, answer.problem) == (503, "hsm-unavailable"), answer


def test_a_move_of_cards_goes_on_after_whatever_the_hsm_says(failing):
    client = failing.gateway()
    tokens = [new_card(client) for _ in range(CARDS)]

    def all_moved():
        return set(dek_versions(failing)) == {version}

    with faults(failing, C_Decrypt="0x32"):
        failing.strongroom("keys", "rotate", KEK)
        version = active(failing)
        wait_until(lambda: not_moved(failing), "the move begins", REWRAP_SECONDS)
    for failure in FAILURES.values():
        with faults(failing, C_Decrypt=failure):
            assert_unavailable(client.get(f"/v1/tokens/{tokens[0]}"))
            before = len(not_moved(failing))
            wait_until(lambda: len(not_moved(failing)) > before or all_moved(),
                       "the move is tried again", 60)
            if all_moved():
                break  # between two failures
            assert not_moved(failing)[-1]["error"]["code"] == "unavailable"
            assert failing.strongroom("keys", "list")["rewrap"]["failed"] == 0
    wait_until(all_moved, "all are moved", REWRAP_SECONDS)
    for token in tokens:
        assert client.get(f"/v1/tokens/{token}").status == 200
    assert_nobody_speaks_of_tampering(failing)
    assert tool(failing, "check").returncode == 0
    wait_closed(failing)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_is_sealed_is_not_blamed_for_the_hsm(failing, failure):
    client = failing.gateway()
    token = new_card(client)
    with faults(failing, C_Decrypt=failure):
        assert_unavailable(client.get(f"/v1/tokens/{token}"))
        _, report = failing.admin("vaultd", "GET", "/readyz")
        assert [told for told in report["warnings"] if told.startswith("hsm: calls have failed")]
    assert said(failing, "the HSM does not do what is asked of it")
    assert client.get(f"/v1/tokens/{token}").status == 200
    assert_nobody_speaks_of_tampering(failing)


@pytest.mark.parametrize("failure", ["0x32", "0xb0", "0x6", "0x5", "0x2"])
def test_a_rotation_that_the_hsm_does_not_make_was_never_begun(failing, failure):
    client = failing.gateway()
    token, before = new_card(client), states(failing)
    with faults(failing, C_GenerateKey=failure):
        done = tool(failing, "rotate", KEK)
        assert done.returncode == 3, done
        assert done.stderr.startswith("strongroom: ")
        assert states(failing) == before
    wait_until(lambda: told_of_keys(failing, "key.generate")[-1][:2] == ("outcome", "not_done"),
               "the log says so", CLOSE_SECONDS)
    assert client.get(f"/v1/tokens/{token}").status == 200
    assert tool(failing, "check").returncode == 0
    wait_closed(failing)


def test_a_rotation_after_the_token_was_pulled_meanwhile(failing):
    client = failing.gateway()
    tokens, before = [new_card(client)], active(failing)
    with hsm_away(failing):
        done = tool(failing, "rotate", KEK)
        assert done.returncode == 3, done
        wait_until(lambda: failing.failing_checks("vaultd") == {"hsm"}, "vaultd names the HSM")
    wait_until(lambda: failing.is_ready("vaultd"), "it is there again")
    # The first to use a session hears that it is gone: what he asked for was not begun.
    wait_until(lambda: tool(failing, "rotate", KEK).returncode == 0, "a rotation")
    assert active(failing) > before
    tokens.append(new_card(client))
    for token in tokens:
        assert client.get(f"/v1/tokens/{token}").status == 200
    wait_closed(failing)


def test_a_rotation_is_not_begun_twice_while_the_hsm_is_slow():
    with running("sqlite", behind_faulty_module(False)) as deployment:
        ends = []
        with faults(deployment, C_GenerateKey="hold"):
            first = threading.Thread(target=lambda: ends.append(tool(deployment, "rotate", KEK)))
            first.start()
            wait_until(lambda: told_of_keys(deployment, "key.generate")[-1][0] == "intent",
                       "the first has begun")
            second = tool(deployment, "rotate", KEK)
            assert second.returncode == 3
            assert "another change of the keys is under way" in second.stderr
        first.join()
        assert ends[0].returncode == 0, ends[0]
        wait_until(lambda: states(deployment) == {1: "retired", 2: "active"}, "one new version")
        assert tool(deployment, "check").returncode == 0
        assert new_card(deployment.gateway())
        wait_closed(deployment)


def test_cards_are_taken_or_shed_while_the_hsm_is_slow(failing):
    client = failing.gateway()
    sent = card_body(leak_scan.generate_pan())
    with faults(failing, C_Encrypt="slow 200", C_Sign="slow 200"):
        for _ in range(3):
            answer = client.post("/v1/tokens", sent)
            assert answer.status in (200, 201) or answer.problem == "overloaded", answer
    token = wait_until(lambda: client.post("/v1/tokens", sent).body.get("id"), "it is taken")
    assert client.post("/v1/tokens", sent).body["id"] == token
    assert client.get(f"/v1/tokens/{token}").status == 200


def test_a_pin_that_is_refused_later_is_tried_once(failing):
    client = failing.gateway()
    token, before = new_card(client), logins(failing)
    with faults(failing, C_Login="0xa0"):
        with hsm_away(failing):
            wait_until(lambda: not failing.is_ready("vaultd"), "the login is lost")
        wait_until(lambda: logins(failing) == before + 1, "the PIN is tried")
        wait_until(lambda: hsm_check(failing).startswith("HSM: it has refused the PIN"), "said so")
    time.sleep(3)  # three times as long as a lost login waits for the next try
    for _ in range(5):
        assert_unavailable(client.get(f"/v1/tokens/{token}"))
    assert logins(failing) == before + 1
    assert said(failing, "the HSM refuses the PIN, which is not tried again")
    assert_nobody_speaks_of_tampering(failing)
    assert failing.stop_one("vaultd") == 0
    failing.start_one("vaultd")
    assert client.get(f"/v1/tokens/{token}").status == 200
    assert logins(failing) == before + 2


def hsm_check(deployment):
    _, report = deployment.admin("vaultd", "GET", "/readyz")
    return next(check.get("detail", "") for check in report["checks"] if check["name"] == "hsm")


def last_words(deployment):
    """Of a vaultd that does not start."""
    done = subprocess.run([str(part) for part in deployment.command("vaultd")],
                          capture_output=True, text=True, timeout=START_SECONDS)
    assert done.returncode == 2, done
    return done.stderr.splitlines()[-1]


def test_a_wrong_pin_at_the_start_is_tried_once_and_locks_nothing(failing):
    """However often a service manager starts vaultd anew."""
    pin = failing.dir / "secrets/hsm.pin"
    right, before = pin.read_text(), logins(failing)
    assert failing.stop_one("vaultd") == 0
    for wrong in range(1, 3):
        pin.write_text(f"wrong-{wrong}-{right}"[:32])
        assert last_words(failing).startswith("vaultd: HSM token 'strongroom': HSM: the PIN is")
        for _ in range(3):
            assert "has refused this PIN before" in last_words(failing)
        assert logins(failing) == before + wrong
    pin.write_text(right[::-1])
    assert "one more wrong PIN would lock the token" in last_words(failing)
    assert logins(failing) == before + 2, "the last try is left to a person"
    (failing.dir / "hsm/wrong-pins").unlink()  # he logs in with the vendor's tool
    pin.write_text(right)
    failing.start_one("vaultd")
    assert new_card(failing.gateway())


def test_a_start_that_is_cut_short_has_tried_the_pin(failing):
    """The HSM may have refused it; nobody heard."""
    pin, before = failing.dir / "secrets/hsm.pin", logins(failing)
    assert failing.stop_one("vaultd") == 0
    with faults(failing, C_Login="hold"):
        started = subprocess.Popen([str(part) for part in failing.command("vaultd")],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: logins(failing) == before + 1, "the PIN is tried")
        finally:
            started.kill()
            started.wait()
    assert "has refused this PIN before, or did not answer" in last_words(failing)
    assert logins(failing) == before + 1
    pin.touch()
    with faults(failing, C_Login="0x30"):
        assert "HSM token 'strongroom': " in last_words(failing)
    failing.start_one("vaultd")  # what fails otherwise is no word on the PIN
    assert logins(failing) == before + 3
    assert new_card(failing.gateway())
