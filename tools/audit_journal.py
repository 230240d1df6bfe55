"""Reads an audit journal as docs/formats/journal.md has it, apart from the product's reader."""
import json
import pathlib

HEADER_BYTES = 32
FRAME_HEAD_BYTES = 16


def entries(audit_dir):
    """Every entry in the journal, oldest first, as decoded JSON."""
    found = []
    for segment in sorted(pathlib.Path(audit_dir).glob("journal-*.log")):
        data = segment.read_bytes()
        if data[:8] != b"SRJOURN1":
            raise ValueError(f"{segment} is no journal")
        at = HEADER_BYTES
        while length := int.from_bytes(data[at + 12:at + 14], "big"):
            begin = at + FRAME_HEAD_BYTES
            found.append(json.loads(data[begin:begin + length]))
            at = begin + length
    return found
