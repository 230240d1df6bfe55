"""A disk under a folder of a deployment that a test can have hang: an ext4 image behind a loop
device, frozen, so that every write to it waits until it is thawed.
"""
import contextlib
import subprocess
import sys

import mounted

# In a process of its own, which thaws the disk when its input ends, so also when the tests are
# killed, and after a minute at the latest. A write that waits cannot be interrupted.
FREEZE = """
import fcntl, os, select, sys
FREEZE, THAW = 0xC0045877, 0xC0045878
folder = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(folder, FREEZE, 0)
try:
    print("frozen", flush=True)
    select.select([sys.stdin], [], [], 60)
finally:
    fcntl.ioctl(folder, THAW, 0)
"""


def under(folder, megabytes):
    """`folder` and what is in it lie on such a disk meanwhile."""
    image = folder.with_name(folder.name + ".image")
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    return mounted.under(folder, ["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, folder])


@contextlib.contextmanager
def frozen(folder):
    """Whoever writes to the folder's disk waits."""
    freezer = subprocess.Popen([sys.executable, "-c", FREEZE, folder], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert freezer.stdout.readline() == "frozen\n"
        yield
    finally:
        freezer.stdin.close()
        assert freezer.wait(60) == 0
        freezer.stdout.close()
