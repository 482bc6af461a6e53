"""The keys of a fleet: an authority of its own for each time it is brought up, whose key is kept nowhere.

Apart from all else because only here cryptography is imported, inside a function.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ..system.atomic_write import write_atomic

DAYS = 365
"""How long they are good; the fleet makes others whenever it is brought up."""
EARLY = timedelta(days=2)
"""They are good from then on before they were made: clocks differ."""
AUTHORITY, CLIENT, SCHEDULER = "authority.pem", "client.pem", "scheduler.pem"


def board_file(board: str) -> str:
    """The file of a board's key."""
    return f"board-{board}.pem"


def make_keys(folder: Path, boards: Sequence[str], now: datetime | None = None) -> None:
    """Write the authority's certificate, and a key with its certificate in one file for the scheduler, for clients and for each
    board; mode 0600, in a folder of 0700. What lay there before is taken away.

    Raises:
        OSError: the folder cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    begin = (now or datetime.now(timezone.utc)) - EARLY
    end = begin + EARLY + timedelta(days=DAYS)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    issuer, issuer_key = name("edgetui fleet"), ec.generate_private_key(ec.SECP256R1())

    def certificate(subject: x509.Name, key: ec.EllipticCurvePrivateKey, authority: bool) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        pem: bytes = made.public_bytes(serialization.Encoding.PEM)
        return pem

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    for old in folder.glob("*.pem"):
        old.unlink()
    write_atomic(folder / AUTHORITY, certificate(issuer, issuer_key, authority=True))
    holders = {SCHEDULER: "scheduler", CLIENT: "client", **{board_file(each): each for each in boards}}
    for file, holder in holders.items():
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        write_atomic(folder / file, private + certificate(name(holder), key, authority=False))


def out_of_date(folder: Path, now: datetime | None = None) -> str:
    """Why the keys are good for nothing by this machine's clock; empty: they are, or there are none.

    They were made before the clock was set, or more than a year ago: TLS refuses everybody then, and does not say which.
    """
    from cryptography import x509

    now = now or datetime.now(timezone.utc)
    try:
        made = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
    except (OSError, ValueError):
        return ""
    begin, end = made.not_valid_before_utc, made.not_valid_after_utc
    if now < begin:
        return f"the fleet's keys are good from {begin:%Y-%m-%d} on, and this machine's clock says {now:%Y-%m-%d}"
    if now > end:
        return f"the fleet's keys were good until {end:%Y-%m-%d}, and this machine's clock says {now:%Y-%m-%d}"
    return ""


def loose_keys(folder: Path) -> list[Path]:
    """Files of keys that others than their owner may read."""
    return [file for file in folder.glob("*.pem") if file.stat().st_mode & 0o077 or file.stat().st_uid != os.geteuid()]
