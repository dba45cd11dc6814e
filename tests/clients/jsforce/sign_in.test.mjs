// Ways into the org that jsforce has, and what it does when a session is over.

import assert from 'node:assert/strict';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { Connection, OAuth2, admin, connect, httpProxy, now, org, refused, settings } from './org.mjs';

const redirectUri = 'http://localhost:1717/OauthRedirect';
const app = { loginUrl: org.url, clientId: org.client_id, clientSecret: org.client_secret, redirectUri };

/** Opens the authorisation page as a browser would, with consent given; gives the code. */
async function code(oauth2, params = {}) {
  await settings({ auth: { consent: 'allow' } });
  const reply = await fetch(oauth2.getAuthorizationUrl(params), { redirect: 'manual' });
  assert.equal(reply.status, 302);
  const target = new URL(reply.headers.get('location'));
  assert.equal(target.origin + target.pathname, redirectUri);
  return target.searchParams.get('code');
}

async function works(conn) {
  const { records } = await conn.query('SELECT Id FROM Account LIMIT 1');
  assert.equal(records.length, 1);
}

test('an access token opens the org', async () => {
  const conn = connect();
  await works(conn);
  const identity = await conn.identity();
  assert.equal(identity.username, org.username);
  assert.equal(identity.user_id, org.user_id);
  assert.equal(identity.organization_id, org.org_id);
  assert.equal(conn.userInfo.id, org.user_id);
});

test('the web server flow gives a session that refreshes itself', async () => {
  const oauth2 = new OAuth2(app);
  const conn = new Connection({ oauth2 });
  const user = await conn.authorize(await code(oauth2, { scope: 'api id refresh_token', state: 'x' }));
  assert.deepEqual(
    { id: user.id, organizationId: user.organizationId },
    { id: org.user_id, organizationId: org.org_id },
  );
  assert.ok(conn.refreshToken);
  await works(conn);
  const old = conn.accessToken;
  const refreshes = [];
  conn.on('refresh', (token) => refreshes.push(token));
  await admin('POST', 'sessions/expire');
  await works(conn);
  assert.deepEqual(refreshes, [conn.accessToken]);
  assert.notEqual(conn.accessToken, old);
});

test('the verifier that jsforce makes is taken', async () => {
  const oauth2 = new OAuth2({ ...app, useVerifier: true });
  await settings({ auth: { app: { require_pkce: true } } });
  const conn = new Connection({ oauth2 });
  await conn.authorize(await code(oauth2));
  await works(conn);
  const other = new OAuth2({ ...app, useVerifier: true });
  const strange = await code(oauth2);
  await refused(new Connection({ oauth2: other }).authorize(strange), 'invalid_grant');
  await settings({ auth: { app: { require_pkce: false } } });
});

test('a code works once', async () => {
  const oauth2 = new OAuth2(app);
  const once = await code(oauth2);
  await new Connection({ oauth2 }).authorize(once);
  await refused(new Connection({ oauth2 }).authorize(once), 'invalid_grant');
});

test('client credentials open the org at its own domain', async () => {
  const conn = new Connection({ oauth2: { ...app, redirectUri: undefined } });
  await conn.authorize({ grant_type: 'client_credentials' });
  await works(conn);
  assert.equal((await conn.identity()).user_id, org.user_id);
});

test('an assertion opens the org', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' });
  await settings({ auth: { app: { public_key: pem, pre_authorised: true } } });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor((await now()) / 1000) + 120;
  const claims = { iss: org.client_id, sub: org.username, aud: 'https://test.salesforce.com', exp };
  const text = `${part({ alg: 'RS256' })}.${part(claims)}`;
  const assertion = `${text}.${createSign('sha256').update(text).sign(privateKey, 'base64url')}`;
  const grant_type = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const conn = new Connection({ oauth2: { loginUrl: org.url } });
  await conn.authorize({ grant_type, assertion });
  await works(conn);
  await refused(conn.authorize({ grant_type, assertion: `${assertion}x` }), 'invalid_grant');
});

test('a password opens the org through the login host where the org allows it', async () => {
  const loginUrl = 'https://test.salesforce.com';
  const oauth2 = { clientId: org.client_id, clientSecret: org.client_secret };
  const conn = new Connection({ loginUrl, httpProxy, oauth2 });
  await refused(conn.login(org.username, 'simulator-password'), 'invalid_grant');
  await settings({ auth: { password_grant: true } });
  await conn.login(org.username, 'simulator-password');
  await works(conn);
  await refused(conn.login(org.username, 'wrong'), 'invalid_grant');
});

test('SOAP login opens the org where the org allows it, and signs in again when it must', async () => {
  const conn = new Connection({ loginUrl: 'https://test.salesforce.com', httpProxy });
  await assert.rejects(conn.login(org.username, 'simulator-password'), /INVALID_|API_DISABLED|SOAP/);
  await settings({ auth: { soap_login: true, my_domain: 'https://salt.my.salesforce.com' } });
  const user = await conn.login(org.username, 'simulator-password');
  assert.equal(user.id, org.user_id);
  assert.equal(conn.instanceUrl, 'https://salt.my.salesforce.com');
  await works(conn);
  await admin('POST', 'sessions/expire');
  await works(conn);
  await assert.rejects(new Connection({ loginUrl: org.url }).login(org.username, 'wrong'), /INVALID_LOGIN/);
  await settings({ auth: { my_domain: null } });
  await conn.logout();
});

test('refreshFn is asked once for a session that is over', async () => {
  let asked = 0;
  const oauth2 = new OAuth2({ ...app, redirectUri: undefined });
  const fresh = async () => (await oauth2.requestToken({ grant_type: 'client_credentials' })).access_token;
  const conn = connect({
    accessToken: 'dead',
    refreshFn: async (_, done) => {
      asked += 1;
      done(null, await fresh());
    },
  });
  await Promise.all([works(conn), works(conn), works(conn)]);
  assert.equal(asked, 1);
});

test('without a way to refresh a dead session is an error', async () => {
  await refused(connect({ accessToken: 'dead' }).query('SELECT Id FROM Account'), 'INVALID_SESSION_ID');
});

test('revoking ends the session and the grant', async () => {
  const oauth2 = new OAuth2(app);
  const conn = new Connection({ oauth2 });
  await conn.authorize(await code(oauth2, { scope: 'api refresh_token' }));
  const { accessToken, refreshToken } = conn;
  await conn.logout(true);
  await refused(connect({ accessToken }).query('SELECT Id FROM Account'), 'INVALID_SESSION_ID');
  await refused(oauth2.refreshToken(refreshToken), 'invalid_grant');
});
