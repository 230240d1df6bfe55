"""The page that checks proofs, in a real browser, from a file, with nothing to talk to."""
import base64
import json
import pathlib
import re
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import deployment as d
import golden_log as golden
import tlog
from browser import chromium
from running_deployment import wait_until
from watched import WatchedShop, running_watched
from witness import NAME

BUILD_SECONDS = 90


@pytest.fixture(scope="module")
def page():
    """The built page; a machine that cannot build it fails its tests, by npm's own words."""
    done = subprocess.run([d.ROOT / "tools/web.sh"], capture_output=True, text=True,
                          timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return d.ROOT / "build/web/proof/index.html"


@pytest.fixture(scope="module")
def browser(page):
    with chromium() as driver:
        yield driver


@pytest.fixture
def opened(browser, page):
    """The page as new, in a browser that then must not have complained."""
    browser.get(page.as_uri())
    verdict(browser, "Not checked yet")
    yield browser
    assert browser.get_log("browser") == []


def verdict(browser, expected):
    """The page's judgment once it is `expected`, and why."""
    element = browser.find_element("id", "verdict")
    wait_until(lambda: element.text.startswith(f"{expected}\n"), f"the verdict '{expected}'")
    return element.text.split("\n", 1)[1]


def give(browser, *paths):
    browser.find_element("id", "files").send_keys("\n".join(map(str, paths)))


def paste(browser, *keys):
    browser.find_element("id", "keys").send_keys("\n".join(keys))


def facts(browser):
    """Per proof what the page says of it: {term: text}."""
    return [dict(zip([term.text for term in finding.find_elements("tag name", "dt")],
                     [text.text for text in finding.find_elements("tag name", "dd")]))
            for finding in browser.find_elements("class name", "finding")]


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.fixture
def proof(tmp_path):
    """The golden log's proof file and entry."""
    leaves = [tlog.leaf_hash(entry) for entry in golden.ENTRIES]
    paths = tmp_path / "vault-3.tlog-proof", tmp_path / "vault-3.json"
    paths[0].write_bytes(golden.proof_file(3, leaves))
    paths[1].write_bytes(golden.ENTRIES[3])
    return paths


def test_unit_tests_of_the_page_pass(page):
    done = subprocess.run(["npm", "test", "--silent"], cwd=d.ROOT / "web/proof", text=True,
                          capture_output=True, timeout=BUILD_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_page_is_one_file_that_may_load_and_send_nothing(page):
    assert [path.name for path in page.parent.iterdir()] == ["index.html"]
    text = page.read_text()
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert not re.search(r"""\b(src|href)=["']|@import|url\(|fetch\(|XMLHttp|WebSocket""", text)
    assert set(re.findall("https?://[^ \"'`]*", text)) <= {"http://www.w3.org/2000/svg"}


def test_proof_is_shown_with_its_cosignature(opened, proof):
    give(opened, *proof)
    assert verdict(opened, "Not checked yet") == "Please give the log's key."
    paste(opened, golden.VKEY, golden.WITNESS)
    assert "Entry 3 of vault.example/audit is exactly the one given" in verdict(opened, "Proven")
    [told] = facts(opened)
    assert told["Log"] == "vault.example/audit" and told["Entry"].startswith("3, in a log of 4")
    assert told["Signed by"] == f"{golden.VKEY}: verified"
    assert told["Cosigned by"] == ("witness.example/w1, an Ed25519 cosignature of 2023-11-14"
                                   f" 22:13:20 UTC, by {golden.WITNESS}: verified")
    boxes = [box.text for box in opened.find_elements("css selector", ".picture g")]
    assert [box.split("\n")[0] for box in boxes] == [
        "entry 2", "entries 0\u20131", "entry 3", "entries 2\u20133", "entries 0\u20133"]
    assert len(opened.find_elements("css selector", ".path li")) == 2


@pytest.mark.parametrize("damaged, why", [
    ("entry", "the hashes lead from it to another root than the signed one"),
    ("hash", "is not canonical base64|another root"),
    ("size", "signature of the checkpoint does not verify"),
    ("signature", "signature of the checkpoint does not verify")])
def test_flipped_byte_is_not_proven(opened, proof, damaged, why):
    text = proof[0].read_bytes()
    place = {"entry": 5, "hash": text.index(b"index 3\n") + 10, "size": text.index(b"\n4\n") + 1,
             "signature": text.index(b" mfM8") + 20}[damaged]
    flip(proof[damaged == "entry"], place)
    give(opened, *proof)
    paste(opened, golden.VKEY)
    assert re.search(why, verdict(opened, "Not proven"))


def test_proof_of_a_real_run_is_shown(opened, deployment, tmp_path):
    log = f"operator-{deployment.audit_entries()[0]['unmapped']['timestamp'][:4]}"
    wait_until(lambda: deployment.signed_size(log), "a checkpoint")
    [proof] = deployment.strongroom("audit", "prove", "--log", log, "--index", "0",
                                    "--out", tmp_path)
    give(opened, proof["proof"], proof["entry"], deployment.dir / "public/audit.vkey")
    origin = f"strongroom.local/auditd/{log.replace('-', '/')}"
    assert f"Entry 0 of {origin} is exactly the one given" in verdict(opened, "Proven")
    assert '"event_type": "log.start"' in opened.find_element("tag name", "pre").text
    flip(pathlib.Path(proof["entry"]), 50)
    opened.find_element("id", "again").click()
    give(opened, proof["proof"], proof["entry"], deployment.dir / "public/audit.vkey")
    assert "not entry 0 of the log" in verdict(opened, "Not proven")


LOG_SEED, WITNESS_SEED = bytes(range(32)), bytes(range(32, 64))   # of the golden keys


def signature_line(key, signature):
    return f"\u2014 {key.name} {base64.b64encode(key.id + signature).decode()}\n"


def pair(folder, origin, entries, index, cosigned):
    """Proof file and entry of a log that the golden log's key has signed; its witness, or not."""
    leaves = [tlog.leaf_hash(entry) for entry in entries]
    root = base64.b64encode(golden.root_of(leaves)).decode()
    text = f"{origin}\n{len(entries)}\n{root}\n"
    key = tlog.Key(origin, golden.KEY.public)
    signed = Ed25519PrivateKey.from_private_bytes(LOG_SEED).sign(text.encode())
    note = f"{text}\n{signature_line(key, signed)}"
    if cosigned:
        message = f"cosignature/v1\ntime {golden.COSIGNED_AT}\n{text}".encode()
        line = Ed25519PrivateKey.from_private_bytes(WITNESS_SEED).sign(message)
        note += signature_line(golden.WITNESS_KEY, golden.COSIGNED_AT.to_bytes(8, "big") + line)
    name = "-".join(origin.split("/")[-2:])
    paths = folder / f"{name}-{index}.tlog-proof", folder / f"{name}-{index}.json"
    paths[0].write_bytes(golden.proof_file(index, leaves, note.encode()))
    paths[1].write_bytes(entries[index])
    return paths


@pytest.mark.parametrize("cosigned", [True, False])
def test_witness_that_is_named_must_stand_for_the_log(opened, tmp_path, cosigned):
    """A merchant's log has no witness but the operator's."""
    merchant, operator = "v.example/auditd/mer_1/2026", "v.example/auditd/operator/2026"
    entries = [b"one", b"two", b"three"]
    root = golden.root_of([tlog.leaf_hash(entry) for entry in entries])
    record = json.dumps({
        "resources": [{"uid": merchant}],
        "unmapped": {"event_type": "log.checkpoint", "tree_size": 3,
                     "tree_root": base64.b64encode(root).decode()}}).encode()
    keys = tlog.Key(merchant, golden.KEY.public).text, tlog.Key(operator, golden.KEY.public).text
    own = pair(tmp_path, merchant, entries, 1, cosigned=False)
    recorded = pair(tmp_path, operator, [b"zero", record], 1, cosigned)
    give(opened, *own, *recorded)
    paste(opened, *keys)
    verdict(opened, "Proven")
    told = facts(opened)[0]["Cosigned by"]
    assert "records this checkpoint" in told
    assert "and no witness whose key was given stands for that log" in told, "none was named"

    opened.find_element("id", "again").click()
    give(opened, *own, *recorded)
    paste(opened, *keys, golden.WITNESS)
    if cosigned:
        verdict(opened, "Proven")
        assert "and witness.example/w1, who cosigned that log, so stands for it" in (
            facts(opened)[0]["Cosigned by"])
    else:
        assert "no cosignature of witness.example/w1, whose key was given" in (
            verdict(opened, "Not proven"))

    opened.find_element("id", "again").click()
    give(opened, *own)
    paste(opened, keys[0], golden.WITNESS)
    assert "no cosignature of witness.example/w1" in verdict(opened, "Not proven")


def test_wrong_key_is_not_proof(opened, proof):
    give(opened, *proof)
    other = tlog.Key("vault.example/audit", golden.WITNESS_KEY.public)
    paste(opened, other.text)
    assert "signed by another key than the ones given" in verdict(opened, "Not proven")
    opened.find_element("id", "again").click()
    verdict(opened, "Not checked yet")
    assert facts(opened) == []


def test_witnessed_proof_of_the_api_is_shown(opened, tmp_path):
    with running_watched() as (deployment, witness):
        answer = WatchedShop(deployment).wait_witnessed().body
        given = tmp_path / "answer.json"
        given.write_text(json.dumps(answer))
        give(opened, given, deployment.dir / "public/audit.vkey")
        paste(opened, witness.vkey)
        verdict(opened, "Proven")
        told, record = facts(opened)
        assert f"and {NAME}, who cosigned that log, so stands for it" in told["Cosigned by"]
        assert f"{NAME}, an Ed25519 cosignature of" in record["Cosigned by"]
        opened.find_element("id", "again").click()
        answer["record"] = None
        given.write_text(json.dumps(answer))
        give(opened, given, deployment.dir / "public/audit.vkey")
        paste(opened, witness.vkey)
        assert f"no cosignature of {NAME}" in verdict(opened, "Not proven")
