import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source as couchdb } from '../../src/adapters/sources/couchdb/index.ts';
import { source } from '../../src/adapters/sources/mariadb/index.ts';
import type { StepPorts } from '../../src/journal/step.ts';
import type { Databases, SourceTools } from '../../src/ports/source.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import type { MemoryUnit } from '../fakes/unit.ts';
import { available } from '../services/available.ts';
import { type CouchdbServer, couchdbAvailable, couchdbServer, type Json } from '../services/couchdb.ts';
import { type MariadbServer, mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { fileUnit } from './file-unit.ts';
import { journalIn } from './restore-fixture.ts';
import { redisUnit } from './server-unit.ts';

const execute = promisify(execFile);
const child = join(import.meta.dirname, 'server-exchange-crash.child.ts');
const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'holdfast-e2e-compiled') };
const never = AbortSignal.timeout(600_000);
type Killed = Error & { readonly signal: string | null; readonly stderr: string };

/** Kills a restore at each write of its journal, in turn before and after it: what is left after one and before the next
 *  differs by what is done between them alone.
 *  @param look what the next start made of it */
async function sweep(
  kind: 'mariadb' | 'redis' | 'couchdb',
  socket: string,
  look: (folder: string) => Promise<string>,
): Promise<readonly string[]> {
  const seen: string[] = [];
  for (let number = 0; ; number++) {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'exchange-')));
    try {
      const args = [child, folder, kind, socket, number % 2 === 0 ? 'before' : 'after', `${number}`];
      const ended = await execute(process.execPath, args, { env }).catch((error: Killed) => error);
      if (ended instanceof Error) expect(ended.signal, ended.stderr).toBe('SIGKILL');
      seen.push(await look(folder));
      if (!(ended instanceof Error)) return seen;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

async function repaired(folder: string, unit: MemoryUnit, ports: Partial<StepPorts> = {}): Promise<void> {
  using journal = journalIn(folder, memoryCatalog(), new Map([[unit.name, unit]]), ports);
  const repairs = await journal.repair({ force: false }, never);
  expect(journal.open(), JSON.stringify(repairs)).toEqual([]);
  expect(await unit.running(never)).toEqual([unit.name]);
}

/** Undone up to one kill and done from the next on, of which the last was none. */
function expectOnce(seen: readonly string[], before: string, after: string): void {
  expect([...new Set(seen)]).toEqual([before, after]);
  expect(seen.lastIndexOf(before)).toBe(seen.indexOf(after) - 1);
  expect(seen.length).toBeGreaterThan(5);
}

const tools: SourceTools = {
  engineEnvironment: {},
  secret: () => Promise.reject(new Error('no password is configured')),
  container: () => Promise.reject(new Error('no container is configured')),
};

describe.runIf(couchdbAvailable())('a database of CouchDB that is restored in place', () => {
  let server: CouchdbServer;
  beforeAll(async () => {
    server = await couchdbServer();
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  test('is all as before or all restored by the next start, whichever write of the journal it is killed at', async () => {
    const settings = { couchdb: { url: server.url, database: 'wiki' } };
    const databases = couchdb('vault', settings, localHost(), tools).databases as Databases;
    /** The text of each leaf, and which of the two states the documents and the readers are those of. */
    const look = async (name: string): Promise<string> => {
      const leaves: Json = await server.ask('GET', `/${name}/note?open_revs=all`);
      const [other] = (await server.ask('GET', `/${name}/_all_docs`)).rows.filter(({ id }: Json) => id !== 'note');
      const { members } = await server.ask('GET', `/${name}/_security`);
      return `${leaves.map(({ ok }: Json) => ok.text).join(' ')} ${other.id} ${members.names.join()}`;
    };
    const seen = await sweep('couchdb', server.url, async (folder) => {
      await repaired(folder, fileUnit(folder), { databases: async () => databases });
      const names: readonly string[] = (await server.ask('GET', '/_all_dbs')).filter((name: string) => name !== 'wiki');
      for (const name of names) {
        expect(await look(name)).toBe('now now only-now ');
        await databases.discard(name, never);
      }
      return `${await look('wiki')}, ${names.length} kept`;
    });
    expectOnce(seen, 'now now only-now now, 0 kept', 'then then only-then then, 1 kept');
  }, 240_000);
});

describe.runIf(mariadbAvailable())('a database of MariaDB that is restored in place', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await mariadbServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  test('is all as before or all restored by the next start, whichever write of the journal it is killed at', async () => {
    const settings = { mariadb: { socket: server.socket, database: 'wiki' } };
    const databases = source('maria', settings, localHost(), tools).databases as Databases;
    const seen = await sweep('mariadb', server.socket, async (folder) => {
      await repaired(folder, fileUnit(folder), { databases: async () => databases });
      const code = `select count(*) from information_schema.events where event_schema = 'wiki'; insert into notes values ('x'); select w from log order by w`;
      const lines = await server.sql('wiki', `select text from newest; delete from log; ${code}`);
      const names = (await server.sql(null, 'show databases'))
        .split('\n')
        .filter((name) => /^wiki_|holdfast/.test(name));
      for (const name of names) {
        expect(await server.sql(name, 'select text from newest')).toBe('now');
        await server.sql(null, `drop database \`${name}\``);
      }
      return `${lines.replaceAll('\n', ' ')}, ${names.length} kept`;
    });
    expectOnce(seen, 'now 1 now, 0 kept', 'then 1 then, 1 kept');
  }, 240_000);
});

describe.runIf(['redis-server', 'redis-cli', 'redis-check-rdb'].every(available))(
  'a Redis that is restored in place',
  () => {
    test('is all as before or all restored by the next start, and runs, whichever write of the journal it is killed at', async () => {
      const seen = await sweep('redis', '-', async (folder) => {
        const unit = redisUnit(folder);
        try {
          await repaired(folder, unit);
          const { stdout } = await execute('redis-cli', ['-s', unit.socket, 'get', 'text']);
          const kept = readdirSync(join(folder, 'redis')).filter((name) => /recovery-backup|holdfast/.test(name));
          return `${stdout.trim()}, ${kept.length} kept`;
        } finally {
          await unit.stop(never);
        }
      });
      expectOnce(seen, 'now, 0 kept', 'then, 1 kept');
    }, 240_000);
  },
);
