// The partner interface: what REST does not have.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, connect, now, org, saved } from './org.mjs';

const conn = connect();
const bin = async (id) => {
  const { rows } = await admin('GET', `truth/${id.startsWith('001') ? 'Account' : 'Contact'}?limit=2000`);
  return rows.find((r) => r.record.Id === id)?.bin;
};

test('undelete brings rows back out of the bin', async () => {
  const ids = [];
  for (const Name of ['A', 'B']) ids.push(saved(await conn.sobject('Account').create({ Name })));
  for (const id of ids) saved(await conn.sobject('Account').destroy(id));
  const results = await conn.soap.undelete(ids);
  assert.deepEqual(results.map((r) => [r.id, r.success]), ids.map((id) => [id, true]));
  assert.equal((await conn.sobject('Account').retrieve(ids[1])).Name, 'B');
  const [again] = await conn.soap.undelete([ids[0]]);
  assert.equal(again.success, false);
  assert.equal(again.errors[0].statusCode, 'UNDELETE_FAILED');
});

test('an emptied bin gives nothing back', async () => {
  const id = saved(await conn.sobject('Account').create({ Name: 'Last' }));
  saved(await conn.sobject('Account').destroy(id));
  assert.equal(await bin(id), 'in_bin');
  const [emptied] = await conn.soap.emptyRecycleBin([id]);
  assert.deepEqual([emptied.id, emptied.success], [id, true]);
  assert.equal(await bin(id), 'purged');
  assert.equal((await conn.soap.undelete([id]))[0].success, false);
});

test('records by SOAP', async () => {
  const [made] = await conn.soap.create([{ type: 'Account', Name: 'Soap & <Salt>', Phone: '1' }]);
  const id = saved(made);
  const [changed] = await conn.soap.update([{ type: 'Account', Id: id, Phone: null }]);
  assert.equal(saved(changed), id);
  const read = await conn.sobject('Account').retrieve(id);
  assert.deepEqual([read.Name, read.Phone], ['Soap & <Salt>', null]);
  const key = { type: 'Account', Customer_Number__c: 'SOAP', Name: 'Key' };
  const [first] = await conn.soap.upsert('Customer_Number__c', [key]);
  const [second] = await conn.soap.upsert('Customer_Number__c', [key]);
  assert.deepEqual([first.created, second.created, second.id], [true, false, first.id]);
  const [refused] = await conn.soap.create([{ type: 'Account' }]);
  assert.equal(refused.success, false);
  assert.equal(refused.errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  const [gone] = await conn.soap.delete([id]);
  assert.deepEqual([gone.id, gone.success], [id, true]);
});

test('the time and the user', async () => {
  const { timestamp } = await conn.soap.getServerTimestamp();
  assert.ok(Math.abs(Date.parse(timestamp) - (await now())) < 60_000);
  const user = await conn.soap.getUserInfo();
  assert.deepEqual([user.userId, user.userName, user.organizationId], [org.user_id, org.username, org.org_id]);
});

test('a dead session is a fault that a refresh mends', async () => {
  await assert.rejects(connect({ accessToken: 'dead' }).soap.getServerTimestamp(), /INVALID_SESSION_ID/);
  const mended = connect({ accessToken: 'dead', refreshFn: (_, done) => done(null, org.access_token) });
  assert.ok((await mended.soap.getServerTimestamp()).timestamp);
});
