"""Files that Linux calls immutable (chattr +i), as auditd makes what it never writes again.
Standard library only.
"""
import fcntl
import os
import pathlib
import shutil
import struct

_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS
_SET_FLAGS = 0x40086602  # FS_IOC_SETFLAGS
_IMMUTABLE = 0x10  # FS_IMMUTABLE_FL


def _flags(descriptor):
    return struct.unpack("I", fcntl.ioctl(descriptor, _GET_FLAGS, bytes(4)))[0]


def is_immutable(path):
    """False also where the file system has no such thing."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return bool(_flags(descriptor) & _IMMUTABLE)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def make_mutable(path):
    """Nothing to do where it is not immutable. OSError without CAP_LINUX_IMMUTABLE."""
    if not is_immutable(path):
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.ioctl(descriptor, _SET_FLAGS, struct.pack("I", _flags(descriptor) & ~_IMMUTABLE))
    finally:
        os.close(descriptor)


def remove_folder(path):
    """The folder of a deployment that has ended, as far as it can be removed."""
    for name in pathlib.Path(path).glob("**/journal-*"):
        make_mutable(name)
    shutil.rmtree(path, ignore_errors=True)
