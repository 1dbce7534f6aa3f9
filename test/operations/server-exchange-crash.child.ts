// Run by server-exchange-crash.test.ts: node server-exchange-crash.child.ts FOLDER mariadb|redis|couchdb SOCKET|URL before|after NUMBER.
// Restores a database in place and kills itself before or after one write of the journal; ends with 0 when there is no
// such write any more.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source as couchdb } from '../../src/adapters/sources/couchdb/index.ts';
import { source as mariadb } from '../../src/adapters/sources/mariadb/index.ts';
import { source as redis } from '../../src/adapters/sources/redis/index.ts';
import type { JournalEntry } from '../../src/journal/entry.ts';
import { restore } from '../../src/operations/restore.ts';
import type { SourceTools } from '../../src/ports/source.ts';
import { fileUnit } from './file-unit.ts';
import { fixture, signal } from './restore-fixture.ts';
import { redisUnit } from './server-unit.ts';

const [folder = '', kind = '', socket = '', moment = '', number = ''] = process.argv.slice(2);
let writes = 0;
/** A write and both its moments: nothing of it is stored yet, and it is durable while what it tells is not done. */
function around(when: 'before' | 'after'): void {
  if (when === moment && writes++ === Number(number)) process.kill(process.pid, 'SIGKILL');
}
const deadly = (entry: JournalEntry): JournalEntry => ({
  id: entry.id,
  async step(step, take) {
    around('before');
    await entry.step(step, async () => {
      around('after');
      await take();
    });
  },
  async forwardOnly(remaining) {
    around('before');
    await entry.forwardOnly(remaining);
    around('after');
  },
  async done() {
    around('before');
    await entry.done();
    around('after');
  },
  [Symbol.asyncDispose]: () => entry[Symbol.asyncDispose](),
});

const tools: SourceTools = {
  secret: () => Promise.reject(new Error('no password is configured')),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};
const made = await fixture(folder);
const journal = await made.context.journal();
const context = {
  ...made.context,
  journal: async () => ({
    ...journal,
    begin: async (intent: Parameters<typeof journal.begin>[0]) => deadly(await journal.begin(intent)),
  }),
};
const [isRedis, isCouchdb] = [kind === 'redis', kind === 'couchdb'];
if (isRedis) mkdirSync(join(folder, 'redis'));
const own = redisUnit(folder);
const unit = isRedis ? own : fileUnit(folder);
made.units.set(unit.name, unit);
function sourceOfKind() {
  if (isRedis) return redis('cache', { redis: { socket: own.socket } }, localHost(), tools);
  if (isCouchdb) return couchdb('vault', { couchdb: { url: socket, database: 'wiki' } }, localHost(), tools);
  return mariadb('maria', { mariadb: { socket, database: 'wiki' } }, localHost(), tools);
}
made.addSource(sourceOfKind());
const service = made.services.get('mealie');
if (service) made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });

async function fillCouchdb(text: string): Promise<void> {
  const ask = (method: string, path: string, body?: object) =>
    fetch(`${socket}/wiki${path}`, {
      ...{ method, headers: { 'Content-Type': 'application/json' } },
      body: body === undefined ? null : JSON.stringify(body),
    });
  await ask('DELETE', '');
  await ask('PUT', '');
  await ask('PUT', '/_security', { members: { names: [text], roles: [] } });
  const leaves = ['aa', 'bb'].map((rev) => ({ _id: 'note', _rev: `1-${rev}`, text }));
  await ask('POST', '/_bulk_docs', { new_edits: false, docs: [...leaves, { _id: `only-${text}`, _rev: '1-aa' }] });
}
const fill = async (text: string): Promise<void> => {
  if (isCouchdb) return await fillCouchdb(text);
  if (isRedis) return void execFileSync('redis-cli', ['-s', own.socket, 'set', 'text', text]);
  const sql = `drop database if exists wiki; create database wiki; use wiki; create table notes (text varchar(9)); create table log (w varchar(9));
    create trigger noted after insert on notes for each row insert into log values ('${text}'); insert into notes values ('${text}');
    create view newest as select max(text) as text from notes; create event later on schedule every 1 year starts '2037-01-01' do delete from log`;
  execFileSync('mariadb', ['--no-defaults', `--socket=${socket}`, '--user=root'], { input: sql });
};
await unit.start(null, signal);
await fill('then');
await made.backUp();
await fill('now');
writeFileSync(join(folder, 'unit-runs'), '');
await restore({ what: 'mealie', target: { kind: 'in-place', withoutSafety: true } }, context, signal);
