"""What a server needs to be trusted: an authority, a certificate, tokens, and the kubeconfig that names them.

Kept in the server's data directory, made when missing, so that a kubeconfig stays good over restarts. `refkube serve`
calls `prepare`. Left out: rotation.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TEN_YEARS = timedelta(days=3650)
CLIENT = "apiserver-kubelet-client"
SERVICE_ADDRESSES = ("127.0.0.1", "::1", "10.96.0.1")
SERVICE_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Credentials:
    """Paths of the PEM files that TLS sockets want, and the secrets themselves. `client` and `client_key` prove to
    kubelets that it is the API server who asks."""

    certificate: Path
    key: Path
    client: Path
    client_key: Path
    authority: bytes
    signing_key: bytes
    admin_token: str


def prepare(directory: Path, host: str, now: float, new_token: str, new_signing_key: bytes) -> Credentials:
    """Read the credentials kept in a directory, after making those that are missing. `now` is unix seconds.

    Raises OSError, and ValueError where a file holds something else."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority_path, authority_key_path = directory / "ca.crt", directory / "ca.key"
    certificate, key = directory / f"server-{host}.crt", directory / f"server-{host}.key"
    client, client_key = directory / f"{CLIENT}.crt", directory / f"{CLIENT}.key"
    if not authority_path.exists():
        authority_key, authority = _authority(now)
        _keep(authority_key_path, _pem(authority_key))
        _keep(authority_path, authority.public_bytes(serialization.Encoding.PEM))
    for path, key_path, subject, hosts in (
        (certificate, key, _name("kube-apiserver"), (*SERVICE_NAMES, *SERVICE_ADDRESSES, host)),
        (client, client_key, _name(f"kube-{CLIENT}", "system:masters"), ()),
    ):
        if not path.exists():
            signer = serialization.load_pem_private_key(authority_key_path.read_bytes(), None)
            assert isinstance(signer, ec.EllipticCurvePrivateKey)
            issuer = x509.load_pem_x509_certificate(authority_path.read_bytes())
            made_key, made = _signed(subject, hosts, now, issuer.subject, signer)
            _keep(key_path, made_key)
            _keep(path, made)
    token = _kept(directory / "admin.token", new_token.encode()).decode()
    signing_key = _kept(directory / "sa.key", new_signing_key)
    serialization.load_pem_private_key(signing_key, None)  # a bad one is told now, not to the first Pod
    return Credentials(certificate, key, client, client_key, authority_path.read_bytes(), signing_key, token)


def self_signed(host: str, now: float) -> tuple[bytes, bytes]:
    """Key and certificate (PEM) of a server that nobody vouches for, such as a kubelet."""
    return _signed(_name(host), (host,), now)


def new_authority(now: float) -> bytes:
    """The certificate (PEM) of an authority that signs nothing: of a cluster that is spoken to without TLS."""
    return _authority(now)[1].public_bytes(serialization.Encoding.PEM)


def kubeconfig(server: str, authority: bytes, token: str) -> str:
    """A kubeconfig (client.authentication, clientcmd/api/v1) for the administrator of one cluster."""
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "refkube",
                "cluster": {"server": server, "certificate-authority-data": base64.b64encode(authority).decode()},
            }
        ],
        "users": [{"name": "admin", "user": {"token": token}}],
        "contexts": [{"name": "refkube", "context": {"cluster": "refkube", "user": "admin"}}],
        "current-context": "refkube",
    }
    return yaml.safe_dump(told, sort_keys=False)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file at once, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def _kept(path: Path, fresh: bytes) -> bytes:
    if not path.exists():
        _keep(path, fresh)
    return path.read_bytes()


_keep = write_private


def _authority(now: float) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("refkube-ca")
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _signed(
    subject: x509.Name,
    hosts: Iterable[str],
    now: float,
    issuer: x509.Name | None = None,
    signer: ec.EllipticCurvePrivateKey | None = None,
) -> tuple[bytes, bytes]:
    """A new key and its certificate: a server's of these hosts, a client's without; signed by itself if need be."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = list(map(_host, dict.fromkeys(hosts)))
    usage = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(subject, issuer or subject, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key((signer or key).public_key()), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _pem(key), builder.sign(signer or key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(common: str, *organizations: str) -> x509.Name:
    told = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, name) for name in organizations]
    return x509.Name([*told, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float
) -> x509.CertificateBuilder:
    begin = datetime.fromtimestamp(now, UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + TEN_YEARS)
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
