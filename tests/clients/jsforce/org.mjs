// What every jsforce test needs: the client, the simulated org that `run` started, and its /admin.
// Key decision: jsforce is taken from where `run` installed it, so that nothing is installed in the source tree.

import assert from 'node:assert/strict';
import https from 'node:https';
import { createRequire } from 'node:module';
import { after } from 'node:test';

const jsforce = createRequire(`${process.env.JSFORCE_HOME}/`)('jsforce');
export const { Connection, OAuth2 } = jsforce;

// A request whose answer comes before jsforce has ended its body keeps its socket, and the process, for ever.
after(() => https.globalAgent.destroy());

/** url, client_id, client_secret, username, access_token and Ids of the org. */
export const org = JSON.parse(process.env.HALITE_ORG);
/** A proxy that leads every host name to the org. */
export const httpProxy = process.env.HALITE_PROXY;

/** A connection of the API user, by access token. */
export const connect = (more = {}) =>
  new Connection({ instanceUrl: org.url, accessToken: org.access_token, ...more });

/** Asks the org's admin endpoint. */
export async function admin(method, path, body) {
  const reply = await fetch(`${org.admin_url}/${path}`, {
    method,
    headers: body && { 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  assert.equal(reply.status, 200, `${method} /admin/${path}: ${await reply.clone().text()}`);
  return reply.json();
}

/** Changes settings of the org. */
export const settings = (change) => admin('POST', 'settings', change);

/** Moves the org's clock on. */
export const advance = (seconds) => admin('POST', 'clock', { advance: seconds });

/** The org's time. */
export const now = async () => new Date((await admin('GET', 'clock')).now);

/** Asserts that a call is refused with this error code. */
export const refused = (call, code) =>
  assert.rejects(call, (error) => {
    assert.equal(error.errorCode ?? error.name, code, error.message);
    return true;
  });

/** Asserts that a save went well; gives its Id. */
export function saved(result) {
  assert.equal(result.success, true, JSON.stringify(result));
  assert.match(result.id, /^[0-9A-Za-z]{18}$/);
  return result.id;
}
