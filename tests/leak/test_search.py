"""The search finds what is there: without these, a clean result would say nothing."""
import json
import subprocess
import sys

import pytest

import card_traffic
import leak_scan
import process_memory
from canary import Canary
from running_deployment import wait_until
from test_leak import files_below, findings, in_memory


def arena(memory):
    """The secret arena as one text; regions apart, so that nothing is found across them."""
    return b"\n".join(region.data for region in memory.arena)


@pytest.fixture
def holder():
    """A process that holds the text it is given, and nothing else of it."""
    program = "import sys; held = sys.stdin.buffer.readline(); print('held', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def hold(process, text):
    process.stdin.write(text.encode() + b"\n")
    process.stdin.flush()
    assert process.stdout.readline() == b"held\n"
    return process_memory.read(process.pid)


def test_search_finds_a_card_in_a_process(holder):
    canary = Canary()
    memory = hold(holder, json.dumps(canary.request))
    found = " ".join(in_memory("holder", memory, [canary]))
    for what in ("card number, digits", "last twelve digits", "cardholder name", "metadata",
                 "verification code"):
        assert what in found


def test_search_does_not_find_another_card(holder):
    memory = hold(holder, json.dumps(Canary().request))
    assert in_memory("holder", memory, [Canary()]) == []


@pytest.mark.parametrize("form", [name for name, _ in leak_scan.forms("4242424242424242")])
def test_search_finds_every_form_in_a_file(form, tmp_path):
    canary = Canary()
    planted = tmp_path / "planted"
    planted.write_bytes(b"before" + dict(leak_scan.forms(canary.pan))[form] + b"after")
    [path] = files_below(tmp_path)
    assert any(form in line for line in findings(path, path.read_bytes(), [canary]))


def test_search_finds_a_card_in_base64_of_a_larger_text(tmp_path):
    import base64
    canary = Canary()
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + canary.pan.encode() + b"tail")
        assert findings("text", text, [canary]), shift


def test_search_takes_no_lone_digits_for_a_verification_code():
    canary = Canary()
    assert findings("text", f"port {canary.cvc} of 10".encode(), [canary]) == []
    assert findings("text", f'{{"cvc" : "{canary.cvc}"'.encode(), [canary]) != []
    assert findings("text", f'"number":"x","n":"{canary.cvc}"'.encode(), [canary]) != []


def test_search_finds_a_request_under_way_in_a_daemon_and_nothing_after_it(mlocked):
    """The same search, the same daemon: what it finds before, it would find after."""
    canary = Canary()
    body = json.dumps(canary.request)
    pid = mlocked.deployment.processes["edged"].pid
    with card_traffic.connect(mlocked.deployment) as raw:
        raw.sendall(f"POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\n"
                    f"Content-Length: {len(body) + 1}\r\n\r\n{body}".encode())
        held = wait_until(lambda: [line for line in in_memory("edged", process_memory.read(pid),
                                                              [canary])], "the body in edged")
        assert any("card number, digits" in line for line in held)
        assert any("verification code" in line for line in held)
        outside = [region for region in process_memory.read(pid).outside
                   if canary.found_in(region.data)]
        assert outside == [], "a body under way stands outside of the arena"
    wait_until(lambda: in_memory("edged", process_memory.read(pid), [canary]) == [],
               "nothing of the body in edged")


def test_verification_code_waits_in_the_arena_and_goes_with_its_token(mlocked):
    """A code of its own in a block of its own: four digits, then zeros to the block's end."""
    deployment, canary = mlocked.deployment, Canary()
    block = canary.cvc.encode() + bytes(28)
    pid = deployment.processes["vaultd"].pid
    before = arena(process_memory.read(pid)).count(block)
    client = deployment.gateway()
    token = client.post("/v1/tokens", {"card": canary.card}).body["id"]
    memory = process_memory.read(pid)
    assert arena(memory).count(block) == before + 1
    assert in_memory("vaultd", memory, [canary]) == []
    client.delete(f"/v1/tokens/{token}")
    wait_until(lambda: arena(process_memory.read(pid)).count(block) == before, "the code is gone")
    client.close()
