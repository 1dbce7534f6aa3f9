import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryCatalog } from '../fakes/catalog.ts';
import { available } from '../services/available.ts';
import { bundled } from '../services/bundled.ts';
import { MEMORY } from '../services/memory.ts';
import { type PostgresServer, postgresAvailable, postgresServer, postgresSource } from '../services/postgres.ts';
import { fileUnit } from './file-unit.ts';
import { journalIn } from './restore-fixture.ts';

const execute = promisify(execFile);
const child = bundled(new URL('service-exchange-crash.child.ts', import.meta.url));
type Killed = Error & { readonly signal: string | null; readonly stderr: string };

describe.runIf(postgresAvailable() && available('sqlite3'))('a service that is restored in place as one', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await postgresServer();
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  }, 60_000);

  /** What the next start makes of it: of which moment the folder, the file and the database are, and what is kept. */
  async function afterRepair(folder: string, database: string): Promise<string> {
    const unit = fileUnit(folder);
    const { databases } = postgresSource(server.socket, [database]);
    if (databases === null) throw new TypeError('PostgreSQL has databases.');
    using journal = journalIn(folder, memoryCatalog(), new Map([[unit.name, unit]]), {
      databases: async () => databases,
    });
    const repairs = await journal.repair({ force: false }, AbortSignal.timeout(60_000));
    expect(journal.open(), JSON.stringify(repairs)).toEqual([]);
    expect(existsSync(join(folder, 'unit-runs'))).toBe(true);
    const query = 'select text from notes';
    const of = new Set([
      readFileSync(join(folder, 'data', 'file'), 'utf8'),
      execFileSync('sqlite3', [join(folder, 'notes.db'), query], { encoding: 'utf8' }).trim(),
      await server.sql(database, query),
    ]);
    const list = `select datname from pg_database where datname like '${database}\\_%'`;
    const names = (await server.sql('postgres', list)).split('\n').filter((name) => name !== '');
    const beside = readdirSync(folder).filter((name) => /recovery-backup|holdfast/.test(name));
    for (const name of names) {
      expect(await server.sql(name, query)).toBe('now');
      await server.tool('dropdb', name);
    }
    return `${[...of].join(' and ')}, ${beside.length} paths and ${names.length} databases kept`;
  }

  test('is all as before or all restored by the next start, whichever of its changes it is killed at', async () => {
    const seen = new Set<string>();
    const database = 'wiki';
    await server.tool('createdb', database);
    for (let number = 0; ; number++) {
      const folder = realpathSync(mkdtempSync(join(MEMORY, 'exchange-')));
      try {
        // What is left after a change, and before the next one, differs by a recorded step alone.
        const args = [child, folder, server.socket, database, number % 2 === 0 ? 'before' : 'after', `${number}`];
        const ended = await execute(process.execPath, args).catch((error: Killed) => error);
        if (!(ended instanceof Error)) break;
        expect(ended.signal, ended.stderr).toBe('SIGKILL');
        seen.add(await afterRepair(folder, database));
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
    expect([...seen].toSorted()).toEqual(['now, 0 paths and 0 databases kept', 'then, 2 paths and 1 databases kept']);
    const staged = "select count(*) from pg_database where datname like 'holdfast%'";
    expect(await server.sql('postgres', staged)).toBe('0');
  }, 300_000);
});
