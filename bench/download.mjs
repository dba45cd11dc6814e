// Downloads the Bulk 2.0 results of sObjects with jsforce, unmodified: what a capture is held against.
// Key decision: as download.py does it: one job an sObject, asked about without waiting, its pages written to files as they
// come. Pages are asked for here, since jsforce's own `result()` cannot read a second one (its issue 1546).
// It neither compares nor keeps a state. Arguments: URL SESSION FOLDER SOBJECT...; prints one JSON object: seconds, rows.

import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { pipeline } from 'node:stream/promises';

const jsforce = createRequire(`${process.env.JSFORCE_HOME}/`)('jsforce');
const [url, session, folder, ...objects] = process.argv.slice(2);
const conn = new jsforce.Connection({ instanceUrl: url, accessToken: session });

/** What Bulk gives of an sObject: neither bodies nor compound fields. */
const fields = (described) =>
  described.fields.filter((f) => !['base64', 'address', 'location'].includes(f.type)).map((f) => f.name);

/** One job to its end; rows. */
async function download(name, query) {
  const { id } = await conn.requestPost('/jobs/query', { operation: 'query', query });
  const job = conn.bulk2.job('query', { id });
  await job.poll(1, 600_000);
  job.locator = undefined;
  for (let page = 0; job.locator !== 'null'; page += 1) {
    const path = `/${id}/results${job.locator ? `?locator=${job.locator}` : ''}`;
    const reply = job.createQueryRequest({ method: 'GET', path, headers: { Accept: 'text/csv' } });
    await Promise.all([reply, pipeline(reply.stream(), createWriteStream(join(folder, `${name}-${page}.csv`)))]);
  }
  return job.getInfo().numberRecordsProcessed;
}

const queries = [];
for (const name of objects) {
  queries.push([name, `SELECT ${fields(await conn.describe(name)).join(', ')} FROM ${name}`]);
}
const start = performance.now();
let rows = 0;
for (const [name, query] of queries) rows += await download(name, query);
const seconds = (performance.now() - start) / 1000;
process.stdout.write(`${JSON.stringify({ seconds, rows })}\n`, () => process.exit(0));
