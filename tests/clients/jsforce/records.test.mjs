// Describes, single records, collections and the texts of refusals.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { admin, connect, org, refused, saved, settings } from './org.mjs';

const conn = connect();

test('the org describes itself', async () => {
  const all = await conn.describeGlobal();
  const account = all.sobjects.find((o) => o.name === 'Account');
  assert.equal(account.keyPrefix, '001');
  assert.equal(account.queryable, true);
  const one = await conn.sobject('Account').describe();
  assert.equal(one.name, 'Account');
  const number = one.fields.find((f) => f.name === 'Customer_Number__c');
  assert.deepEqual([number.externalId, number.unique, number.type], [true, true, 'string']);
  await refused(conn.describe('Nothing__c'), 'NOT_FOUND');
});

test('a describe is read once where jsforce may cache it', async () => {
  await admin('DELETE', 'log');
  const first = await conn.describe$('Contact');
  assert.deepEqual(await conn.describe$('Contact'), first);
  const asked = JSON.stringify(await admin('GET', 'log')).match(/sobjects\/Contact\/describe/g);
  assert.equal(asked.length, 1);
});

test('a record lives: create, read, update, delete', async () => {
  const accounts = conn.sobject('Account');
  const id = saved(await accounts.create({ Name: 'Søby "Salt" 🧂', AnnualRevenue: 15 }));
  const read = await accounts.retrieve(id);
  assert.deepEqual([read.attributes.type, read.Name, read.AnnualRevenue], ['Account', 'Søby "Salt" 🧂', 15]);
  saved(await accounts.update({ Id: id, Name: 'Other', AnnualRevenue: null }));
  const few = await accounts.retrieve(id, { fields: ['Name', 'AnnualRevenue'] });
  assert.deepEqual([few.Name, few.AnnualRevenue], ['Other', null]);
  saved(await accounts.record(id).update({ Name: 'Third' }));
  saved(await accounts.destroy(id));
  await refused(accounts.destroy(id), 'ENTITY_IS_DELETED');
  await refused(accounts.retrieve(id), 'ENTITY_IS_DELETED');
});

test('an upsert tells by an external id whether it made a record', async () => {
  const accounts = conn.sobject('Account');
  const made = await accounts.upsert({ Name: 'Up', Customer_Number__c: 'J 1 ä' }, 'Customer_Number__c');
  assert.equal(made.created, true);
  const again = await accounts.upsert({ Name: 'Up 2', Customer_Number__c: 'J 1 ä' }, 'Customer_Number__c');
  assert.deepEqual([again.created, again.id], [false, saved(made)]);
  assert.equal((await accounts.retrieve(made.id)).Name, 'Up 2');
});

test('collections: two hundred records a call, each with its own result', async () => {
  const contacts = conn.sobject('Contact');
  const names = Array.from({ length: 450 }, (_, n) => ({ LastName: `J${n}` }));
  const ids = (await contacts.create(names, { allowRecursive: true })).map(saved);
  assert.equal(new Set(ids).size, 450);
  const read = await contacts.retrieve(ids.slice(0, 3), { fields: ['LastName'] });
  assert.deepEqual(read.map((r) => r.LastName), ['J0', 'J1', 'J2']);
  const [good, bad] = await contacts.update([{ Id: ids[0], LastName: 'A' }, { Id: ids[1], LastName: null }]);
  saved(good);
  assert.equal(bad.success, false);
  assert.equal(bad.errors[0].statusCode, 'REQUIRED_FIELD_MISSING');
  const undone = await contacts.update(
    [{ Id: ids[0], LastName: 'B' }, { Id: ids[1], LastName: null }],
    { allOrNone: true },
  );
  assert.deepEqual(
    undone.map((r) => r.errors[0].statusCode),
    ['ALL_OR_NONE_OPERATION_ROLLED_BACK', 'REQUIRED_FIELD_MISSING'],
  );
  const gone = await contacts.destroy(ids, { allowRecursive: true });
  assert.equal(gone.filter((r) => r.success).length, 450);
});

test('an upsert of many tells each apart', async () => {
  const accounts = conn.sobject('Account');
  const rows = ['M-1', 'M-2'].map((key) => ({ Name: key, Customer_Number__c: key }));
  const first = await accounts.upsert(rows.slice(0, 1), 'Customer_Number__c');
  assert.equal(first[0].created, true);
  const both = await accounts.upsert(rows, 'Customer_Number__c');
  assert.deepEqual(both.map((r) => r.created), [false, true]);
  assert.equal(both[0].id, first[0].id);
});

test('an own object by its relationships', async () => {
  const mine = saved(await conn.sobject('Mine__c').create({ Name: 'Deep' }));
  const shipment = saved(
    await conn.sobject('Shipment__c').create({ Mine__c: mine, Waybill__c: 'W-J', Tons__c: 1.125 }),
  );
  const { records } = await conn.query(
    `SELECT Tons__c, Mine__r.Name FROM Shipment__c WHERE Id = '${shipment}'`,
  );
  assert.deepEqual([records[0].Tons__c, records[0].Mine__r.Name], [1.125, 'Deep']);
});

test('a refusal bears the code of the API', async () => {
  await refused(conn.sobject('Account').create({}), 'REQUIRED_FIELD_MISSING');
  await refused(conn.sobject('Account').create({ Name: 'x', Nothing__c: 1 }), 'INVALID_FIELD');
  await refused(conn.sobject('Account').create({ Name: 'x', NumberOfEmployees: 'many' }), 'JSON_PARSER_ERROR');
  await refused(conn.sobject('Account').create({ Name: 'x', Customer_Number__c: 'x'.repeat(21) }), 'STRING_TOO_LONG');
  await refused(conn.sobject('Account').retrieve('001000000000000AAA'), 'NOT_FOUND');
  await refused(conn.sobject('Account').update({ Id: 'nonsense', Name: 'x' }), 'NOT_FOUND');
  await refused(conn.query('SELECT Nothing FROM Account'), 'INVALID_FIELD');
  await refused(conn.query('SELECT FROM'), 'MALFORMED_QUERY');
  await refused(conn.query('SELECT Id FROM Nothing__c'), 'INVALID_TYPE');
  await refused(conn.request('/nothing'), 'NOT_FOUND');
});

test('a key that is taken is refused', async () => {
  const taken = { Name: 'Dup', Customer_Number__c: 'DUP' };
  saved(await conn.sobject('Account').create(taken));
  await refused(conn.sobject('Account').create(taken), 'DUPLICATE_VALUE');
});

test('limits and usage are told', async () => {
  const limits = await conn.limits();
  assert.ok(limits.DailyApiRequests.Remaining < limits.DailyApiRequests.Max);
  assert.equal(conn.limitInfo.apiUsage.limit, limits.DailyApiRequests.Max);
  const recent = await conn.sobject('Account').recent();
  assert.ok(Array.isArray(recent));
});

test('a busy org is asked again', async () => {
  const fault = { error: { status: 503, code: 'SERVER_UNAVAILABLE', message: 'busy' } };
  await admin('POST', 'faults', { contains: '/limits', times: 2, fault });
  assert.ok((await conn.limits()).DailyApiRequests);
});

test('the daily allowance can be used up', async () => {
  const { daily_requests: before } = await admin('GET', 'settings');
  await settings({ daily_requests: 1 });
  await refused(conn.limits(), 'REQUEST_LIMIT_EXCEEDED');
  await settings({ daily_requests: before });
  assert.equal((await conn.query(`SELECT Id FROM User WHERE Id = '${org.user_id}'`)).totalSize, 1);
});
