// Bytes up and down: base64 in JSON, and multipart.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { connect, refused, saved } from './org.mjs';

const conn = connect();

/** The bytes of a field of a record. */
async function bytes(type, id, field) {
  const parts = [];
  for await (const part of conn.sobject(type).record(id).blob(field)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

test('a file in JSON comes back byte by byte', async () => {
  const content = randomBytes(5000);
  const id = saved(
    await conn.sobject('ContentVersion').create({
      Title: 'Salt', PathOnClient: 'salt.bin', VersionData: content.toString('base64'),
    }),
  );
  assert.deepEqual(await bytes('ContentVersion', id, 'VersionData'), content);
  const version = await conn.sobject('ContentVersion').retrieve(id);
  assert.deepEqual([version.ContentSize, version.FileExtension, version.IsLatest], [5000, 'bin', true]);
});

test('a multipart file makes the next version of its document', async () => {
  const up = (content, more) =>
    conn.sobject('ContentVersion').create(
      { PathOnClient: 'deep.bin', VersionData: content.toString('base64'), ...more },
      { multipartFileFields: { VersionData: { filename: 'deep.bin', contentType: 'application/octet-stream' } } },
    );
  const first = saved(await up(randomBytes(300_000), { Title: 'Deep' }));
  const { ContentDocumentId } = await conn.sobject('ContentVersion').retrieve(first);
  const content = randomBytes(1_000_000);
  const second = saved(await up(content, { ContentDocumentId }));
  assert.deepEqual(await bytes('ContentVersion', second, 'VersionData'), content);
  const { records } = await conn.query(
    `SELECT Id, IsLatest FROM ContentVersion WHERE ContentDocumentId = '${ContentDocumentId}' ORDER BY VersionNumber`,
  );
  assert.deepEqual(records.map((r) => [r.Id, r.IsLatest]), [[first, false], [second, true]]);
});

test('an attachment hangs on its record', async () => {
  const ParentId = saved(await conn.sobject('Account').create({ Name: 'With a letter' }));
  const body = Buffer.from('Glück auf\r\n');
  const id = saved(
    await conn.sobject('Attachment').create({ ParentId, Name: 'letter.txt', Body: body.toString('base64') }),
  );
  assert.deepEqual(await bytes('Attachment', id, 'Body'), body);
  assert.equal((await conn.sobject('Attachment').retrieve(id)).BodyLength, body.length);
  saved(await conn.sobject('Attachment').update({ Id: id, Body: Buffer.from('new').toString('base64') }));
  assert.equal(String(await bytes('Attachment', id, 'Body')), 'new');
});

test('a file without its bytes is refused', async () => {
  await refused(conn.sobject('ContentVersion').create({ Title: 'x' }), 'REQUIRED_FIELD_MISSING');
});
