"""TLS of our connections to peers and SMSCs, made from the settings."""

import hashlib
import ssl

from gateway.settings import Settings
from gateway.settings.sections.diameter import Tls
from gateway.settings.sections.smpp import LinkTls


def server_context(tls: Tls) -> ssl.SSLContext:
    """Ask every client for a certificate of the authority; OSError (ssl.SSLError) where a file does not load."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls.ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.cert, tls.key)
    return context


def client_context(tls: Tls | LinkTls) -> ssl.SSLContext:
    """Check the server's certificate, and show ours where we have one; OSError (ssl.SSLError) where a file does not load."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
    if tls.cert is not None and tls.key is not None:
        context.load_cert_chain(tls.cert, tls.key)
    return context


def fingerprints(settings: Settings) -> dict[str, bytes]:
    """Return a digest of the certificates of each link and peer, by its name: renewed files keep their path."""
    links = {link.name: _fingerprint(link.tls) for link in settings.smpp.links if link.tls}
    peers = settings.diameter.peers if settings.diameter else []
    return links | {peer.identity.lower(): _fingerprint(peer.tls) for peer in peers if peer.tls}


def _fingerprint(tls: Tls | LinkTls) -> bytes:
    files = [path.read_bytes() for path in (tls.ca, tls.cert, tls.key) if path is not None]
    return hashlib.sha256(b"\0".join(files)).digest()
