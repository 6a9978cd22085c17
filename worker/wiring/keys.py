"""The key ring beside one database, for the verbs about keys."""

from pathlib import Path

from worker.auth.rotation import Rotation
from worker.config.load import Configuration
from worker.model.errors import KeyInUse, KeyRingError
from worker.model.moments import utc_now
from worker.store import keyring
from worker.store.database import Database
from worker.vault.cipher import Cipher
from worker.vault.livering import follow
from worker.vault.ringfile import rewrite, with_new_key, without, write_new
from worker.vault.sources import read
from worker.wiring.databases import admit

_WANTED = "the key ring"


def rotation_of(configuration: Configuration, database: Database) -> Rotation:
    """Returns what tells and changes the use of keys; changes nothing. Raises KeyRingError, SecretError."""
    ring = follow(configuration.vault.keys, wanted=_WANTED)
    with database.read() as connection:
        cipher = Cipher(ring, keyring.installation_id(connection) or "")
    rescue_dir = configuration.files[0].parent if database.dialect == "postgresql" else None
    return Rotation(database, cipher, ring, rescue_dir)


def begin(configuration: Configuration, database: Database) -> bool:
    """Puts a new key on top of the ring, unless an earlier rotation was not finished; tells whether it did.

    Raises KeyRingError where this is not the ring of that database, or where it lies where it cannot be written.
    """
    reference = configuration.vault.keys
    ring = follow(reference, wanted=_WANTED)
    admit(database, ring)
    if rotation_of(configuration, database).waiting():
        return False
    rewrite(_file(configuration), lambda text: with_new_key(text, utc_now())[0])
    admit(database, ring)
    return True


def draft(configuration: Configuration, out: Path) -> str:
    """Writes the ring with a new key on top to a new file, changes nothing else, and returns the new key's id."""
    text, kid = with_new_key(read(configuration.vault.keys, _WANTED), utc_now())
    write_new(out, text)
    return kid


def retire(configuration: Configuration, database: Database, kid: str) -> None:
    """Takes a key that nothing needs any more out of the ring; raises KeyInUse, KeyRingError."""
    rotation = rotation_of(configuration, database)
    uses = {use.key_id: use for use in rotation.uses()}
    if kid not in uses:
        raise KeyInUse(f"there is no key {kid}; there are: {', '.join(uses)}")
    rotation.release(kid)
    if uses[kid].in_ring:
        rewrite(_file(configuration, kid), lambda text: without(text, kid))
    rotation.forget(kid, utc_now())


def _file(configuration: Configuration, kid: str = "") -> Path:
    reference = configuration.vault.keys
    if reference.file is not None:
        return reference.file
    do = (
        f"take the line that begins with {kid}: out of it there, then run this again"
        if kid
        else "write a new one aside with `worker keys rotate --out FILE`, put its text there, delete FILE, "
        "then run `worker keys rotate`"
    )
    raise KeyRingError(f"the key ring comes from the {reference.describe()}, which cannot be written from here: {do}")
