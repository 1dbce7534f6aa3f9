import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source } from '../../src/adapters/sources/postgres/index.ts';
import type { Host } from '../../src/ports/host.ts';
import type { Source } from '../../src/ports/source.ts';
import { available } from './available.ts';
import { fromTemplate } from './template.ts';

const execute = promisify(execFile);
const START_LIMIT_MS = 60_000;
const VERSIONS = '/usr/lib/postgresql';

/** Where Debian keeps the programs of a server; null where there is none. */
export function postgresPrograms(): string | null {
  if (!existsSync(VERSIONS)) return null;
  const newest = readdirSync(VERSIONS)
    .filter((version) => existsSync(`${VERSIONS}/${version}/bin/postgres`))
    .toSorted((left, right) => Number(right) - Number(left))[0];
  return newest === undefined ? null : `${VERSIONS}/${newest}/bin`;
}

/** Whether a PostgreSQL server can be started here; under REQUIRE=all an error when not. */
export function postgresAvailable(): boolean {
  if (postgresPrograms() === null) {
    if (process.env.REQUIRE === 'all') throw new Error('postgresql is not installed: run dev/setup');
    return false;
  }
  if (process.geteuid?.() !== 0) {
    if (process.env.REQUIRE === 'all') throw new Error('a server of the account postgres takes root');
    return false;
  }
  return ['psql', 'pg_dump', 'pg_restore', 'setpriv'].every(available);
}

/** A PostgreSQL server of its own, which ends with its data. It lets its own account in by peer, and others by password. */
export interface PostgresServer extends AsyncDisposable {
  /** The folder of its socket. */
  readonly socket: string;
  readonly pid: number;
  /** What psql prints of SQL in a database, unaligned. @throws with its stderr */
  sql(database: string, text: string): Promise<string>;
  /** Any program of PostgreSQL as its superuser. */
  tool(program: string, ...args: readonly string[]): Promise<string>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  /** Starts it again after {@link kill}, over the same data. */
  revive(): Promise<void>;
}

const environment = (socket: string): NodeJS.ProcessEnv => ({ ...process.env, PGHOST: socket, PGUSER: 'postgres' });
const asPostgres = (...argv: readonly string[]): [string, string[]] => [
  'setpriv',
  ['--reuid=postgres', '--regid=postgres', '--init-groups', '--', ...argv],
];

/** Starts a server on a socket of a temporary folder; Debian's own cluster is not touched. */
export async function postgresServer(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const folder = await folderOfPostgres();
  await fromTemplate('postgres', folder, async (made) => {
    await execute('chown', ['postgres:postgres', made]);
    const data = join(made, 'data');
    const args = ['-D', data, '-U', 'postgres', '-A', 'peer', '--no-sync', '-E', 'UTF8', '--locale=C.UTF-8'];
    await execute(...asPostgres(programOf('initdb'), ...args), { cwd: made });
    const rules = ['local all postgres peer', 'local replication postgres peer', 'local all all scram-sha-256'];
    await writeFile(join(data, 'pg_hba.conf'), `${rules.join('\n')}\n`);
  });
  return await start(folder, settings);
}

/** A server that follows another one and only reads. */
export async function standbyOf({ tool }: PostgresServer): Promise<PostgresServer> {
  const folder = await folderOfPostgres();
  await tool('pg_basebackup', '--pgdata', join(folder, 'data'), '--write-recovery-conf', '--checkpoint=fast');
  return await start(folder, {});
}

async function folderOfPostgres(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-pg-'));
  await execute('chown', ['postgres:postgres', folder]);
  return folder;
}

function programOf(name: string): string {
  const bin = postgresPrograms();
  if (bin === null) throw new Error('postgresql is not installed');
  return join(bin, name);
}

/** Starts the server of `data` in a folder. */
async function start(folder: string, settings: Readonly<Record<string, string>>): Promise<PostgresServer> {
  const given = { fsync: 'off', listen_addresses: '', unix_socket_directories: folder, ...settings };
  const options = Object.entries(given).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const [program, words] = asPostgres(programOf('postgres'), '-D', join(folder, 'data'), ...options);
  let said = '';
  function begin(): ChildProcess {
    // A test process that is killed takes its server along.
    const child = spawn(program, ['--pdeathsig', 'INT', ...words], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-8000);
    });
    return child;
  }
  let server = begin();
  const tool: PostgresServer['tool'] = async (name, ...argv) => {
    const run = { env: environment(folder), cwd: folder, maxBuffer: 2 ** 28 };
    return (await execute(...asPostgres(name, ...argv), run)).stdout;
  };
  const sql: PostgresServer['sql'] = async (database, text) => {
    const name = `dbname='${database.replaceAll(/['\\]/g, '\\$&')}'`;
    return (await tool('psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', name, '-c', text)).trimEnd();
  };
  async function answers(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS;
    while ((await sql('postgres', 'select 1').catch(() => '')) !== '1') {
      if (server.exitCode !== null || performance.now() > deadline)
        throw new Error(`postgres does not answer: ${said}`);
      await sleep(50);
    }
  }
  await answers();
  return {
    socket: folder,
    get pid() {
      return server.pid ?? 0;
    },
    sql,
    tool,
    kill: () => ended(server, 'SIGQUIT'), // immediate shutdown: no checkpoint, its backends end too
    async revive() {
      server = begin();
      await answers();
    },
    async [Symbol.asyncDispose]() {
      await ended(server, 'SIGQUIT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The source `pg` of a server, as its superuser. */
export const postgresSource = (socket: string, databases: string[], host: Host = localHost()): Source =>
  source('pg', { postgres: { socket, runAs: 'postgres', databases } }, host, {
    secret: () => Promise.reject(new Error('no password is configured')),
    container: () => Promise.reject(new Error('no container is configured')),
    engineEnvironment: {},
  });

async function ended(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const closed = once(server, 'exit');
  server.kill(signal);
  await closed;
}
