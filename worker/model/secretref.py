"""How a configuration names a secret: by where it lies, never by its value."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SecretRef(BaseModel):
    """A reference to one secret; exactly one of the five places is named.

    `file` is absolute once the configuration is loaded: a relative path starts at the folder of the file that names it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    env: str | None = Field(default=None, min_length=1, description="An environment variable.")
    file: Path | None = Field(default=None, description="A file of mode 0600 (or 0400).")
    credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="A file of this name in $CREDENTIALS_DIRECTORY (systemd), then in /run/secrets (containers).",
    )
    command: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="A program and its arguments; the secret is its first output."
    )
    keyring: str | None = Field(
        default=None, pattern=r"^[^/]+/.+$", description="`service/user` in the desktop's key ring."
    )

    @model_validator(mode="after")
    def _names_one_place(self) -> Self:
        named = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(named) != 1:
            raise ValueError(f"names {len(named)} places; name exactly one of {', '.join(type(self).model_fields)}")
        return self

    def describe(self) -> str:
        """Returns the reference as a person reads it, e.g. `env TANGOE_PASSWORD`."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if value is not None:
                return f"{name} {' '.join(value) if isinstance(value, tuple) else value}"
        raise AssertionError("validated: one place is named")
