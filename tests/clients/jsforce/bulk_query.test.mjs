// Bulk API 2.0, reading.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { connect, refused, saved, settings } from './org.mjs';

// Pages hold fewer rows than asked for by default; jsforce cannot read a second one (its issue 1546).
const conn = connect();
conn.bulk2.pollInterval = 1;
const soql = "SELECT Id, LastName, Description FROM Contact WHERE LastName LIKE 'Bulk%'";
const awkward = 'quoted "salt", and\na second line 🧂';

before(async () => {
  await settings({ even_pages: true });
  const rows = Array.from({ length: 350 }, (_, n) => ({ LastName: `Bulk ${n}`, Description: awkward }));
  (await conn.sobject('Contact').create(rows, { allowRecursive: true })).forEach(saved);
});

test('a query job gives every row', async () => {
  const stream = await conn.bulk2.query(soql);
  const records = await stream.toArray();
  assert.equal(new Set(records.map((r) => r.Id)).size, 350);
  assert.equal(records[7].Description, awkward);
});

test('queryAll sees deleted rows', async () => {
  const id = saved(await conn.sobject('Lead').create({ LastName: 'Bulk gone', Company: 'Salt' }));
  saved(await conn.sobject('Lead').destroy(id));
  const text = `SELECT Id, IsDeleted FROM Lead WHERE Id = '${id}'`;
  const stream = await conn.bulk2.query(text, { scanAll: true });
  assert.deepEqual(await stream.toArray(), [{ Id: id, IsDeleted: 'true' }]);
});

test('a job by hand: open, look, abort', async () => {
  const { id } = await conn.requestPost('/jobs/query', { operation: 'query', query: soql });
  const job = conn.bulk2.job('query', { id });
  assert.equal((await job.check()).state, 'UploadComplete');
  assert.equal((await job.abort()).state, 'Aborted');
  await refused(job.abort(), 'INVALIDJOBSTATE');
  await job.delete();
  await refused(job.check(), 'NOT_FOUND');
});

test('what Bulk refuses is refused at once', async () => {
  await refused(conn.bulk2.query('SELECT COUNT(Id) FROM Contact'), 'API_ERROR');
  await refused(conn.bulk2.query('SELECT Nothing FROM Contact'), 'INVALID_FIELD');
});
