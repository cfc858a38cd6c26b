"""Tickets, tokens and the calls that give them out."""
import base64
import json
import secrets
import time

from world import Refusal


class Sessions:
    """Who holds which ticket or token, until when. In the lock of the face, like the world."""

    def __init__(self, world):
        self.world = world
        self.until = {}  # ticket or token to (user, the end of its life)
        self.expired_answers = 0

    def give(self, user, prefix, life):
        value = prefix + base64.b64encode(secrets.token_bytes(24)).decode()
        self.until[value] = (user, time.monotonic() + life)
        return value

    def expire_all(self):
        for value, (user, _) in self.until.items():
            self.until[value] = (user, 0.0)

    def user_of(self, ticket, token):
        """The user of a request, or a refusal: nothing sent, unknown, or expired in either form."""
        value = token or ticket
        if not value or value not in self.until:
            raise Refusal(401, "Authentication required")
        user, until = self.until[value]
        if time.monotonic() < until:
            return user
        self.expired_answers += 1
        form = self.world.settings["expiry"]
        if form == "alternate":
            form = "400" if self.expired_answers % 2 else "401"
        if token or form == "401":
            raise Refusal(401, "Authentication required")
        raise Refusal(400, "Expired OTDS SSO ticket", code=1034)

    def check_password(self, name, password):
        user = self.world.find("user", name)
        if user.disabled or not password or self.world.passwords.get(user.uuid) != password:
            raise Refusal(401, "Authentication failed")
        return user

    def credentials(self, user):
        ticket = self.give(user.id, "*OTDSSSO*", self.world.settings["ticket_life"])
        return {"ticket": ticket, "token": ticket, "userId": user.id, "resourceID": None, "failureReason": None,
                "passwordExpirationTime": 0, "continuation": self.world.settings["continuation"],
                "continuationContext": None, "continuationData": None}


def log_in(call):
    body = call.body
    try:
        user = call.sessions.check_password(body.get("userName") or "", body.get("password"))
    except Refusal as refusal:
        raise Refusal(401, "Authentication failed") from refusal
    return 200, call.sessions.credentials(user)


def ticket_for_user(call):
    asking = call.sessions.user_of(call.body.get("ticket"), None)
    call.need_admin(asking)
    return 200, call.sessions.credentials(call.world.find("user", call.body.get("userName") or ""))


def token_info(call):
    user = call.sessions.user_of(None, call.body.get("token"))
    return 200, {"user_id": user, "token_type": "Bearer"}


def current_user(call):
    user = call.world.find("user", call.user)
    admin = user.partition in ("otds.admin", "OAuthClients")
    return 200, {"user": call.shown(user), "isAdmin": admin, "isSysAdmin": admin}


class TokenRefusal(Exception):
    """RFC 6749 section 5.2."""

    def __init__(self, status, error):
        super().__init__(error)
        self.status, self.body = status, {"error": error, "error_description": error.replace("_", " ")}


def client_of(call):
    """The client in the form or by basic authentication (RFC 6749 section 2.3.1); None for a public request."""
    form, header = call.body, call.header("authorization") or ""
    if header.startswith("Basic "):
        name, _, secret = base64.b64decode(header[6:]).decode().partition(":")
    else:
        name, secret = form.get("client_id"), form.get("client_secret")
    if not name:
        return None
    client = call.world.clients.get(name)
    if client is None or (client["confidential"] and client["secret"] != secret):
        raise TokenRefusal(401, "invalid_client")
    return client


def token(call):
    grant = call.body.get("grant_type")
    client = client_of(call)
    if grant == "client_credentials":
        if client is None or not client["confidential"]:
            raise TokenRefusal(401, "invalid_client")
        user = call.world.find("user", f"{client['id']}@OAuthClients")
    elif grant == "password":
        try:
            user = call.sessions.check_password(call.body.get("username") or "", call.body.get("password"))
        except Refusal as refusal:
            raise TokenRefusal(400, "invalid_grant") from refusal
    elif grant == "urn:ietf:params:oauth:grant-type:token-exchange":
        if client is None or not client["allowImpersonation"]:
            raise TokenRefusal(401, "invalid_client")
        user = call.world.find("user", call.body.get("subject_token") or "")
    else:
        raise TokenRefusal(400, "unsupported_grant_type")
    return 200, token_answer(call, grant, user, client)


def token_answer(call, grant, user, client):
    settings = call.world.settings
    if "otdsssoticket" in (call.body.get("scope") or "").split():
        life = settings["ticket_life"]
        value = call.sessions.give(user.id, "*OTDSSSO*", life)
    else:
        life = client["accessTokenLifeTime"] if client else settings["token_life"]
        claims = base64.urlsafe_b64encode(json.dumps({"sub": user.id}).encode()).decode().rstrip("=")
        value = call.sessions.give(user.id, f"eyJhbGciOiJub25lIn0.{claims}.", life)
    answer = {"access_token": value, "token_type": "Bearer", "expires_in": life}
    if grant.endswith("token-exchange"):
        answer["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
    return answer
