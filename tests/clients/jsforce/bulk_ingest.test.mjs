// Bulk API 2.0, writing.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, refused, saved } from './org.mjs';

const conn = connect();
conn.bulk2.pollInterval = 1;
const load = (operation, input, more = {}) =>
  conn.bulk2.loadAndWaitForResults({ object: 'Account', operation, input, pollInterval: 1, ...more });
const byName = async (pattern) =>
  (await conn.query(`SELECT Id, Name, Phone FROM Account WHERE Name LIKE '${pattern}' ORDER BY Name`)).records;

test('rows live by jobs alone: insert, update, delete, hard delete refused', async () => {
  const names = ['In "0", quoted', 'In 1', 'In 2 🧂'];
  const made = await load('insert', names.map((Name) => ({ Name, Phone: '1' })));
  assert.deepEqual([made.failedResults, made.unprocessedRecords], [[], []]);
  assert.deepEqual(made.successfulResults.map((r) => [r.Name, r.sf__Created]).sort(), names.map((n) => [n, 'true']));
  const rows = await byName('In %');
  assert.deepEqual(rows.map((r) => r.Name).sort(), names);
  assert.deepEqual(made.successfulResults.map((r) => r.sf__Id).sort(), rows.map((r) => r.Id).sort());

  const changed = await load('update', rows.map((r, n) => ({ Id: r.Id, Phone: n === 0 ? null : '2' })));
  assert.equal(changed.successfulResults.length, 3);
  assert.deepEqual((await byName('In %')).map((r) => r.Phone), [null, '2', '2']);

  const gone = await load('delete', rows.map((r) => ({ Id: r.Id })));
  assert.equal(gone.successfulResults.length, 3);
  assert.deepEqual(await byName('In %'), []);
  await refused(load('hardDelete', rows.map((r) => ({ Id: r.Id }))), 'FEATURENOTENABLED');
});

test('an upsert makes what is not there', async () => {
  saved(await conn.sobject('Account').create({ Name: 'Old', Customer_Number__c: 'B-1' }));
  const input = ['B-1', 'B-2'].map((key) => ({ Customer_Number__c: key, Name: `Ups ${key}` }));
  const done = await load('upsert', input, { externalIdFieldName: 'Customer_Number__c' });
  const created = done.successfulResults.map((r) => [r.Customer_Number__c, r.sf__Created]).sort();
  assert.deepEqual(created, [['B-1', 'false'], ['B-2', 'true']]);
  assert.deepEqual((await byName('Ups %')).map((r) => r.Name), ['Ups B-1', 'Ups B-2']);
});

test('each row fails by itself, and says why', async () => {
  const done = await load('insert', 'Name,Customer_Number__c\nHalf good,H-1\n,H-2\nHalf bad,123456789012345678901\n');
  assert.deepEqual(done.successfulResults.map((r) => r.Name), ['Half good']);
  const errors = done.failedResults.map((r) => [r.Customer_Number__c, r.sf__Error.split(':')[0]]).sort();
  assert.deepEqual(errors, [['123456789012345678901', 'STRING_TOO_LONG'], ['H-2', 'REQUIRED_FIELD_MISSING']]);
});

test('a file is streamed up', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'clients-'));
  const file = join(dir, 'rows.csv');
  await writeFile(file, `Name\n${Array.from({ length: 500 }, (_, n) => `Stream ${n}\n`).join('')}`);
  const done = await load('insert', createReadStream(file));
  assert.equal(done.successfulResults.length, 500);
  await rm(dir, { recursive: true });
});

test('a job by hand: open, upload, close, poll', async () => {
  const job = conn.bulk2.createJob({ object: 'Account', operation: 'insert' });
  assert.equal((await job.open()).state, 'Open');
  await job.uploadData('Name\nBy hand\n');
  await job.close();
  await job.poll(1, 60_000);
  const { state, numberRecordsProcessed, numberRecordsFailed } = job.getInfo();
  assert.deepEqual([state, numberRecordsProcessed, numberRecordsFailed], ['JobComplete', 1, 0]);
  await job.delete();
  await refused(job.check(), 'NOT_FOUND');
});

test('an upload with a flaw fails the job', async () => {
  await assert.rejects(load('insert', 'Nothing__c\nx\n'), /InvalidBatch : Field name not found : Nothing__c/);
});

test('an aborted job saves nothing', async () => {
  const job = conn.bulk2.createJob({ object: 'Account', operation: 'insert' });
  await job.open();
  await job.uploadData('Name\nNever\n');
  await job.abort();
  assert.equal((await job.check()).state, 'Aborted');
  await refused(job.close(), 'INVALIDJOBSTATE');
  assert.deepEqual(await byName('Never'), []);
});

test('an order that makes no sense is refused at once', async () => {
  await refused(conn.bulk2.createJob({ object: 'Nothing__c', operation: 'insert' }).open(), 'INVALIDJOB');
});
