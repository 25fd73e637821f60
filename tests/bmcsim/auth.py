"""Accounts, Basic and sessions of one satellite."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Optional

from reply import error, json_reply, refuse
from tree import ROOT, clean

CHALLENGE = 'Basic realm="bmcsim"'
OPEN = ("/redfish", "/redfish/v1", "/redfish/v1/odata", "/redfish/v1/$metadata")


@dataclass
class Account:
    user: str
    password: str
    role: str = "Administrator"
    enabled: bool = True


@dataclass
class Session:
    token: str
    uri: str
    account: Account


class Auth:
    def __init__(self, options, tree):
        self._options = options
        self._tree = tree
        self._accounts = {options.user: Account(options.user, options.password)}
        self._sessions = {}     # token -> Session
        self._basic = {}        # header -> Account, so that a header is decoded once
        self._number = 0
        self.sessions_key = self._locate()

    def _locate(self):
        links = self._tree.get(ROOT).get("Links", {})
        uri = links.get("Sessions", {}).get("@odata.id", f"{ROOT}/SessionService/Sessions")
        key = self._tree.find(uri) or clean(uri)
        if self._options.auth in ("session", "session-only") and self._tree.find(key) is None:
            self._tree.put(f"{ROOT}/SessionService", {
                "@odata.id": f"{ROOT}/SessionService", "@odata.type": "#SessionService.v1_1_8.SessionService",
                "Id": "SessionService", "Name": "Session Service", "ServiceEnabled": True, "SessionTimeout": 1800,
                "Sessions": {"@odata.id": key}})
            self._tree.put(key, {
                "@odata.id": key, "@odata.type": "#SessionCollection.SessionCollection", "Name": "Sessions",
                "Members": [], "Members@odata.count": 0})
        return key

    def open_to_all(self, method, path):
        """Path without trailing slash: what Redfish lets strangers read, and the log-in itself."""
        if method in ("GET", "HEAD"):
            return path in OPEN
        return method == "POST" and self.is_login(path)

    def is_login(self, path):
        return path.lower() in (self.sessions_key.lower(), self.sessions_key.lower() + "/members")

    def identify(self, headers) -> Optional[Account]:
        token = headers.get("X-Auth-Token")
        if token is not None:
            session = self._sessions.get(token)
            return session.account if session and session.account.enabled else None
        return self._identify_basic(headers.get("Authorization", ""))

    def _identify_basic(self, header):
        if self._options.auth == "session-only":
            return None
        account = self._basic.get(header)
        if account is None:
            scheme, _, text = header.partition(" ")
            try:
                user, _, password = base64.b64decode(text.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return None
            account = self._check(user, password) if scheme.lower() == "basic" else None
            if account is not None:
                self._basic[header] = account
        return account if account and account.enabled else None

    def _check(self, user, password):
        account = self._accounts.get(user)
        same = account is not None and secrets.compare_digest(account.password.encode(), str(password).encode())
        return account if same and account.enabled else None

    @staticmethod
    def unauthorized():
        return error(401, "NoValidSession", WWW_Authenticate=CHALLENGE)

    def permit(self, account, method, path):
        """Privileges in short: ReadOnly reads, Operator does not manage users; all may end their session."""
        if account is None or account.role == "Administrator" or method in ("GET", "HEAD"):
            return
        if path.lower().startswith(self.sessions_key.lower() + "/"):
            return
        users = path.lower().startswith(f"{ROOT}/accountservice".lower())
        if account.role == "Operator" and not users:
            return
        refuse(403, "InsufficientPrivilege")

    # sessions

    def log_in(self, body):
        if self._options.auth == "basic":
            refuse(405, "OperationNotAllowed", Allow="GET, HEAD")
        for name in ("UserName", "Password"):
            if not isinstance(body.get(name), str):
                refuse(400, "PropertyMissing", name, properties=[name])
        account = self._check(body["UserName"], body["Password"])
        if account is None:
            return self.unauthorized()
        if self._options.max_sessions and len(self._sessions) >= self._options.max_sessions:
            return error(503, "SessionLimitExceeded", Retry_After=str(self._options.retry_after))
        self._number += 1
        name = self._tree.free_name(self.sessions_key, f"{secrets.token_hex(4)}{self._number}")
        uri = f"{self.sessions_key}/{name}"
        value = {"@odata.id": uri, "@odata.type": "#Session.v1_7_0.Session", "Id": name, "Name": "User Session",
                 "UserName": account.user, "Password": None}
        self._tree.create(self.sessions_key, name, value)
        token = secrets.token_hex(16)
        self._sessions[token] = Session(token, uri, account)
        return json_reply(201, value, Location=uri, X_Auth_Token=token)

    def forget(self, key):
        """After the resource at key was deleted: its session or account goes too."""
        self._sessions = {token: each for token, each in self._sessions.items()
                          if each.uri.lower() != key.lower() and not each.uri.startswith(key + "/")}

    def expire(self):
        count = len(self._sessions)
        for session in list(self._sessions.values()):
            self._tree.remove(session.uri)
        self._sessions.clear()
        return count

    @property
    def session_count(self):
        return len(self._sessions)

    # accounts

    def account_changed(self, before, after, posted):
        """`before`, `after`: the ManagerAccount's body ({} if there was or is none); `posted` may hold the password."""
        old, new = before.get("UserName"), after.get("UserName")
        account = self._accounts.pop(old, None) if old else None
        self._basic.clear()
        if not new:
            if account is not None:
                account.enabled = False     # for sessions that still hold it
            return
        account = account or Account(new, secrets.token_hex(16))
        account.user = new
        account.password = posted.get("Password") or account.password
        account.role = after.get("RoleId", account.role)
        account.enabled = after.get("Enabled", True) is not False
        self._accounts[new] = account
