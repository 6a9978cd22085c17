"""A client's TLS certificate (RFC 8705) and its key, as connections show them; `certificatefile` reads them."""

import os
import ssl
from dataclasses import dataclass, field
from datetime import datetime

from worker.vault.secret import Secret


@dataclass(frozen=True)
class Certificate:
    """A certificate, its issuers behind it, and its key; all PEM."""

    chain: bytes = field(repr=False)
    key: Secret
    subject: str
    expires_at: datetime
    thumbprint: str  # SHA-256, hexadecimal; as RFC 8705 section 3 binds tokens to it

    def load_into(self, context: ssl.SSLContext) -> None:
        """Shows it to every server that asks; raises ssl.SSLError.

        The module ssl takes files only: this one has no name and never reaches a disk.
        """
        descriptor = os.memfd_create("client certificate", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(self.chain + b"\n" + self.key.reveal().encode("ascii", "replace"))
            context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=_refuse_password)
        finally:
            os.close(descriptor)


def _refuse_password() -> bytes:
    raise ValueError("the key is encrypted")  # else OpenSSL would ask on the terminal
