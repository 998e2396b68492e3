"""Whom the gateway trusts when it calls Service B by https."""

import ssl
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context


def make_tls_context(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the certificates in this file and no others; without a file, the public ones."""
    context = create_urllib3_context()
    context.load_verify_locations(ca_file or DEFAULT_CA_BUNDLE_PATH)
    return context
