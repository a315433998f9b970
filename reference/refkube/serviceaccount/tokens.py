"""JSON Web Tokens of service accounts (RFC 7519), signed with the cluster's own key.

The token subresource issues them, the API server's authenticator verifies them. Expiry is held against the loop's
clock. Claims are upstream's (pkg/serviceaccount/claims.go).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from refkube.apimachinery.meta import Object
from refkube.apimachinery.rest import UserInfo

ALGORITHM = "ES256"
CLAIM = "kubernetes.io"
LEGACY_ISSUER, LEGACY_CLAIM = "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/"


class Verified(NamedTuple):
    """What a good token says: whom it stands for, for which audiences, and the objects it is bound to.

    Of a legacy token the claims are told as those of the others; its Secret has no uid but the token that it must hold.
    """

    user: UserInfo
    audiences: tuple[str, ...]
    claims: Object


class Tokens:
    """`key` is a PEM private key (P-256), made when first needed if not given; `now` tells the time in seconds."""

    def __init__(self, now: Callable[[], float], issuer: str, key: bytes | None = None):
        self.issuer = issuer
        self.audience = issuer
        self._now = now
        self._pem = key

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        if self._pem is None:
            return ec.generate_private_key(ec.SECP256R1())
        key = serialization.load_pem_private_key(self._pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key

    def issue(
        self,
        account: Object,
        *,
        audiences: list[str],
        seconds: int | None,
        token_id: str,
        bound: tuple[str, Object] | None = None,
    ) -> str:
        """A token of a ServiceAccount object, for ever where `seconds` is None.

        `bound` is "pod", "secret" or "node" and the object whose end is the token's.
        """
        meta = account["metadata"]
        now = int(self._now())
        about: Object = {
            "namespace": meta["namespace"],
            "serviceaccount": {"name": meta["name"], "uid": meta["uid"]},
        }
        if bound is not None:
            role, obj = bound
            about[role] = {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}
        claims: Object = {
            "iss": self.issuer,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
            "aud": audiences,
            "iat": now,
            "nbf": now,
            "jti": token_id,
            CLAIM: about,
        }
        if seconds is not None:
            claims["exp"] = now + seconds
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def issue_legacy(self, account: Object, secret: Object) -> str:
        """The token of a Secret of type kubernetes.io/service-account-token; it ends with it and with the account."""
        meta = account["metadata"]
        about = {
            "namespace": meta["namespace"],
            "secret.name": secret["metadata"]["name"],
            "service-account.name": meta["name"],
            "service-account.uid": meta["uid"],
        }
        claims = {
            "iss": LEGACY_ISSUER,
            "sub": f"system:serviceaccount:{meta['namespace']}:{meta['name']}",
            **{LEGACY_CLAIM + key: value for key, value in about.items()},
        }
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": self.key_id})

    def verify(self, token: str, audiences: tuple[str, ...] = ()) -> Verified | None:
        """None for what is not ours, not for these audiences (the API server's own if none are named), or over."""
        wanted = audiences or (self.audience,)
        try:
            claims: Any = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=[ALGORITHM],
                issuer=[self.issuer, LEGACY_ISSUER],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.InvalidTokenError, ValueError):
            return None
        if claims["iss"] == LEGACY_ISSUER:
            claims = _as_current(claims, token, self.audience)
        now = self._now()
        if claims.get("exp", now + 1) <= now or claims.get("nbf", now) > now:
            return None
        shared = tuple(name for name in wanted if name in claims["aud"])
        if not shared:
            return None
        about = claims[CLAIM]
        account, namespace = about["serviceaccount"], about["namespace"]
        extra = [("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",))] if "jti" in claims else []
        if "pod" in about:
            extra.append(("authentication.kubernetes.io/pod-name", (about["pod"]["name"],)))
            extra.append(("authentication.kubernetes.io/pod-uid", (about["pod"]["uid"],)))
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return Verified(UserInfo(claims["sub"], account["uid"], groups, tuple(extra)), shared, claims)

    @cached_property
    def key_id(self) -> str:
        return self.public_jwk["kid"]

    @cached_property
    def public_jwk(self) -> Object:
        """The public key as RFC 7517 has it, for /openid/v1/jwks."""
        der = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        told: Object = jwt.get_algorithm_by_name(ALGORITHM).to_jwk(self._key.public_key(), as_dict=True)
        return {**told, "use": "sig", "alg": ALGORITHM, "kid": sha256(der).hexdigest()[:43]}


def _as_current(claims: Object, token: str, audience: str) -> Object:
    """A legacy token's claims; it has no audience, and so the API server's."""
    told = {key.removeprefix(LEGACY_CLAIM): value for key, value in claims.items() if key.startswith(LEGACY_CLAIM)}
    about = {
        "namespace": told["namespace"],
        "serviceaccount": {"name": told["service-account.name"], "uid": told["service-account.uid"]},
        "secret": {"name": told["secret.name"], "token": token},
    }
    return {"sub": claims["sub"], "aud": [audience], CLAIM: about}


def new_key() -> bytes:
    """A fresh private key as PEM, for a server that keeps its data."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
