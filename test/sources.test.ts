import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { byKey, SOURCES } from '../src/adapters/registry.ts';
import * as files from '../src/adapters/sources/files/index.ts';
import * as sqlite from '../src/adapters/sources/sqlite/index.ts';
import type { SourceTools } from '../src/ports/source.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { changing, listing, output, temporaryFolder, told } from './sources/support.ts';

async function filesFixture(): Promise<SourceFixture> {
  const folder = await temporaryFolder();
  const root = join(folder.path, 'data');
  await mkdir(join(root, 'some/where'), { recursive: true });
  await mkdir(join(root, 'empty'));
  await writeFile(join(root, 'text'), 'words\n');
  await writeFile(join(root, 'some/where/large'), Buffer.alloc(3 * 1024 ** 2, 7));
  execFileSync('ln', ['--', join(root, 'text'), join(root, 'some/again')]);
  execFileSync('ln', ['-s', 'text', join(root, 'link')]);
  const host = localHost();
  const settings = { files: [root] };
  const failing = changing(host, (command) =>
    command.program === 'tar' && command.args.includes('--create')
      ? { ...command, program: 'sh', args: ['-c', 'tar "$@"; exit 3', 'tar', ...command.args] }
      : command,
  );
  const lines = async (...args: readonly string[]): Promise<number> =>
    (await output('find', root, ...args, '-printf', 'x')).length;
  return {
    source: files.source('data', settings, host),
    failing: files.source('data', settings, failing),
    format: files.format,
    look: () => listing(folder.path),
    counted: async () => ({
      files: await lines('-type', 'f'),
      directories: await lines('-type', 'd'),
      links: await lines('-type', 'l'),
      others: await lines('-not', '-type', 'f', '-not', '-type', 'd', '-not', '-type', 'l'),
      bytes: 3 * 1024 ** 2 + 6,
    }),
    destroy: () => rm(root, { recursive: true }),
    async unpack(stored, to) {
      await mkdir(join(to, 'unpacked'));
      await output('tar', '-xf', stored, '-C', join(to, 'unpacked'));
      return join(to, 'unpacked');
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

async function sqliteFixture(): Promise<SourceFixture> {
  const folder = await temporaryFolder();
  const path = join(folder.path, 'notes.db');
  const damaged = join(folder.path, 'damaged.db');
  for (const made of [path, damaged]) {
    const database = new DatabaseSync(made);
    database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); CREATE INDEX i ON t (x)');
    database.exec(
      'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 500) INSERT INTO t SELECT n FROM c',
    );
    database.close();
  }
  execFileSync('dd', ['if=/dev/zero', `of=${damaged}`, 'bs=4096', 'seek=2', 'count=1', 'conv=notrunc', 'status=none']);
  const host = localHost();
  return {
    source: sqlite.source('notes', { sqlite: path }, host),
    failing: sqlite.source('notes', { sqlite: damaged }, host),
    format: sqlite.format,
    look: () => listing(folder.path),
    counted: async () => ({
      tables: { 'main.t': Number(await told('sqlite3', `file:${path}?immutable=1`, 'SELECT count(*) FROM t')) },
    }),
    destroy: () => rm(path),
    unpack: async (stored) => stored,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

sourceContract('files', filesFixture);
sourceContract('sqlite', sqliteFixture);

const NO_TOOLS: SourceTools = {
  secret: () => Promise.reject(new Error('no secret is configured')),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};

/** The smallest settings of each kind, whose only item is `<kind>_name`; of a server that is dumped whole
 *  those of {@link WHOLE}. */
const SMALLEST: Readonly<Record<string, unknown>> = {
  files: { files: ['/a'] },
  sqlite: { sqlite: '/a' },
  postgres: { postgres: { database: 'name' } },
  mariadb: { mariadb: { database: 'name' } },
  ldap: { ldap: { suffix: 'dc=home' } },
  redis: { redis: {} },
  volume: { volume: 'a' },
  couchdb: { couchdb: { url: 'http://127.0.0.1:5984', database: 'name' } },
};

const WHOLE: Readonly<Record<string, readonly string[]>> = { ldap: ['ldap', 'ldap_config'], redis: ['redis'] };

test('every kind of source that is listed can be loaded and says its own kind', async () => {
  for (const [kind, row] of SOURCES) {
    const { format, source } = await row.load();
    expect(format.kind).toBe(kind);
    const made = source('name', SMALLEST[kind], localHost(), NO_TOOLS);
    expect(made).toMatchObject({ kind, name: 'name', itemNames: WHOLE[kind] ?? [`${kind}_name`] });
    expect(() => source('name', { unknown: true }, localHost(), NO_TOOLS)).toThrow();
  }
});

test('two adapters of one kind are refused at the start', () => {
  expect(() => byKey('kind', [{ kind: 'files' }, { kind: 'files' }])).toThrow('registered as kind files');
});
