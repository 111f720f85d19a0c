"""Tokens that another program signs, with keys of each kind: whose page is shown, and that forged ones show nobody's.

Runs under the Python with PyJWT. The sessions are the site's own, made behind Sekisho's back: nothing is bound, so what is
shown is shown by the token alone.
"""

import argparse
import json
import random
import re
import sys
import tempfile
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.stage import PLANTED, Stage  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

TOKEN = """
[[token]]
cookie = "id_token"
jwks = "jwks.json"
issuer = "https://idp.example"
audience = "site"
claim = "customer.number"
kind = "account_id"
"""
KEYS = {
    "RS256": rsa.generate_private_key(65537, 2048), "PS384": rsa.generate_private_key(65537, 2048),
    "ES256": ec.generate_private_key(ec.SECP256R1()), "ES384": ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    seed = parser.parse_args().seed or random.SystemRandom().randrange(1 << 32)
    with tempfile.TemporaryDirectory(prefix="sekisho-tokens-") as folder:
        (Path(folder) / "jwks.json").write_text(json.dumps({"keys": [public(name) for name in KEYS]}))
        stage = Stage(Path(folder), seed, 20 + PLANTED, "block", TOKEN)
        with stage.running():
            results = ask(stage)
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def public(name: str) -> dict:
    maker = RSAAlgorithm if name[1] == "S" and name[0] in "RP" else ECAlgorithm if name.startswith("ES") else OKPAlgorithm
    return {**json.loads(maker.to_jwk(KEYS[name].public_key())), "kid": name}


def token(name: str, account: str, **changes) -> str:
    claims = {"iss": "https://idp.example", "aud": "site", "exp": int(time.time()) + 300, "customer": {"number": account}, **changes}
    return jwt.encode(claims, KEYS[name], algorithm=name, headers={"kid": name})


def ask(stage: Stage) -> list[bool]:
    accounts = [row.split(",")[0] for row in stage.register_csv.read_text(encoding="utf-8").splitlines()[1:3]]
    own, other = accounts
    direct = Connection(("127.0.0.1", stage.site_port), "127.0.0.1")
    form = f"account_id={own}&password={own[::-1]}".encode()
    answer = direct.send("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"}).response
    session = re.search(rb"session=([0-9a-f]{32})", answer)[1].decode()

    def page(value: str) -> tuple[int, bool]:
        status, _, body = split_response(stage.get("/mypage", session, more=f"id_token={value}" if value else "")[1])
        return status, own.encode() in body

    results = []
    for name in KEYS:
        rest, _, signature = token(name, own).rpartition(".")
        flipped = "A" if signature[9] != "A" else "B"
        wrong = {
            "of another": token(name, other), "expired": token(name, own, exp=int(time.time()) - 5),
            "of another issuer": token(name, own, iss="x"), "for another site": token(name, own, aud="x"),
            "changed": f"{rest}.{signature[:9]}{flipped}{signature[10:]}", "unsigned": f"{rest}.",
            "signed with the public key": confused(own, name),
        }
        told = {what: page(value) for what, value in wrong.items()}
        good = page(token(name, own))
        print(f"{name}: own page {good}, {told}")
        results += [good == (200, True), all(answer == (403, False) for answer in told.values())]
    nobody = page("")
    print(f"without a token: {nobody}")
    return [*results, nobody == (403, False)]


def confused(account: str, name: str) -> str:
    """The public key as an HMAC secret: PyJWT itself refuses to make such a token of a PEM, so the set's text is the secret."""
    secret = json.dumps(public(name)).ljust(64)
    claims = {"iss": "https://idp.example", "aud": "site", "exp": int(time.time()) + 300, "customer": {"number": account}}
    return jwt.encode(claims, secret, algorithm="HS256", headers={"kid": name})


if __name__ == "__main__":
    sys.exit(main())
