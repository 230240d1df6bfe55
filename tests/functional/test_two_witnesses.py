"""Two witnesses of a log that grows all the time: one checkpoint bears what both said, and neither
waits for the other once that one is away."""
import contextlib
import signal
import threading
import time

import pytest

import tlog_note
import witness as witnesses
from running_deployment import folder, wait_until
from watched import WatchedDeployment, believe, connect

WRITES_SECONDS = 0.1
SECOND = "witness.example/w2"
# What a round takes: 2 s between two, 2 s of patience, a second until the relay sees the growth.
ROUND_SECONDS = 5
PAUSE_SECONDS = 0.02


@pytest.fixture(scope="module")
def watched():
    with folder() as parent:
        deployment = WatchedDeployment(parent)
        (parent / "second").mkdir()
        second = witnesses.Witness(parent / "second", SECOND, deployment.witness.authority)
        deployment.both = {witnesses.NAME: deployment.witness, SECOND: second}
        for one in deployment.both.values():
            one.know((deployment.dir / "public/audit.vkey").read_text().strip())
            one.start()
        believe(deployment, *deployment.both.values())
        connect(deployment, *deployment.both.values())
        try:
            deployment.start_both()
            yield deployment
        finally:
            second.stop()
            deployment.stop_all()


@contextlib.contextmanager
def steady_writes(deployment):
    """Entries of the operator's log: each reading leaves one."""
    over = threading.Event()

    def write():
        while not over.wait(WRITES_SECONDS):
            deployment.admin("audit-relay", "POST", "/v1/readings/verify", timeout=20)

    thread = threading.Thread(target=write)
    wait_until(lambda: deployment.is_ready("audit-relay"), "it records")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def cosigned(deployment):
    """(size, names of those who cosigned it) of the file; (0, none) while there is none."""
    for path in (deployment.audit / "checkpoints").glob("operator-*.cosigned"):
        note = tlog_note.parse_note(path.read_bytes())
        names = {name for name, _, _ in note.signatures}
        return int(note.text.splitlines()[1]), names & set(deployment.both)
    return 0, set()


def watch(deployment, seconds):
    """{size: names at any time} of what the file held in that time, in order."""
    seen = {}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        size, names = cosigned(deployment)
        seen.setdefault(size, []).append(names)
        time.sleep(PAUSE_SECONDS)
    return seen


def wait_for_both(deployment):
    wait_until(lambda: cosigned(deployment)[1] == set(deployment.both), "both have cosigned", 60)


def test_both_cosign_the_same_checkpoint_of_a_log_that_grows(watched):
    with steady_writes(watched):
        wait_for_both(watched)
        seen = watch(watched, 4 * ROUND_SECONDS)
    assert len(seen) >= 3, seen.keys()
    assert all(names == set(watched.both) for held in seen.values() for names in held), seen


@pytest.mark.parametrize("how", ["dead", "hung"])
def test_neither_waits_for_one_that_is_away(watched, how):
    second = watched.both[SECOND]
    with steady_writes(watched):
        wait_for_both(watched)
        if how == "dead":
            second.kill()
        else:
            second.process.send_signal(signal.SIGSTOP)
        try:
            before, _ = cosigned(watched)
            wait_until(lambda: cosigned(watched)[0] > before, "the other's", 2 * ROUND_SECONDS)
            seen = watch(watched, 4 * ROUND_SECONDS)
        finally:
            if how == "dead":
                second.start()
            else:
                second.process.send_signal(signal.SIGCONT)
        assert len(seen) >= 4, seen.keys()
        assert all(names == {witnesses.NAME} for held in list(seen.values())[1:] for names in held)
        wait_for_both(watched)
