// A server that speaks CouchDB's HTTP API, its data in memory: express-pouchdb, and what that has not of CouchDB 3: accounts,
// the list of local documents, who may read a database, its settings, and replications. Prints its port. Its folder is the
// working folder; COUCH_LOGIN is `user:password` of its admin, COUCH_MEMBER of an account that may only do what `_security` lets it.
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
const member = process.env.COUCH_MEMBER ?? '';
const basic = (words: string): string => `Basic ${Buffer.from(words).toString('base64')}`;
const nameIn = (words: string): string => words.split(':')[0] ?? '';
/** It leaves the slash of a name out, so another character stands there that no name of CouchDB has. */
const SLASH = '!';

interface Besides {
  readonly locals: Set<string>;
  security: string;
  revsLimit: string;
  /** What it was made with: `q=4&n=1`. */
  made: string;
}
/** By database: the names of its local documents, and its settings. */
const besides = new Map<string, Besides>();
/** CouchDB 3, `default_security = admin_only`. */
const NEW = '{"members":{"roles":["_admin"]},"admins":{"roles":["_admin"]}}';
/** CouchDB's answer to GET /_scheduler/jobs; a test says what is in it, by PUT. */
let jobs = '{"jobs":[]}';

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

/** What `_security` of a database lets somebody do who is no admin of the server; nothing that makes or deletes one. */
function lets(database: string, kind: string, method: string): boolean {
  if (database === '' || database === '_session') return true;
  if (database.startsWith('_') || (kind === '' && method !== 'GET') || (kind === '_security' && method !== 'GET'))
    return false;
  const { members = {} } = JSON.parse(besides.get(database)?.security ?? NEW);
  const { names = [], roles = [] } = members;
  return names.length + roles.length === 0 || names.includes(nameIn(member));
}

async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '' } = request;
  const asMember = member !== '' && request.headers.authorization === basic(member);
  if (login !== '' && !asMember && request.headers.authorization !== basic(login))
    return answer(response, 401, '{"error":"unauthorized","reason":"Name or password is incorrect."}');
  const [address = '', query = ''] = url.split('?');
  const [database = '', kind = '', name = ''] = address.slice(1).split('/').map(decodeURIComponent);
  // It would make one for each that is asked for.
  const isMade = besides.has(database) || (method === 'PUT' && kind === '') || /^_|^$/.test(database);
  if (!isMade) return answer(response, 404, '{"error":"not_found","reason":"Database does not exist."}');
  if (asMember && !lets(database, kind, method))
    return answer(response, 403, '{"error":"forbidden","reason":"You are not allowed to access this db."}');
  if (database === '_session') {
    const userCtx = asMember ? { name: nameIn(member), roles: [] } : { name: nameIn(login), roles: ['_admin'] };
    return answer(response, 200, JSON.stringify({ ok: true, userCtx }));
  }
  if (database === '_scheduler') {
    if (method === 'PUT') jobs = (await request.toArray()).join('');
    return answer(response, 200, jobs);
  }
  if (method === 'DELETE' && kind === '') besides.delete(database);
  const beside = besides.get(database) ?? { locals: new Set(), security: NEW, revsLimit: '1000', made: '' };
  if (kind === '' && method === 'PUT') besides.set(database, beside);
  if (method === 'PUT' && kind === '' && query !== '') beside.made = query;
  if (method === 'PUT' && kind === '_local') beside.locals.add(`_local/${name}`);
  if (method === 'DELETE' && kind === '_local') beside.locals.delete(`_local/${name}`);
  if (kind === '_local_docs') return answer(response, 200, await localDocuments(database, beside.locals));
  if (database === '_all_dbs') {
    const names: readonly string[] = await PouchDB.allDbs();
    return answer(response, 200, JSON.stringify(names.map((each) => each.replaceAll(SLASH, '/'))));
  }
  if (kind === '_security' || kind === '_revs_limit') {
    const key = kind === '_security' ? 'security' : 'revsLimit';
    if (method === 'PUT') beside[key] = (await request.toArray()).join('');
    return answer(response, 200, method === 'PUT' ? '{"ok":true}' : beside[key]);
  }
  if (kind === '' && method === 'GET' && !['', '_'].includes(database.slice(0, 1))) {
    const own = database.replaceAll('/', SLASH);
    const [q, n] = ['q', 'n'].map((key) => Number(new URLSearchParams(beside.made).get(key) ?? 2));
    return answer(response, 200, JSON.stringify({ ...(await new PouchDB(own).info()), cluster: { q, n } }));
  }
  request.url = url.replace(/^\/[^/?]+/, (part) => part.replaceAll('%2F', SLASH));
  app(request, response);
}

const server = createServer((request, response) => void take(request, response)).listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
server.keepAliveTimeout = 600_000; // a test that waits for a program does not see a connection end
