"""`strongroom witness` as whoever keeps it and whoever asks it see it: its commands, its answers
over HTTPS and from files, and that it never forgets. The log is that of the golden vectors."""
import concurrent.futures
import signal

import pytest

import witness as witnesses
from running_deployment import folder, wait_until
from witness import NAME

OK, CHECK_FAILED, USAGE = 0, 1, 2
ORIGIN = "vault.example/audit"
VKEY = f"{ORIGIN}+99f33cb1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
CHECKPOINT = f"""{ORIGIN}
4
AB4F1h9ssDJBpWo5eoMnN/MVZtbrtaBLrGa3kPjJhNM=

\u2014 {ORIGIN} mfM8sUF7e9tQBQi4GHCcTOLMRnB487/OKavxcWu7rcl9xYGe8nPeJ2ms4iJooDToEAbB+11fPkE6dX69q/8+njLDMg8=
"""
FIRST = f"old 0\n\n{CHECKPOINT}"
AGAIN = f"old 4\n\n{CHECKPOINT}"


@pytest.fixture
def witness():
    with folder() as parent, witnesses.running(parent) as running:
        running.know(VKEY)
        yield running


def test_every_answer_but_inconsistency(witness):
    """That one needs the log's key; the unit tests have it."""
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
