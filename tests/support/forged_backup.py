"""A backup that somebody who knows its passphrase has written anew (docs/formats/backup.md)."""
import hashlib
import json
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

HEADER, CHUNK_BYTES = b"SRPART01", 65_536
BLOB_HEADER = bytes([1]) + (1).to_bytes(4, "big")  # format and key version
NONCE_BYTES, TAG_BYTES = 12, 16
SEALED_BYTES = len(BLOB_HEADER) + NONCE_BYTES + CHUNK_BYTES + TAG_BYTES


def context(label, *fields):
    return b"".join(len(field).to_bytes(4, "big") + field
                    for field in (label.encode(), *fields))


def chunks(content, size):
    return [content[at:at + size] for at in range(0, len(content), size)] or [b""]


class ForgedBackup:
    def __init__(self, folder, passphrase):
        self.folder = folder
        file = (folder / "key").read_bytes()
        header, nonce, sealed = file[:29], file[29:41], file[41:]
        wrap = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), header[13:29],
                                   int.from_bytes(header[9:13], "big"))
        self.key = AESGCM(AESGCM(wrap).decrypt(nonce, sealed, context(
            "strongroom/sealed-file/1", b"backup", header)))
        self.manifest = json.loads(self._read("manifest", "", "manifest"))

    def _associated(self, backup, part, number, last):
        return context("strongroom/backup/1", backup.encode(), part.encode(),
                       number.to_bytes(8, "big"), int(last).to_bytes(4, "big"))

    def _read(self, name, backup, part):
        sealed = chunks((self.folder / name).read_bytes()[len(HEADER):], SEALED_BYTES)
        begin = len(BLOB_HEADER) + NONCE_BYTES
        return b"".join(self.key.decrypt(
            blob[len(BLOB_HEADER):begin], blob[begin:],
            self._associated(backup, part, number, number == len(sealed) - 1))
            for number, blob in enumerate(sealed))

    def _write(self, name, backup, part, content):
        plain, file = chunks(content, CHUNK_BYTES), HEADER
        for number, chunk in enumerate(plain):
            nonce = os.urandom(NONCE_BYTES)
            file += BLOB_HEADER + nonce + self.key.encrypt(
                nonce, chunk, self._associated(backup, part, number, number == len(plain) - 1))
        (self.folder / name).write_bytes(file)
        return file

    def part(self, name):
        (found,) = [part for part in self.manifest["parts"] if part["name"] == name]
        return found

    def files_of(self, name):
        """The content of each file, by its path."""
        content, at, files = self._read(f"{name}.part", self.manifest["id"], name), 0, {}
        for file in self.part(name)["files"]:
            files[file["path"]] = content[at:at + file["size_bytes"]]
            at += file["size_bytes"]
        return files

    def put_files(self, name, files):
        """Writes the part anew, of the files that the manifest names and `files` has."""
        part = self.part(name)
        part["files"] = [file for file in part["files"] if file["path"] in files]
        for file in part["files"]:
            content = files[file["path"]]
            file["size_bytes"] = len(content)
            file["sha256"] = hashlib.sha256(content).hexdigest()
        self._put(name, b"".join(files[file["path"]] for file in part["files"]))

    def _put(self, name, content):
        part, written = self.part(name), self._write(f"{name}.part", self.manifest["id"], name,
                                                     content)
        part["size_bytes"], part["sha256"] = len(written), hashlib.sha256(written).hexdigest()

    def rename(self, backup_id):
        """Gives it another id, which each part is bound to."""
        parts = {part["name"]: self._read(f"{part['name']}.part", self.manifest["id"], part["name"])
                 for part in self.manifest["parts"]}
        self.manifest["id"] = backup_id
        for name, content in parts.items():
            self._put(name, content)

    def finish(self):
        self._write("manifest", "", "manifest",
                    json.dumps(self.manifest, separators=(",", ":")).encode())
