"""Certificates for the storage daemon and the hosts that use it, from an authority that signs nothing else."""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

_VALID = timedelta(days=3650)


def make_certificates(directory: Path, host: str) -> None:
    """Make what is missing in the directory, by the names that QEMU looks for.

    Args:
        directory: gets `ca-cert.pem`, `server-cert.pem`, `server-key.pem`, `client-cert.pem`, `client-key.pem`.
        host: the name or address by which hosts know the server.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    if (directory / "server-cert.pem").exists():
        return
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    now = datetime.now(UTC) - timedelta(hours=1)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    def write(file: str, content: bytes) -> None:
        part = directory / f".{file}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
        part.rename(directory / file)

    def key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def certificate(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        made = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("Nephele storage"))
        made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
        return made.not_valid_before(now).not_valid_after(now + _VALID)

    authority = ec.generate_private_key(ec.SECP256R1())
    own = certificate("Nephele storage", authority)
    own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    own = own.add_extension(_usage(x509, sign=True), critical=True)
    write("ca-cert.pem", own.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    for end, use in (("client", ExtendedKeyUsageOID.CLIENT_AUTH), ("server", ExtendedKeyUsageOID.SERVER_AUTH)):
        key = ec.generate_private_key(ec.SECP256R1())
        made = certificate(host if end == "server" else "Nephele host", key)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(_usage(x509, sign=False), critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if end == "server":
            made = made.add_extension(x509.SubjectAlternativeName([_known_as(x509, host)]), critical=False)
        write(f"{end}-key.pem", key_text(key))
        write(f"{end}-cert.pem", made.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def _usage(x509: Any, *, sign: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not sign,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )


def _known_as(x509: Any, host: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
