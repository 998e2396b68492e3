"""The environment of the programs that the lab starts."""

import os

# Of the settings of pip and uv, those by which they reach an index. The others say what to install,
# and where: that is for the lock and the venv to say.
_OF_AN_INDEX = {
    *("PIP_CERT", "PIP_CLIENT_CERT", "PIP_CONFIG_FILE", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"),
    *("PIP_INDEX_URL", "PIP_KEYRING_PROVIDER", "PIP_NO_INDEX", "PIP_PROXY", "PIP_TRUSTED_HOST"),
    *("PIP_CACHE_DIR", "PIP_NO_CACHE_DIR", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_TIMEOUT"),
    *("UV_CACHE_DIR", "UV_CONFIG_FILE", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS"),
    *("UV_INSECURE_HOST", "UV_KEYRING_PROVIDER", "UV_LINK_MODE", "UV_NATIVE_TLS", "UV_NO_CACHE"),
    *("UV_OFFLINE", "UV_SYSTEM_CERTS"),
}
# The first has an index's own name in it, and after it _USERNAME or _PASSWORD.
_OF_AN_INDEX_ALSO = ("UV_INDEX", "UV_HTTP_", "UV_CONCURRENT_")
_FOREIGN = {
    *("HOST", "PORT"),  # conda's HOST is the name of a platform
    "__PYVENV_LAUNCHER__",
}


def make_environment(**changes: str) -> dict[str, str]:
    """Return the caller's environment without what is meant for another Python than a venv's."""
    kept = {name: value for name, value in os.environ.items() if not _is_foreign(name)}
    # Whatever the language of the system, services and tests write UTF-8.
    return kept | {"PYTHONUTF8": "1"} | changes


def _is_foreign(name: str) -> bool:
    if name.startswith(("PIP_", "UV_")):
        return name not in _OF_AN_INDEX and not name.startswith(_OF_AN_INDEX_ALSO)
    # PYTHON alone is the lab's own variable.
    return name in _FOREIGN or (name.startswith("PYTHON") and name != "PYTHON")
