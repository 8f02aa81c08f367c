"""What `potluck serve` looks at before it starts: each fault is told in a sentence."""

from __future__ import annotations

import errno
import socket
import ssl
from pathlib import Path

from potluck_coordinator.settings import Settings

BACKLOG = 2048


class CannotServe(Exception):
    """Say in a sentence or two why no server can start, and what to do."""


def check_tls(settings: Settings) -> None:
    """Read the certificate and its key, as the server will.

    Args:
        settings: The coordinator's.

    Raises:
        CannotServe: One of them is missing, cannot be read, or is not the other's.
    """
    certificate, key = settings.tls_cert, settings.tls_key
    if certificate is None:
        if key is not None:
            raise CannotServe("There is a --tls-key, and no certificate: give --tls-cert too.")
        return
    for path, what in ((certificate, "certificate"), (key, "certificate's key")):
        if path is not None:
            _check_readable(path, what)
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Without this, a key that is encrypted makes OpenSSL ask the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except _Encrypted:
        raise CannotServe(
            f"The certificate's key {key or certificate} is encrypted: give one that is not."
        ) from None
    except ssl.SSLError as error:
        raise CannotServe(_tls_fault(error, certificate, key)) from error


class _Encrypted(Exception):
    """OpenSSL asked for a password."""


def _no_password() -> str:
    raise _Encrypted


def _check_readable(path: Path, what: str) -> None:
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise CannotServe(f"The {what} {path} cannot be read: {error.strerror}.") from error


def _tls_fault(error: ssl.SSLError, certificate: Path, key: Path | None) -> str:
    reason = (error.reason or "").replace("_", " ").lower()
    if "mismatch" in reason:
        return f"The key {key or certificate} is not that of the certificate {certificate}."
    both = f"{certificate} and {key}" if key is not None else f"{certificate}"
    alone = "" if key is not None else " If the key is in a file of its own, give --tls-key too."
    told = f" ({reason})" if reason else ""
    return f"{both}: expected a certificate and its key in PEM, which these are not{told}.{alone}"


def listen(host: str, port: int) -> socket.socket:
    """Open the socket that the server listens on.

    Args:
        host: An address or name of this machine.
        port: 0 takes a free one.

    Raises:
        CannotServe: The address is none of this machine's, or the port is taken.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError, UnicodeError, ValueError) as error:
        listener.close()
        raise CannotServe(_listen_fault(error, host, port)) from error
    listener.listen(BACKLOG)
    listener.set_inheritable(True)
    return listener


def _listen_fault(error: Exception, host: str, port: int) -> str:
    told = f"Cannot listen on {host}:{port}:"
    if isinstance(error, OverflowError):
        return f"{told} ports go from 0 to 65535. Choose another with --port, or 0 for a free one."
    why = getattr(error, "strerror", None) or "this is no address"
    nowhere = getattr(error, "errno", None) == errno.EADDRNOTAVAIL
    if nowhere or isinstance(error, socket.gaierror | UnicodeError):
        return f"{told} {why}. Give an address of this machine with --host, such as 127.0.0.1."
    return f"{told} {why}. Choose another port with --port, or 0 for a free one."
