import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { OpenScratch, Scratch, ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';
import { NOWHERE } from '../server/address.ts';
import type { Reached } from '../server/reach.ts';
import { giveFolder } from '../server/scratch-file.ts';
import { type ScratchServer, startScratchServer, tellProcess } from '../server/scratch-server.ts';
import { askServer, type Client, clientOf } from './client.ts';
import { databasesOf } from './databases.ts';
import { queryDatabase } from './query.ts';
import { lackIn, lacking } from './scratch-lack.ts';
import { type Installed, installedFor } from './scratch-programs.ts';
import { makeTablespaces } from './scratch-tablespaces.ts';

const GLOBALS = 'postgres_globals';
/** The superuser of the scratch server: no dump has a role of this name, so that each of its own can be made. */
const SUPERUSER = 'holdfast_drill';
/** Its own account where there is one: nobody else's processes can reach the folder then. */
const ACCOUNTS = ['postgres', 'nobody'] as const;
const INIT_LIMIT_MS = 120_000;
const ROLES = `select count(*) from pg_catalog.pg_roles where rolname !~ '^pg_' and rolname <> '${SUPERUSER}'`;
const TABLESPACES = `select count(*) from pg_catalog.pg_tablespace where spcname !~ '^pg_'`;

/** What is restored has to outlive nothing. No background work changes rows or runs what was restored. */
const SETTINGS = {
  listen_addresses: '',
  fsync: 'off',
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'off',
  archive_mode: 'off',
  max_connections: '20',
  max_locks_per_transaction: '1024',
  maintenance_work_mem: '128MB',
  restart_after_crash: 'off',
  logging_collector: 'off',
  unix_socket_permissions: '0700',
} as const;

/** Extensions that nothing can be restored with unless their library, of the same name, is loaded when the server starts:
 *  as their own documents say. Not those whose workers would change rows by themselves (timescaledb, pg_cron). */
const PRELOADED: ReadonlySet<string> = new Set(['pg_stat_statements', 'vchord', 'vectors']);

const extensionsOf = (items: readonly Item[]): readonly string[] => [
  ...new Set(items.flatMap(({ facts }) => Object.keys(facts.extensions ?? {}))),
];

/** A server of the installed programs, in a folder and on a socket that nobody else reaches. */
export const openScratch: OpenScratch = async (source, items, place, signal) => {
  const dumpedBy =
    items
      .map(({ tool }) => tool?.version ?? '0')
      .toSorted((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))[0] ?? '0';
  const installed = await installedFor(dumpedBy, place.host, signal);
  const account = await place.account(ACCOUNTS, signal);
  await using opened = new AsyncDisposableStack();
  const client = clientOf({ postgres: { socket: place.folder, user: SUPERUSER } }, reached(installed, account, place));
  const server = opened.use(await start({ ...installed, items }, account, client, place, signal));
  await refuseMissingExtensions(items, client, signal);
  const scratch = scratchOf(source, { installed, client, server, place, account });
  const kept = opened.move();
  return { ...scratch, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
};

/** The programs of the same version as the server. */
const reached = ({ folder }: Installed, account: ScratchAccount | null, { host, as }: ScratchPlace): Reached => ({
  host,
  password: null,
  command: (program, args, environment = {}) => as(account, { program: `${folder}/${program}`, args, environment }),
});

async function start(
  { folder: programs, version, items }: Installed & { readonly items: readonly Item[] },
  account: ScratchAccount | null,
  client: Client,
  place: ScratchPlace,
  signal: AbortSignal,
): Promise<ScratchServer> {
  const { host, folder } = place;
  const data = `${folder}/data`;
  await giveFolder(account, place, signal);
  const words = ['--username', SUPERUSER, '--auth-local=trust', '--auth-host=reject', '--no-sync'];
  const more = ['--encoding=UTF8', '--locale=C', '--pgdata', data];
  const init = { program: `${programs}/initdb`, args: [...words, ...more], workingFolder: folder };
  try {
    await host.run(place.as(account, init), { signal, limitMs: INIT_LIMIT_MS });
  } catch (cause) {
    signal.throwIfAborted();
    const said = cause instanceof HoldfastError ? cause.message : String(cause);
    throw new HoldfastError('ScratchUnusable', `No scratch server could be made: ${said}`, 'initdb', { cause });
  }
  const libraries = extensionsOf(items).filter((name) => PRELOADED.has(name));
  const own = { shared_preload_libraries: libraries.join(','), unix_socket_directories: folder };
  const given = Object.entries({ ...SETTINGS, ...own });
  const args = ['-D', data, ...given.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
  return await startScratchServer(
    {
      name: `PostgreSQL ${version}`,
      command: place.server(account, { program: `${programs}/postgres`, args, workingFolder: folder }),
      answers: async () => (await client.lines('postgres', 'select 1', signal))[0] === '1',
      async stop() {
        // Immediate shutdown: no checkpoint of what is thrown away (postgres(1), "Shutdown").
        const [pid] = (await readFile(`${data}/postmaster.pid`, 'utf8')).split('\n');
        await tellProcess(host, 'QUIT', pid);
      },
    },
    place,
    signal,
  );
}

/** A dump names the extensions that it needs; what makes them is the machine's. @throws ScratchUnusable */
async function refuseMissingExtensions(items: readonly Item[], client: Client, signal: AbortSignal): Promise<void> {
  const there = new Set(await askServer(client, [], 'select name from pg_catalog.pg_available_extensions', signal));
  const missing = extensionsOf(items).filter((name) => !there.has(name));
  if (missing.length > 0) throw lacking(`the extension ${missing.join(', ')}`);
}

interface Parts {
  readonly installed: Installed;
  readonly client: Client;
  readonly server: ScratchServer;
  readonly place: ScratchPlace;
  readonly account: ScratchAccount | null;
}

function scratchOf(
  source: string,
  { installed, client, server, place, account }: Parts,
): Omit<Scratch, typeof Symbol.asyncDispose> {
  const databases = databasesOf(async () => client, NOWHERE);
  /** What items became, by their names. */
  const restored = new Map<string, string>();
  const judged = async <Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw await server.reasonOf(lackIn(error) ?? error);
    }
  };
  async function fill(item: Item, bytes: () => Bytes, signal: AbortSignal): Promise<readonly string[]> {
    const own = databases.databaseOf(item.name) ?? `drill_${restored.size}`;
    // `postgres` is there in every server
    const name = (await databases.exists(own, signal)) ? `drill_${restored.size}` : own;
    const left = await databases.fill(name, bytes, signal);
    restored.set(item.name, name);
    return left;
  }
  async function apply(bytes: () => Bytes, signal: AbortSignal): Promise<readonly string[]> {
    await databases.apply(bytes, signal);
    await makeTablespaces(bytes(), { client, place, account }, signal);
    return [];
  }
  return {
    tool: { name: 'PostgreSQL', version: installed.version },
    url: () => {
      const names = [...restored.values()];
      const database = encodeURIComponent(names.length === 1 ? (names[0] ?? '') : 'postgres');
      return `postgresql://${SUPERUSER}@/${database}?host=${encodeURIComponent(place.folder)}`;
    },
    restore: (item, bytes, signal) =>
      judged(() => (item.name === GLOBALS ? apply(bytes, signal) : fill(item, bytes, signal)), signal),
    facts: (item, signal) =>
      judged(async () => {
        if (item.name !== GLOBALS) return await databases.facts(restored.get(item.name) ?? '', signal);
        const [roles = 0, tablespaces = 0] = (
          await askServer(client, [], `${ROLES} union all ${TABLESPACES}`, signal)
        ).map(Number);
        return { entries: roles + tablespaces };
      }, signal),
    query: (sql, signal) => judged(() => queryDatabase(source, [...restored.values()], sql, client, signal), signal),
  };
}
