"""A local emulated Snowflake (fakesnow) on loopback, for work without an account."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address

from reelhouse.errors import ReelhouseError
from reelhouse.local.child import LOOPBACK_ONLY, START_SECONDS, serve

# The variable that tells the child which public key to accept.
PUBLIC_KEY = "REELHOUSE_EMULATOR_PUBLIC_KEY"


@dataclass(frozen=True)
class EmulatorSettings:
    """Where the emulator is, and the private key (PKCS 8, base64) that it accepts."""

    port: int
    private_key: str = field(repr=False)
    host: str = "127.0.0.1"
    database: str = "MOVIELENS"

    @property
    def login(self) -> dict[str, str]:
        """Return the login parameters; names are arbitrary, only the key is checked."""
        refuse_real_account(self.host)
        names = ("account", "user", "role", "warehouse")
        return {
            **dict.fromkeys(names, "emulator"),
            "database": self.database,
            "host": self.host,
            "port": str(self.port),
            "protocol": "http",
        }


@contextmanager
def serve_emulator(
    environ: Mapping[str, str] = os.environ, start_seconds: float = START_SECONDS
) -> Iterator[EmulatorSettings]:
    """Serve an empty account on a free loopback port until the block ends.

    The key is new each time, and no other is accepted. The server is a child process
    that also stops when this process dies in any way; its tables are lost with it.
    Stages reach the S3 that AWS_ENDPOINT_URL in `environ` names, and none without it.
    Raises ReelhouseError if it does not answer within `start_seconds`.
    """
    private_key, public_key = _new_keys()
    child_environ = _child_environment(environ) | {PUBLIC_KEY: public_key}
    module = "reelhouse.local.emulator.server"
    with serve(module, "emulator", child_environ, start_seconds) as port:
        yield EmulatorSettings(port, private_key)


def environment(settings: EmulatorSettings) -> dict[str, str]:
    """Return the variables that point target prod and our connector to the emulator.

    They override the machine's own variables, which could name a real account.
    """
    return {
        **{f"SNOWFLAKE_{name.upper()}": at for name, at in settings.login.items()},
        "SNOWFLAKE_PRIVATE_KEY": settings.private_key,
        "SNOWFLAKE_PRIVATE_KEY_PATH": "",
        "SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "",
        "SNOWFLAKE_AUTHENTICATOR": "",
        "SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER": "",
        "SNOWFLAKE_TOKEN": "",
        **LOOPBACK_ONLY,
    }


def refuse_real_account(host: str) -> None:
    """Raise ReelhouseError unless `host` is this machine itself."""
    try:
        is_here = ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here:
        raise ReelhouseError(
            f"'{host}' is not on this machine, so it is not the emulator: what is "
            f"meant for the emulator must not reach a real account. Start it with "
            f"`reelhouse emulator`."
        )


def _child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Drop the AWS variables if no endpoint is set: S3 would be the real one."""
    if environ.get("AWS_ENDPOINT_URL"):
        return dict(environ)
    return {k: value for k, value in environ.items() if not k.startswith("AWS_")}


def _new_keys() -> tuple[str, str]:
    """Return a new private key (PKCS 8, base64) and its public key (PEM)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(encoded).decode(), public.decode()
