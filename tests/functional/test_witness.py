"""`strongroom witness` as whoever keeps it and whoever asks it see it: its commands, its answers
over HTTPS and from files, and that it never forgets. The log is that of the golden vectors."""
import base64
import concurrent.futures
import signal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import golden_log
import tlog
import witness as witnesses
from running_deployment import folder, wait_until
from witness import NAME

OK, CHECK_FAILED, USAGE, NOT_REACHABLE = 0, 1, 2, 3
ORIGIN = "vault.example/audit"
VKEY = f"{ORIGIN}+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
CHECKPOINT = f"""{ORIGIN}
4
AB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=

\u2014 {ORIGIN} mfM8sUF7e9tQBQi4GHCcTOLMRnB487/OKavxcWu7rcl9xYGe8nPeJ2ms4iJooDToEAbB+11fPkE6dX69q/8+njLDMg8=
"""
LOG_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LEAVES = [tlog.leaf_hash(entry) for entry in golden_log.ENTRIES]
FIRST = f"old 0\n\n{CHECKPOINT}"
AGAIN = f"old 4\n\n{CHECKPOINT}"


@pytest.fixture
def witness():
    with folder() as parent, witnesses.running(parent) as running:
        running.know(VKEY)
        yield running


def signed(size, root):
    """A checkpoint that the log's own key has signed."""
    text = f"{ORIGIN}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = LOG_KEY.sign(text.encode())
    line = base64.b64encode(bytes.fromhex("99f33cb1") + signature).decode()
    return f"{text}\n\u2014 {ORIGIN} {line}\n"


def test_history_that_is_not_continued_is_refused_and_shown(witness):
    """By the log's own key: what a captured log would hand in."""
    _, _, line = witness.add_checkpoint(FIRST)
    root, other = golden_log.root_of(LEAVES), bytes(32)
    more = [*LEAVES, tlog.leaf_hash(b"e")]
    proof = "".join(f"{base64.b64encode(hash).decode()}\n"
                    for hash in golden_log.consistency_proof(4, more))
    later = signed(5, golden_log.root_of(more))
    for body in (f"old 4\n\n{signed(4, other)}", f"old 4\n\n{later}",
                 f"old 4\n{proof}\n{signed(5, other)}", f"old 4\n{proof}\n{signed(4, root)}"):
        assert witness.add_checkpoint(body)[0] == 422, body
    assert witness.checkpoint(ORIGIN)[2] == CHECKPOINT + line, "it stands by what it has seen"
    assert witness.add_checkpoint(f"old 4\n{proof}\n{later}")[0] == 200
    assert witness.add_checkpoint(f"old 0\n{proof}\n{later}")[0] == 409
    assert witness.logs() == {ORIGIN: 5}


def test_every_other_answer(witness):
    unknown = FIRST.replace(ORIGIN, "another.example/log")
    changed = FIRST.replace("\n4\n", "\n5\n")
    for body, status in (("", 400), ("old 5\n\n" + CHECKPOINT, 400), (unknown, 404),
                         (changed, 403), (AGAIN, 409), (FIRST, 200), (AGAIN, 200), (FIRST, 409)):
        assert witness.add_checkpoint(body)[0] == status, body
    assert witness.add_checkpoint(FIRST)[1:] == ("text/x.tlog.size", "4\n")
    assert witness.add_checkpoint("x" * 100_000)[0] == 413
    assert witness.send("GET", "/")[0] == 404


def test_newest_checkpoint_is_shown_to_anybody(witness):
    assert witness.checkpoint(ORIGIN)[0] == 404
    _, _, line = witness.add_checkpoint(FIRST)
    assert line.startswith(f"\u2014 {NAME} ") and line.count("\n") == 1
    assert witness.checkpoint(ORIGIN) == (200, "text/plain; charset=utf-8", CHECKPOINT + line)
    assert witness.logs() == {ORIGIN: 4}


def test_state_outlives_the_process(witness):
    assert witness.add_checkpoint(FIRST)[0] == 200
    witness.kill()
    witness.start()
    assert witness.add_checkpoint(FIRST)[0] == 409
    assert witness.add_checkpoint(AGAIN)[0] == 200


def test_of_requests_at_once_one_is_cosigned(witness):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(witness.add_checkpoint, [FIRST] * 8))
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 7


def test_renewed_certificate_is_taken_over(witness):
    said = witness.log.read_text().count("certificate read again")
    witness.process.send_signal(signal.SIGHUP)
    wait_until(lambda: witness.log.read_text().count("certificate read again") > said, "SIGHUP")
    assert witness.add_checkpoint(FIRST)[0] == 200
    assert witness.stop() == 0


def test_carried_file_is_answered_as_a_request_is(witness):
    request = witness.folder.parent / "request"
    request.write_text(FIRST)
    busy = witness.run("cosign", request)
    assert busy.returncode == USAGE and "this witness runs" in busy.stderr
    witness.stop()
    done = witness.run("cosign", request)
    assert done.returncode == OK and done.stdout.startswith(f"\u2014 {NAME} ")
    conflict = witness.run("cosign", request)
    assert (conflict.returncode, conflict.stdout) == (CHECK_FAILED, CHECKPOINT + done.stdout)
    request.write_text("no request")
    refused = witness.run("cosign", request)
    assert (refused.returncode, refused.stdout) == (CHECK_FAILED, "")
    assert refused.stderr == "strongroom: not an add-checkpoint request\n"


def test_damaged_state_is_not_passed_over_in_what_cosign_tells(witness):
    assert witness.add_checkpoint(FIRST)[0] == 200
    witness.stop()
    (witness.folder / "state" / ("0" * 64)).write_text("x")
    request = witness.folder.parent / "request"
    request.write_text(AGAIN)
    done = witness.run("cosign", request)
    assert done.returncode == NOT_REACHABLE and done.stdout.startswith(f"\u2014 {NAME} ")
    assert "the owner's other logs: state of the witness is damaged" in done.stderr


def test_wrong_use_is_said():
    with folder() as parent:
        new = parent / "w"
        for arguments, why in (
                (("init", "--name", "two words", "--dir", new), "needs text without spaces"),
                (("init", "--name", NAME), "--dir is required"),
                (("init", "--name", NAME, "--listen", "127.0.0.1:1", "--dir", new), "--listen"),
                (("run", "--dir", new), "witness.toml")):
            done = witnesses.strongroom("witness", *arguments)
            assert done.returncode == USAGE and why in done.stderr, done.stderr
        assert not new.exists()
        assert witnesses.strongroom("witness", "init", "--name", NAME, "--dir", new).returncode == 0
        for arguments, why in (
                (("init", "--name", NAME), "folder cannot be made"),
                (("add-log", VKEY[:-1]), "not a verifier key"),
                (("run",), "no listen, certificate and key"),
                (("cosign", new / "no"), "no such file")):
            done = witnesses.strongroom("witness", *arguments, "--dir", new)
            assert done.returncode == USAGE and why in done.stderr, done.stderr
