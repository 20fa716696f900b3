"""Runs Canaille, an OpenID Connect provider: `python identity_provider.py PORT`, with two users and two clients.

What it knows is kept in memory; it prints `ready` when it answers.  It is installed in a folder of its own (`FOLDER`,
by `scripts/setup`), which only its process looks into: its package brings a `tests` of its own.
"""

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

FOLDER = Path(sys.prefix) / "identity-provider"
CLIENT, SECRET = "nephele", "client-secret"


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_told: object) -> None:
        """Nothing."""


def main(port: int) -> None:
    """Serve until the end."""
    from canaille import create_app
    from canaille.app import models
    from canaille.backends import Backend
    from joserfc.jwk import RSAKey

    key = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True).as_dict(private=True)
    app = create_app(
        {
            "SECRET_KEY": "not a secret",
            "SERVER_NAME": f"127.0.0.1:{port}",
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"DATABASE": "memory", "JAVASCRIPT": False},
            "CANAILLE_OIDC": {"ACTIVE_JWKS": [key]},
        }
    )
    with app.app_context():
        for name in ("ann", "eve"):
            user = models.User(
                user_name=name, family_name=name, emails=[f"{name}@example.org"], password=f"{name}-secret"
            )
            Backend.instance.save(user)
            group = models.Group(display_name="operators" if name == "ann" else "guests", members=[user])
            Backend.instance.save(group)
        for client_id in (CLIENT, "somebody-else"):
            client = models.Client(
                client_id=client_id,
                client_secret=SECRET,
                client_name=client_id,
                client_uri="http://127.0.0.1",
                contacts=["admin@example.org"],
                redirect_uris=["http://127.0.0.1/back"],
                grant_types=["password"],
                response_types=["code"],
                scope=["openid", "profile", "email", "groups"],
                token_endpoint_auth_method="client_secret_basic",
            )
            Backend.instance.save(client)
            client.audience = [client]
            Backend.instance.save(client)
    with make_server("127.0.0.1", port, app, handler_class=Quiet) as server:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
