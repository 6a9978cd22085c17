"""What a login by a person sends to the token endpoint: an authorization code, or a device's."""

from dataclasses import dataclass
from typing import ClassVar

from worker.auth.grants import Parameters
from worker.auth.verdict import Verdict
from worker.model.records import Purpose
from worker.vault.secret import Secret

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True)
class AuthorizationCodeGrant:
    """The code that a browser brought (RFC 6749 section 4.1.3), with the verifier of its challenge (RFC 7636)."""

    code: Secret
    verifier: Secret
    redirect_uri: str
    name: ClassVar[str] = "authorization_code"
    purpose: ClassVar[Purpose] = Purpose.LOGIN

    def parameters(self) -> Parameters:
        """Returns grant type, code, redirect URI and verifier."""
        return {
            "grant_type": self.name,
            "code": self.code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }

    def verdict(self, status: int, code: str) -> Verdict:  # noqa: ARG002  the protocol's signature
        """Says dead: a code is good for one try, and a person makes the next one."""
        return Verdict.DEAD


@dataclass(frozen=True)
class DeviceCodeGrant:
    """The code of a device whose person types another one elsewhere (RFC 8628 section 3.4)."""

    device_code: Secret
    name: ClassVar[str] = "device_code"
    purpose: ClassVar[Purpose] = Purpose.LOGIN

    def parameters(self) -> Parameters:
        """Returns grant type and code."""
        return {"grant_type": DEVICE_CODE, "device_code": self.device_code}

    def verdict(self, status: int, code: str) -> Verdict:  # noqa: ARG002  the protocol's signature
        """Says dead; whoever polls looks at the code itself."""
        return Verdict.DEAD
