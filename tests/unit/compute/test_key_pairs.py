"""Key pairs: fingerprints as ssh-keygen prints them, quota, names."""

import shutil
import subprocess
from pathlib import Path

import pytest

from nephele.compute import key_pairs as keys
from nephele.compute.errors import BAD_PUBLIC_KEY, KEY_EXISTS, KEY_NOT_FOUND, TOO_MANY_ITEMS
from nephele.compute.key_pairs import KeyPairs, fingerprint, generate
from nephele.compute.quotas import ComputeQuotas
from nephele.config import Quotas
from nephele.kernel.clock import FakeClock
from nephele.kernel.errors import Refused
from nephele.kernel.store import Store

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")


@pytest.fixture
def pairs(store: Store, clock: FakeClock) -> KeyPairs:
    return KeyPairs(store, clock, ComputeQuotas(store, Quotas(key_pairs=2)))


def ssh_keygen(*words: str | Path) -> str:
    return subprocess.run(["ssh-keygen", *words], check=True, capture_output=True, text=True).stdout


@needs_ssh_keygen
@pytest.mark.parametrize("kind", [("ed25519",), ("ecdsa",), ("rsa", "-b", "2048")])
def test_the_fingerprint_is_that_of_ssh_keygen(tmp_path: Path, kind: tuple[str, ...]) -> None:
    ssh_keygen("-q", "-t", *kind, "-N", "", "-C", "a comment", "-f", tmp_path / "key")
    told = ssh_keygen("-l", "-E", "md5", "-f", tmp_path / "key.pub").split()[1]
    assert fingerprint((tmp_path / "key.pub").read_text()) == told.removeprefix("MD5:")


@needs_ssh_keygen
def test_a_generated_key_is_a_pair(tmp_path: Path) -> None:
    private, public = generate("demo")
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(private)
    assert ssh_keygen("-y", "-f", tmp_path / "key").split()[:2] == public.split()[:2]


@pytest.mark.parametrize(
    "text",
    ["", "ssh-rsa", "ssh-rsa ???", "ssh-rsa AAAA", f"ssh-rsa {generate('me')[1].split()[1]}"],
    ids=["nothing", "only a type", "no base 64", "no key", "a key of another type"],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        fingerprint(text)
    assert refused.value.error is BAD_PUBLIC_KEY


def test_a_certificate_has_its_sha1() -> None:
    with pytest.raises(Refused) as refused:
        fingerprint("no certificate", keys.X509)
    assert refused.value.error is BAD_PUBLIC_KEY
    text, sha1 = _certificate()
    assert fingerprint(text, keys.X509) == sha1


def _certificate() -> tuple[str, str]:
    import datetime
    import hashlib

    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + datetime.timedelta(days=1))).sign(
        key, None
    )
    digest = hashlib.sha1(made.public_bytes(serialization.Encoding.DER), usedforsecurity=False).digest()
    return made.public_bytes(serialization.Encoding.PEM).decode(), digest.hex(":")


def test_names_are_a_users_own(pairs: KeyPairs) -> None:
    public = generate("a")[1]
    made = pairs.create("p", "a", "mine", public)
    assert pairs.show("a", "mine") == made
    assert pairs.find("b", "mine") is None
    pairs.create("p", "b", "mine", public)
    with pytest.raises(Refused) as refused:
        pairs.create("p", "a", "mine", public)
    assert refused.value.error is KEY_EXISTS


def test_the_quota_counts_a_users_keys(pairs: KeyPairs) -> None:
    public = generate("a")[1]
    pairs.create("p", "a", "two", public)
    pairs.create("p", "a", "one", public)
    with pytest.raises(Refused) as refused:
        pairs.create("p", "a", "three", public)
    assert refused.value.error is TOO_MANY_ITEMS
    assert [key.name for key in pairs.list_for("a")] == ["one", "two"]
    pairs.delete("a", "one")
    pairs.create("p", "a", "three", public)
    with pytest.raises(Refused) as refused:
        pairs.delete("a", "one")
    assert refused.value.error is KEY_NOT_FOUND
