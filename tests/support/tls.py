"""Certificates of an authority that exists for one test, and a Redis that speaks nothing but TLS."""

from __future__ import annotations

from pathlib import Path

import trustme

from support.redis_server import RedisServer


class Certificates:
    """The files of an authority, of a server on the loopback, and of a client."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        authority = trustme.CA()
        self.authority = directory / "ca.pem"
        authority.cert_pem.write_to_path(str(self.authority))
        self.server = _write(authority.issue_cert("127.0.0.1", "localhost"), directory / "server")
        self.client = _write(authority.issue_cert("manyhands@example.org"), directory / "client")


def _write(certificate: trustme.LeafCert, stem: Path) -> tuple[Path, Path]:
    """Write a certificate and its key."""
    cert, key = stem.with_suffix(".crt"), stem.with_suffix(".key")
    certificate.cert_chain_pems[0].write_to_path(str(cert))
    certificate.private_key_pem.write_to_path(str(key))
    return cert, key


class TlsRedisServer(RedisServer):
    """A Redis that asks its clients for certificates too."""

    def __init__(self, directory: Path, certificates: Certificates, *arguments: str) -> None:
        cert, key = certificates.server
        super().__init__(
            directory, "--save", "", "--port", "0", "--tls-auth-clients", "yes", "--tls-cert-file", str(cert),
            "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificates.authority), *arguments,
        )  # fmt: skip
        self._arguments = (*self._arguments, "--tls-port", str(self.port))
        self.certificates = certificates

    @property
    def url(self) -> str:
        """What goes into REDIS_URL: the authority to trust, and a certificate of our own."""
        return self.url_with(self.certificates)

    def url_with(self, certificates: Certificates, *, client: bool = True, host: str = "127.0.0.1") -> str:
        """Give the URL for someone who trusts, and has been issued, other certificates."""
        cert, key = certificates.client
        own = f"&ssl_certfile={cert}&ssl_keyfile={key}" if client else ""
        return f"rediss://{host}:{self.port}/0?ssl_ca_certs={certificates.authority}{own}"
