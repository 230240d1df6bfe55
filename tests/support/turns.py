"""Workers that run tests at once take turns: a test has the machine alone, or shares it."""
import contextlib
import fcntl
import os
import pathlib

ROOM = pathlib.Path(__file__).parent  # any two folders that all workers see
DOORWAY = ROOM.parent


@contextlib.contextmanager
def locked(folder, how):
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def turn(alone):
    """Who wants to be alone waits in the doorway, so that no other comes in before it."""
    with contextlib.ExitStack() as inside:
        with locked(DOORWAY, fcntl.LOCK_EX):
            inside.enter_context(locked(ROOM, fcntl.LOCK_EX if alone else fcntl.LOCK_SH))
        yield
