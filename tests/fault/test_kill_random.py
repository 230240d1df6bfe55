"""kill -9 at any time: of each daemon in turn, at moments that a seed decides, while cards are
added and paid with. Whoever dies comes up as under `./dev up`, also while another one is down.
Afterwards every promise was kept, money moved once, and the books of merchant, processor and audit
log agree.

The seed is printed when it fails; STRONGROOM_KILL_SEED=N plays the same moments again.
"""
import os
import random
import time

import deployment as d
import books
from aftermath import Aftermath
from card_load import CardLoad
from children import READY_SECONDS
from pay_load import PayLoad
from running_deployment import running, wait_until

ROUNDS = 3
PAUSE_SECONDS = (0.1, 1.8)  # between two kills
SETTLED_SECONDS = 60


def all_up(deployment):
    deployment.supervisor.watch_once()
    return all(process.poll() is None for process in deployment.processes.values()) and \
        all(deployment.is_ready(instance) for instance in d.DAEMONS)


def kill_each_in_turn(deployment, moments):
    for _ in range(ROUNDS):
        for victim in moments.sample(d.DAEMONS, len(d.DAEMONS)):
            until = time.monotonic() + moments.uniform(*PAUSE_SECONDS)
            while time.monotonic() < until:
                deployment.supervisor.watch_once()
                time.sleep(0.02)
            deployment.processes[victim].kill()
            deployment.processes[victim].wait()
    wait_until(lambda: all_up(deployment), "every process is ready again", READY_SECONDS)


def nothing_is_pending(deployment):
    return not deployment.rows("core", "SELECT id FROM attempts WHERE state = 'pending'")


def test_killed_at_any_time_it_keeps_every_promise():
    seed = int(os.environ.get("STRONGROOM_KILL_SEED") or random.SystemRandom().randrange(10**6))
    print(f"STRONGROOM_KILL_SEED={seed}")
    with running() as deployment:
        with CardLoad(deployment, workers=2) as cards, PayLoad(deployment) as pay:
            kill_each_in_turn(deployment, random.Random(seed))
        assert cards.unexpected == [] and pay.unexpected == []
        assert cards.failures != (0, 0) and pay.repeated > 0, "nobody noticed the kills"
        print(f"{len(cards.promised_cards)} cards, {len(pay.told)} answers of payments,"
              f" {pay.repeated} sent again")
        wait_until(lambda: nothing_is_pending(deployment), "every payment is settled",
                   SETTLED_SECONDS)
        books.assert_agree(deployment, pay.told)
        Aftermath(deployment, cards).assert_all()
