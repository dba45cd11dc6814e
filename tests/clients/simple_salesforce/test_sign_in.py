"""Ways into the org that simple-salesforce has, and what it does when a session is over."""

import time
import unittest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceExpiredSession
from simple_salesforce.login import SalesforceLogin

from support import ORG, PASSWORD, PROXIES, Case, admin, connect, settings

MY_DOMAIN = "salt.my"  # simple-salesforce adds .salesforce.com


class SignIn(Case):
    def setUp(self):
        settings(
            sandbox=False,
            auth={"my_domain": f"https://{MY_DOMAIN}.salesforce.com", "password_grant": True, "soap_login": True},
        )

    def works(self, sf):
        self.assertEqual(sf.query("SELECT Id FROM Account LIMIT 1")["totalSize"], 1)
        return sf

    def denied(self, code, **login):
        with self.assertRaises(SalesforceAuthenticationFailed) as caught:
            Salesforce(proxies=PROXIES, **login)
        self.assertEqual(caught.exception.code, code)
        return caught.exception.auth_message

    def renews(self, sf):
        """The client signs in again when its session is over."""
        old = sf.session_id
        admin("POST", "sessions/expire")
        self.works(sf)
        self.assertNotEqual(sf.session_id, old)

    def test_session_id_with_instance_or_url(self):
        session = admin_session()
        self.works(connect(session_id=session))
        self.works(connect(session_id=session, instance_url=None, instance=ORG["url"].removeprefix("https://")))

    def test_a_dead_session_id_cannot_be_renewed(self):
        sf = connect(session_id="dead")
        self.refused(SalesforceExpiredSession, "INVALID_SESSION_ID", sf.query, "SELECT Id FROM Account")

    def test_password_and_token_by_soap(self):
        settings(auth={"security_token": "TOKEN"})
        login = {"username": ORG["username"], "password": PASSWORD}
        sf = self.works(Salesforce(proxies=PROXIES, security_token="TOKEN", **login))
        self.assertEqual(sf.sf_instance, f"{MY_DOMAIN}.salesforce.com")
        self.renews(sf)
        self.assertIn("security token", self.denied("INVALID_LOGIN", security_token="x", **login))
        settings(auth={"security_token": None})

    def test_password_within_trusted_networks_by_soap(self):
        login = {"username": ORG["username"], "organizationId": ORG["org_id"]}
        self.works(Salesforce(proxies=PROXIES, password=PASSWORD, **login))
        self.denied("INVALID_LOGIN", password="wrong", **login)

    def test_soap_login_is_off_in_new_orgs(self):
        settings(auth={"soap_login": False})
        login = {"username": ORG["username"], "password": PASSWORD, "security_token": ""}
        self.denied("INVALID_OPERATION", **login)

    def test_password_grant(self):
        login = {"username": ORG["username"], "consumer_key": ORG["client_id"], "consumer_secret": ORG["client_secret"]}
        self.renews(self.works(Salesforce(proxies=PROXIES, password=PASSWORD, **login)))
        self.assertEqual(self.denied("invalid_grant", password="wrong", **login), "authentication failure")
        settings(auth={"password_grant": False})
        self.denied("invalid_grant", password=PASSWORD, **login)

    def test_client_credentials_at_the_orgs_own_domain(self):
        app = {"consumer_key": ORG["client_id"], "domain": MY_DOMAIN}
        self.renews(self.works(Salesforce(proxies=PROXIES, consumer_secret=ORG["client_secret"], **app)))
        self.denied("invalid_client", consumer_secret="wrong", **app)

    def test_assertion(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        settings(auth={"app": {"public_key": public.decode()}})
        # The client signs by the time of day.
        admin("POST", "clock", {"set": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        login = {"username": ORG["username"], "consumer_key": ORG["client_id"], "privatekey": pem}
        with self.assertWarns(UserWarning):
            self.assertEqual(self.denied("invalid_grant", **login), "user hasn't approved this consumer")
        settings(auth={"app": {"pre_authorised": True}})
        self.renews(self.works(Salesforce(proxies=PROXIES, **login)))
        self.works(Salesforce(proxies=PROXIES, instance_url=MY_DOMAIN, **login))
        self.denied("invalid_grant", **{**login, "username": "nobody@salt.example"})

    def test_a_sandbox_signs_in_at_its_own_host(self):
        login = {"username": ORG["username"], "consumer_key": ORG["client_id"], "consumer_secret": ORG["client_secret"]}
        self.denied("invalid_grant", password=PASSWORD, domain="test", **login)
        settings(sandbox=True)
        self.works(Salesforce(proxies=PROXIES, password=PASSWORD, domain="test", **login))
        self.denied("invalid_grant", password=PASSWORD, **login)


def admin_session():
    """A session that is alive whatever other tests ended."""
    return SalesforceLogin(
        consumer_key=ORG["client_id"], consumer_secret=ORG["client_secret"], domain=MY_DOMAIN, proxies=PROXIES
    )[0]


