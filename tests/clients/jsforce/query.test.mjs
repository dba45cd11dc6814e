// Queries of many pages, deleted rows, and what changed in a span of time.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { admin, advance, connect, now, refused, saved } from './org.mjs';

const conn = connect();
const soql = "SELECT Id, LastName FROM Contact WHERE LastName LIKE 'Page%'";
const small = { headers: { 'Sforce-Query-Options': 'batchSize=200' } };

before(async () => {
  const rows = Array.from({ length: 450 }, (_, n) => ({ LastName: `Page ${n}` }));
  (await conn.sobject('Contact').create(rows, { allowRecursive: true })).forEach(saved);
});

test('queryMore goes on where a page ends', async () => {
  let page = await conn.query(soql, small);
  assert.equal(page.totalSize, 450);
  assert.equal(page.done, false);
  const seen = page.records.map((r) => r.Id);
  while (!page.done) {
    page = await conn.queryMore(page.nextRecordsUrl);
    seen.push(...page.records.map((r) => r.Id));
  }
  assert.equal(new Set(seen).size, 450);
});

test('autoFetch reads all pages', async () => {
  const { records } = await conn.query(soql, { autoFetch: true, maxFetch: 1000, ...small });
  assert.equal(new Set(records.map((r) => r.LastName)).size, 450);
});

test('a stream of records reads all pages', async () => {
  let count = 0;
  await new Promise((resolve, reject) => {
    const query = conn.query(soql, small);
    query.on('record', () => (count += 1)).on('end', resolve).on('error', reject);
    query.run({ autoFetch: true, maxFetch: 1000 });
  });
  assert.equal(count, 450);
});

test('a locator that is over is refused', async () => {
  const page = await conn.query(soql, small);
  await admin('POST', 'locators/expire');
  await refused(conn.queryMore(page.nextRecordsUrl), 'INVALID_QUERY_LOCATOR');
});

test('find, count and children', async () => {
  const contacts = conn.sobject('Contact');
  assert.equal(await contacts.count({ LastName: { $like: 'Page%' } }), 450);
  const found = await contacts.find({ LastName: 'Page 7' }, ['Id', 'LastName']).limit(1);
  assert.equal(found[0].LastName, 'Page 7');
  const parents = await conn
    .sobject('Account')
    .select('Id, Name')
    .include('Contacts').select('Id').limit(2).end()
    .limit(5);
  assert.equal(parents.length, 5);
  assert.ok(parents.some((a) => a.Contacts?.records.length > 0));
});

test('deleted rows are seen by scanAll alone', async () => {
  const id = saved(await conn.sobject('Lead').create({ LastName: 'Gone', Company: 'Salt' }));
  saved(await conn.sobject('Lead').destroy(id));
  const text = `SELECT Id, IsDeleted FROM Lead WHERE Id = '${id}'`;
  assert.equal((await conn.query(text)).totalSize, 0);
  const { records } = await conn.query(text, { scanAll: true });
  assert.deepEqual(records.map((r) => r.IsDeleted), [true]);
});

test('updated and deleted name what changed in a span', async () => {
  await advance(180);
  const start = await now();
  await advance(180);
  const kept = saved(await conn.sobject('Campaign').create({ Name: 'Kept' }));
  const gone = saved(await conn.sobject('Campaign').create({ Name: 'Gone' }));
  saved(await conn.sobject('Campaign').destroy(gone));
  await advance(180);
  const end = await now();
  const updated = await conn.sobject('Campaign').updated(start, end);
  assert.deepEqual(updated.ids, [kept]);
  assert.ok(Date.parse(updated.latestDateCovered) > start);
  const deleted = await conn.sobject('Campaign').deleted(start.toISOString(), end.toISOString());
  assert.deepEqual(deleted.deletedRecords.map((r) => r.id), [gone]);
  assert.ok(Date.parse(deleted.deletedRecords[0].deletedDate) > start);
  await refused(conn.sobject('Campaign').updated(end, start), 'INVALID_REPLICATION_DATE');
});
