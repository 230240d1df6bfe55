"""Certificates as tests need them: of the deployment's own CA, of another, and slightly wrong."""
import datetime
import ipaddress
import pathlib
import tempfile
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR = datetime.timedelta(hours=1)


@dataclass(frozen=True)
class CertificateFiles:
    certificate: pathlib.Path
    key: pathlib.Path


@dataclass(frozen=True)
class Leaf:
    """What a certificate says. Times are relative to now."""
    uris: tuple = ()
    begins: datetime.timedelta = -HOUR
    ends: datetime.timedelta = HOUR
    usage: tuple = (ExtendedKeyUsageOID.CLIENT_AUTH,)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(certificate, key, stem):
    files = CertificateFiles(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.touch(mode=0o600)
    files.key.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                            serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption()))
    return files


class Authority:
    """Signs leaves. `of(deployment)` is the deployment's CA; `Authority()` is a stranger with the
    same name."""

    def __init__(self, certificate=None, key=None):
        self._key = key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = certificate or self._self_signed()

    @classmethod
    def of(cls, deployment):
        key = (deployment.dir / "secrets/ca.key").read_bytes()
        certificate = (deployment.dir / "tls/ca/ca.crt").read_bytes()
        return cls(x509.load_pem_x509_certificate(certificate),
                   serialization.load_pem_private_key(key, None))

    def _self_signed(self):
        now = datetime.datetime.utcnow()
        name = _name("Strongroom service CA")
        public = self._key.public_key()
        builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number(),
                                          now - HOUR, now + HOUR)
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        return (builder.add_extension(x509.BasicConstraints(True, 0), True)
                .add_extension(usage, True).add_extension(identifier, False)
                .sign(self._key, hashes.SHA256()))

    def issue(self, leaf, stem=None):
        """Files of a new certificate; in a folder of their own unless `stem` says where."""
        now = datetime.datetime.utcnow()
        key = ec.generate_private_key(ec.SECP256R1())
        names = [*map(x509.UniformResourceIdentifier, leaf.uris), x509.DNSName("localhost"),
                 x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = x509.CertificateBuilder(self.certificate.subject, _name("test"),
                                          key.public_key(), x509.random_serial_number(),
                                          now + leaf.begins, now + leaf.ends)
        issuer = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        certificate = (
            builder.add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.SubjectAlternativeName(names), False)
            .add_extension(x509.ExtendedKeyUsage(leaf.usage), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.value), False)
            .sign(self._key, hashes.SHA256()))
        if stem is None:
            stem = pathlib.Path(tempfile.mkdtemp(prefix="strongroom-test-")) / "leaf"
        return _write(certificate, key, stem)
