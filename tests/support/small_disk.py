"""A disk of a few megabytes under a folder of a deployment, which a test can fill."""
import contextlib
import errno
import os

import mounted


def under(folder, megabytes):
    """`folder` and what is in it lie on such a disk meanwhile."""
    return mounted.under(folder, ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs",
                                  folder])


@contextlib.contextmanager
def filled(folder):
    """No byte is free on the folder's disk."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
    try:
        yield
    finally:
        os.unlink(filler)
