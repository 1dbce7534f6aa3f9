// A server that speaks CouchDB's HTTP API, its data in memory: express-pouchdb, and what that has not of CouchDB 3: accounts,
// the list of local documents, and who may read a database. Prints its port. Its folder is the working folder; COUCH_LOGIN is `user:password`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import expressPouchdb from 'express-pouchdb';
import memory from 'pouchdb-adapter-memory';
import pouchdb from 'pouchdb-core';
import mapreduce from 'pouchdb-mapreduce';

const PouchDB = (pouchdb.default ?? pouchdb)
  .plugin(memory.default ?? memory)
  .plugin(mapreduce.default ?? mapreduce)
  .defaults({ adapter: 'memory' });
const app = expressPouchdb(PouchDB, { mode: 'minimumForPouchDB' });

const login = process.env.COUCH_LOGIN ?? '';
const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
/** It leaves the slash of a name out, so another character stands there that no name of CouchDB has. */
const SLASH = '!';

/** By database: the names of its local documents, and its `_security`. */
const besides = new Map<string, { readonly locals: Set<string>; security: string }>();

function answer(response: ServerResponse, status: number, content: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(content);
}

async function localDocuments(database: string, names: Iterable<string>): Promise<string> {
  const rows = [...names].map(async (id) => {
    const doc = await new PouchDB(database.replaceAll('/', SLASH)).get(id);
    return { id, key: id, value: { rev: doc._rev }, doc };
  });
  return JSON.stringify({ total_rows: null, offset: null, rows: await Promise.all(rows) });
}

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method, url = '' } = request;
  if (login !== '' && request.headers.authorization !== authorization)
    return answer(response, 401, '{"error":"unauthorized","reason":"Name or password is incorrect."}');
  const [database = '', kind = '', name = ''] = (url.split('?')[0] ?? '').slice(1).split('/').map(decodeURIComponent);
  if (method === 'DELETE' && kind === '') besides.delete(database);
  const beside = besides.get(database) ?? { locals: new Set(), security: '{}' };
  if (kind !== '') besides.set(database, beside);
  if (method === 'PUT' && kind === '_local') beside.locals.add(`_local/${name}`);
  if (kind === '_local_docs') return answer(response, 200, await localDocuments(database, beside.locals));
  if (database === '_all_dbs') {
    const names: readonly string[] = await PouchDB.allDbs();
    return answer(response, 200, JSON.stringify(names.map((each) => each.replaceAll(SLASH, '/'))));
  }
  if (kind !== '_security') {
    request.url = url.replace(/^\/[^/?]+/, (part) => part.replaceAll('%2F', SLASH));
    return app(request, response);
  }
  if (method === 'PUT') beside.security = (await request.toArray()).join('');
  answer(response, 200, method === 'PUT' ? '{"ok":true}' : beside.security);
}

const server = createServer((request, response) => void take(request, response)).listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
server.keepAliveTimeout = 600_000; // a test that waits for a program does not see a connection end
