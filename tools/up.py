"""./dev up and ./dev down: start a deployment and keep it alive; stop it."""

import argparse
import contextlib
import fcntl
import os
import signal
import sys
import time

import deployment as d
from children import STOP_SECONDS, on_end_signals


def lock_path(deployment):
    return deployment.run / "supervisor.lock"


@contextlib.contextmanager
def locked(deployment):
    """Holds the deployment's lock, with this process's pid in it."""
    with open(os.open(lock_path(deployment), os.O_RDWR | os.O_CREAT, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise d.DeploymentError(f"another ./dev up is at work in {deployment.dir}") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            yield
        finally:
            lock.truncate(0)


def running_supervisor(deployment):
    """The pid of the process that holds the deployment's lock; None when nobody does."""
    while True:
        try:
            with open(lock_path(deployment)) as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return None
        except FileNotFoundError:
            return None
        except BlockingIOError:
            with open(lock_path(deployment)) as lock:
                if pid := lock.read():
                    return int(pid)
            time.sleep(0.05)  # it is about to write it


def supervise(deployment, announce):
    """Starts everything, says so or what failed, then restarts what dies until told to stop."""
    supervisor = d.Supervisor(deployment)
    stopping = []
    on_end_signals(lambda *_: stopping.append(True))
    failure = None
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(deployment))
            stack.callback(supervisor.stop_all)
            supervisor.start_all()
        except (d.DeploymentError, OSError) as error:
            failure = str(error)
        else:
            announce(None)
            while not stopping:
                supervisor.watch_once()
                time.sleep(0.2)
    if failure is None:
        return 0
    announce(failure)  # now that nothing of it is left
    return 1


def detach(deployment):
    """Runs the supervisor in a session of its own; returns when it is ready or has failed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        log = os.open(deployment.dir / "log" / "supervisor.log",
                      os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, null), (1, log), (2, log)):
            os.dup2(source, target)

        def announce(error):
            os.write(writer, ("" if error is None else error).encode())
            os.close(writer)

        os._exit(supervise(deployment, announce))
    os.close(writer)
    with os.fdopen(reader) as pipe:
        error = pipe.read()
    if error:
        os.waitpid(child, 0)  # nothing of it is left
    if error or not deployment.state_file.exists():
        raise d.DeploymentError(error or "the supervisor died; see log/supervisor.log")


def up(arguments):
    deployment = d.Deployment(arguments.dir)
    if (deployment.exists() and arguments.db
            and (arguments.db == "postgres") != deployment.postgres.exists()):
        raise d.DeploymentError(f"{deployment.dir} was made with another database than "
                                f"{arguments.db}: leave --db out, or choose another --dir")
    if deployment.exists() and deployment.settings()["deployment"].get("profile") != "demo":
        raise d.DeploymentError(f"{deployment.dir} is of the production profile, which ./dev up"
                                " does not run: start its daemons by your service manager"
                                " (docs/operating.md)")
    if running_supervisor(deployment):
        print(f"already running in {deployment.dir}")
        return 0
    d.build_programs()
    if not deployment.exists():
        print(f"making a deployment in {deployment.dir} ({arguments.db or 'sqlite'}) ...")
        deployment.create(arguments.db or "sqlite")
    (deployment.dir / "log").mkdir(mode=0o700, exist_ok=True)
    if arguments.detach:
        detach(deployment)
        show(deployment)
        return 0

    def announce(error):
        if error is None:
            show(deployment)
            print("Ctrl-C stops it; the data stays.", flush=True)
        else:
            print(f"up: {error}", file=sys.stderr)

    return supervise(deployment, announce)


def show(deployment):
    state = deployment.state()
    print(f"ready: {state['gateway_url']}  (everything else: {deployment.state_file})", flush=True)


def down(arguments):
    deployment = d.Deployment(arguments.dir)
    pid = running_supervisor(deployment)
    if pid is None:
        print(f"nothing runs in {deployment.dir}")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS * (len(d.DAEMONS) + 1)
    while running_supervisor(deployment):
        if time.monotonic() > deadline:
            raise d.DeploymentError(f"the supervisor (pid {pid}) does not stop")
        time.sleep(0.05)
    print(f"stopped; the data stays in {deployment.dir}")
    return 0


def main():
    parser = argparse.ArgumentParser(prog="./dev", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, what in (("up", "start a deployment, or resume it"),
                       ("down", "stop it; keep its data")):
        verb = verbs.add_parser(name, help=what, description=what)
        verb.add_argument("--dir", default=os.environ.get("STRONGROOM_DIR") or d.ROOT / "sandbox",
                          help="default: $STRONGROOM_DIR, else ./sandbox")
        if name == "up":
            verb.add_argument("--db", choices=("sqlite", "postgres"),
                              help="database of a new deployment (default: sqlite)")
            verb.add_argument("--detach", action="store_true",
                              help="return when everything is ready; ./dev down stops it")
    arguments = parser.parse_args()
    try:
        return up(arguments) if arguments.verb == "up" else down(arguments)
    except (d.DeploymentError, OSError) as error:
        print(f"{arguments.verb}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
