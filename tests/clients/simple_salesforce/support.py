"""What every simple-salesforce test needs: the simulated org that `run` started, and its /admin.

Key decision: the client is used as it comes; only `instance_url`, `proxies` and the bundle of authorities
(REQUESTS_CA_BUNDLE) lead it to the org. It is no client itself.
"""

import json
import os
import unittest
from datetime import datetime

import requests
from simple_salesforce import Salesforce

ORG = json.loads(os.environ["HALITE_ORG"])
# A proxy that leads every host name to the org.
PROXIES = {"https": os.environ["HALITE_PROXY"]}
PASSWORD = "simulator-password"


def connect(**more):
    """A connection of the API user, by session Id."""
    return Salesforce(**{"instance_url": ORG["url"], "session_id": ORG["access_token"], **more})


def admin(method, path, body=None):
    """Asks the org's admin endpoint."""
    reply = requests.request(method, f"{ORG['admin_url']}/{path}", json=body, timeout=60)
    reply.raise_for_status()
    return reply.json()


def settings(**change):
    """Changes settings of the org."""
    return admin("POST", "settings", change)


def advance(seconds):
    """Moves the org's clock on."""
    return admin("POST", "clock", {"advance": seconds})


def now():
    """The org's time."""
    return datetime.fromisoformat(admin("GET", "clock")["now"])


class Case(unittest.TestCase):
    """A test case with the assertions that most need."""

    def refused(self, kind, code, call, *args, **kwargs):
        """Asserts that a call raises the client's exception with the API's code."""
        with self.assertRaises(kind) as caught:
            call(*args, **kwargs)
        self.assertEqual(caught.exception.content[0]["errorCode"], code)
        return caught.exception

    def saved(self, result):
        """Asserts that a save went well; gives its Id."""
        self.assertIs(result["success"], True, result)
        self.assertRegex(result["id"], "^[0-9A-Za-z]{18}$")
        return result["id"]
