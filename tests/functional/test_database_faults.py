"""PostgreSQL is restarted, frozen and failed over while cards are added, found and deleted: what
was acknowledged stands, the log tells no more and no less, and no error comes once it is back.
"""
import contextlib
import os
import signal
import time

import pytest

from aftermath import Aftermath
from card_load import CardLoad
from held import family, frozen
from running_deployment import wait_until
from standby import running_replicated

# Above the time limits of a statement, of a silent server and of connecting to it.
FROZEN_SECONDS = float(os.environ.get("STRONGROOM_FROZEN_SECONDS", "12"))
BACK_SECONDS = 20
FAULTLESS = 40  # promises in a row to each worker


@pytest.fixture(scope="module")
def replicated():
    with running_replicated() as both:
        yield both


def restart(deployment, _):
    """The server ends at once, as it does for `immediate`."""
    process = deployment.processes["postgres"]
    process.send_signal(signal.SIGQUIT)
    process.wait()
    deployment.processes["postgres"] = deployment.postgres.start()


def freeze(deployment, _):
    with frozen(deployment, "postgres"):
        time.sleep(FROZEN_SECONDS)


def freeze_standby(_, standby):
    """Commits wait for it, and go on when who asked has long been answered, and vaultd has looked
    for what became of them more than once.
    """
    pids = family(standby.process)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(FROZEN_SECONDS + 8)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def fail_over(deployment, standby):
    """The primary works on for a second of which the standby learns nothing, and dies."""
    process = deployment.processes["postgres"]
    os.kill(standby.sender(), signal.SIGSTOP)
    time.sleep(1)
    for pid in family(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    standby.promote()


# The last one leaves no primary for another.
@pytest.mark.parametrize("fault", [restart, freeze, freeze_standby, fail_over],
                         ids=lambda fault: fault.__name__)
def test_what_was_acknowledged_outlives(replicated, fault, record_property):
    deployment, standby = replicated
    wait_until(standby.is_synchronous, "the primary waits for its standby")
    with CardLoad(deployment, workers=2) as load:
        wait_until(lambda: load.in_a_row >= FAULTLESS, "load", BACK_SECONDS)
        fault(deployment, standby)
        back = time.monotonic()
        wait_until(lambda: load.failures != (0, 0), "somebody notices")
        wait_until(lambda: load.in_a_row >= FAULTLESS, "no error any more", BACK_SECONDS)
        record_property(f"{fault.__name__}: seconds to {FAULTLESS} promises in a row",
                        round(time.monotonic() - back, 2))
    excused, lost = load.failures
    assert load.unexpected == [] and lost == 0, "each request has its answer"
    assert excused > 0
    Aftermath(deployment, load).assert_all()
