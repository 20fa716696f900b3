"""Tokens: what was not signed here, or not like this, never passes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from nephele.identity.service import Identity
from nephele.identity.tokens import Claims, Keyring
from nephele.kernel.clock import SECOND, FakeClock
from nephele.kernel.context import Context
from nephele.kernel.errors import Refused

KEY = bytes(range(32))


def keyring() -> Keyring:
    keys = Keyring()
    keys.add(KEY)
    return keys


def claims(**facts: object) -> Claims:
    values: dict[str, object] = {
        "epoch": 0,
        "issued_at": 1,
        "expires_at": 2**50,
        "issue_ms": 20.5,
        "methods": ("password",),
        "audit_ids": ("a",),
        "user_id": "u" * 32,
        "user_name": "demo",
        "user_domain_id": "default",
    }
    return Claims(**{**values, **facts})  # type: ignore[arg-type]


KEYS = keyring()
GOOD = KEYS.sign(claims(roles=("member",), project_id="p" * 32))


def raw(token: str) -> bytes:
    return urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def test_a_token_says_what_was_signed() -> None:
    said = claims(roles=("admin", "reader"), system_scope="all")
    assert KEYS.read(KEYS.sign(said)) == said


@given(st.text(max_size=600))
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(Refused):
        KEYS.read(token)


@given(st.binary(max_size=600))
def test_any_bytes_in_the_right_form_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        KEYS.read(text(data))


@given(st.integers(0, len(raw(GOOD)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, by: int) -> None:
    data = bytearray(raw(GOOD))
    data[place] ^= by
    with pytest.raises(Refused):
        KEYS.read(text(bytes(data)))


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_token_is_refused(length: int) -> None:
    with pytest.raises(Refused):
        KEYS.read(GOOD[:length])


@given(st.text(min_size=1, max_size=8))
def test_a_longer_token_is_refused(more: str) -> None:
    for token in (GOOD + more, more + GOOD):
        with pytest.raises(Refused):
            KEYS.read(token)


@given(st.sampled_from(["=", "==", "\n", " ", "\0", "é"]), st.integers(0, len(GOOD)))
def test_there_is_one_text_for_each_token(more: str, place: int) -> None:
    with pytest.raises(Refused):
        KEYS.read(GOOD[:place] + more + GOOD[place:])


@given(st.integers(0, 255).filter(lambda version: version != 1))
def test_another_version_is_refused_even_when_it_is_signed(version: int) -> None:
    signed = bytes([version]) + raw(GOOD)[1:-64]
    key = Ed25519PrivateKey.from_private_bytes(KEY)
    for prefix in (b"nephele token\0", b""):
        with pytest.raises(Refused):
            KEYS.read(text(signed + key.sign(prefix + signed)))


def test_a_signature_for_another_purpose_is_refused() -> None:
    signed = raw(GOOD)[:-64]
    with pytest.raises(Refused):
        KEYS.read(text(signed + Ed25519PrivateKey.from_private_bytes(KEY).sign(signed)))


@given(st.binary(min_size=32, max_size=32).filter(lambda key: key != KEY))
def test_another_key_is_refused_also_under_this_ones_name(key: bytes) -> None:
    forger = Keyring()
    forger.add(key)
    forged = raw(forger.sign(claims(roles=("admin",))))
    ours = raw(GOOD)[1:5]
    for data in (forged, forged[:1] + ours + forged[5:]):
        with pytest.raises(Refused):
            KEYS.read(text(data))


def test_another_tokens_signature_is_refused() -> None:
    other = KEYS.sign(claims(roles=("admin",)))
    with pytest.raises(Refused):
        KEYS.read(text(raw(other)[:-64] + raw(GOOD)[-64:]))


def test_keys_rotate_with_overlap() -> None:
    keys = keyring()
    old = keys.sign(claims())
    keys.add(bytes(32))
    new = keys.sign(claims())
    assert keys.read(old) == keys.read(new)
    keys.keep_only({raw(new)[1:5]})
    assert keys.read(new)
    with pytest.raises(Refused):
        keys.read(old)


def test_a_cloud_rotates_its_keys_and_other_servers_follow(identity: Identity, clock: FakeClock) -> None:
    there = Identity(identity.store, clock, identity.ids)
    there.start()
    long_lived = claims(epoch=10**9, expires_at=clock.now() + 10**15)
    old = identity.keys.sign(long_lived)
    clock.advance(1)
    identity.rotate_keys()
    new = identity.keys.sign(long_lived)
    assert raw(new)[1:5] != raw(old)[1:5]
    assert there.verify(old).user_name == there.verify(new).user_name == "demo"
    clock.advance(25 * 3600)
    identity.rotate_keys()
    there.forget_verified()
    there.revocations.poll()
    with pytest.raises(Refused):
        there.verify(old)
    assert there.verify(new)


@pytest.mark.parametrize(("offset", "passes"), [(-1, False), (0, False), (1, True)])
def test_a_token_passes_until_the_instant_that_it_names(
    identity: Identity, clock: FakeClock, offset: int, passes: bool
) -> None:
    token = identity.keys.sign(claims(epoch=10**9, expires_at=clock.now() + offset))
    if passes:
        assert identity.verify(token).user_name == "demo"
    else:
        with pytest.raises(Refused):
            identity.verify(token)


def test_a_delegated_token_is_good_for_one_server_and_not_at_the_front_door(
    identity: Identity, clock: FakeClock
) -> None:
    caller = Context(
        request_id="",
        user_id=identity.users.find([("name", "demo")])[0].id,
        user_name="demo",
        user_domain_id="default",
        project_id="p",
        roles=frozenset(("member", "reader")),
        auth_methods=("password",),
    )
    token = identity.delegate(caller, "the-server", clock.now() + 60 * SECOND)
    with pytest.raises(Refused):
        identity.verify(token)
    delegated = identity.verify(token, delegated=True)
    assert (delegated.server_id, delegated.project_id, delegated.roles) == ("the-server", "p", caller.roles)
    clock.advance(60)
    with pytest.raises(Refused):
        identity.verify(token, delegated=True)
