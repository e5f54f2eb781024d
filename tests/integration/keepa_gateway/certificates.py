"""A certificate that nobody trusts, made anew for each run: P-256, self-signed, for 127.0.0.1.

Nothing that the project installs makes certificates, and a key in the repository would be one
that somebody has to trust not to be used. The arithmetic is slow and not safe against a watcher,
which is all the same for a test.
"""

import hashlib
import secrets
from base64 import encodebytes
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_INTEGER, _BITS, _OCTETS, _OID, _TEXT, _TIME = 0x02, 0x03, 0x04, 0x06, 0x0C, 0x18
_SEQUENCE, _SET = 0x30, 0x31
_EC_KEY = bytes.fromhex("2a8648ce3d0201")
_P256 = bytes.fromhex("2a8648ce3d030107")
_ECDSA_SHA256 = bytes.fromhex("2a8648ce3d040302")
_COMMON_NAME = bytes.fromhex("550403")
_OTHER_NAMES = bytes.fromhex("551d11")
_ADDRESS = bytes((127, 0, 0, 1))
_Point = tuple[int, int] | None


def untrusted(folder: Path) -> tuple[Path, Path]:
    """Write a certificate and its key; returns their paths."""
    secret = 1 + secrets.randbelow(_N - 1)
    point = _times(secret, _G)
    assert point is not None
    public = _der(_BITS, b"\0\4" + _bytes(point[0]) + _bytes(point[1]))
    body = _body(public)
    algorithm = _der(_SEQUENCE, _der(_OID, _ECDSA_SHA256))
    signature = _der(_BITS, b"\0" + _signed(body, secret))
    key = _der(
        _SEQUENCE,
        _number(1),
        _der(_OCTETS, _bytes(secret)),
        _der(0xA0, _der(_OID, _P256)),
        _der(0xA1, public),
    )
    certificate = _der(_SEQUENCE, body, algorithm, signature)
    return (
        _written(folder / "certificate.pem", "CERTIFICATE", certificate),
        _written(folder / "key.pem", "EC PRIVATE KEY", key),
    )


def _body(public: bytes) -> bytes:
    """What is signed: who vouches for whom, from 2020 to 2099."""
    text = _der(_TEXT, b"nobody you know")
    name = _der(_SEQUENCE, _der(_SET, _der(_SEQUENCE, _der(_OID, _COMMON_NAME), text)))
    names = _der(_OCTETS, _der(_SEQUENCE, _der(0x87, _ADDRESS)))
    extension = _der(_SEQUENCE, _der(_OID, _OTHER_NAMES), names)
    return _der(
        _SEQUENCE,
        _der(0xA0, _number(2)),
        _number(1 + secrets.randbelow(2**63)),
        _der(_SEQUENCE, _der(_OID, _ECDSA_SHA256)),
        name,
        _der(_SEQUENCE, _der(_TIME, b"20200101000000Z"), _der(_TIME, b"20990101000000Z")),
        name,
        _der(_SEQUENCE, _der(_SEQUENCE, _der(_OID, _EC_KEY), _der(_OID, _P256)), public),
        _der(0xA3, _der(_SEQUENCE, extension)),
    )


def _signed(body: bytes, secret: int) -> bytes:
    digest = int.from_bytes(hashlib.sha256(body).digest())
    once = 1 + secrets.randbelow(_N - 1)
    point = _times(once, _G)
    assert point is not None
    first = point[0] % _N
    return _der(
        _SEQUENCE, _number(first), _number(pow(once, -1, _N) * (digest + first * secret) % _N)
    )


def _times(factor: int, point: _Point) -> _Point:
    total: _Point = None
    while factor:
        if factor & 1:
            total = _sum(total, point)
        point, factor = _sum(point, point), factor >> 1
    return total


def _sum(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % _P == 0:
        return None
    rise, run = (3 * x * x - 3, 2 * y) if one == other else (v - y, u - x)
    slope = rise * pow(run, -1, _P) % _P
    across = (slope * slope - x - u) % _P
    return across, (slope * (x - across) - y) % _P


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


def _number(value: int) -> bytes:
    return _der(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def _bytes(value: int) -> bytes:
    return value.to_bytes(32)


def _written(path: Path, what: str, content: bytes) -> Path:
    text = encodebytes(content).decode()
    path.write_text(f"-----BEGIN {what}-----\n{text}-----END {what}-----\n")
    return path
