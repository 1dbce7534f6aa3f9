import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import type { OpenScratch, Scratch, ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';
import { NOWHERE } from '../server/address.ts';
import type { Reached } from '../server/reach.ts';
import { giveFolder } from '../server/scratch-file.ts';
import { folderWith, notInstalled } from '../server/scratch-programs.ts';
import { type ScratchServer, startScratchServer, tellProcess } from '../server/scratch-server.ts';
import { type Client, clientOf } from './client.ts';
import { databasesOf } from './databases.ts';
import { queryDatabase } from './query.ts';
import { inOwnFolder } from './scratch-folders.ts';

const ACCOUNTS = ['mysql', 'nobody'] as const;
const PROGRAMS = ['mariadbd', 'mariadb', 'mariadb-install-db'] as const;
const INIT_LIMIT_MS = 180_000;

/** What is restored has to outlive nothing. No event runs, and no file of the machine is read or written by a statement. */
const SETTINGS = [
  ...[
    '--skip-networking',
    '--skip-log-bin',
    '--event-scheduler=OFF',
    '--local-infile=0',
    '--sql-mode=NO_DIR_IN_CREATE',
    '--skip-slave-start',
  ],
  ...['--innodb-flush-log-at-trx-commit=0', '--innodb-flush-method=nosync', '--innodb-doublewrite=0', '--sync-frm=0'],
  ...['--innodb-buffer-pool-size=128M', '--max-allowed-packet=1G', '--innodb-buffer-pool-dump-at-shutdown=0'],
] as const;

/** A server of the installed programs, in a folder and on a socket that nobody else reaches. */
export const openScratch: OpenScratch = async (source, items, place, signal) => {
  const programs = await programsOf(place, signal);
  const version = await place.host.version(programs.mariadbd, signal);
  const account = await place.account(ACCOUNTS, signal);
  await using opened = new AsyncDisposableStack();
  await makeData(programs, account, place, signal);
  const reached: Reached = {
    host: place.host,
    password: null,
    command: (program, args, environment = {}) => place.as(account, { program, args, environment }),
  };
  const settings = { mariadb: { socket: `${place.folder}/s`, user: 'root', databases: 'all' as const } };
  const client = await clientOf(settings, reached, signal);
  const server = opened.use(await start(programs.mariadbd, version, account, client, place, signal));
  const scratch = scratchOf(source, { version, client, server, items, folder: place.folder });
  const kept = opened.move();
  return { ...scratch, [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose]() };
};

type Programs = Readonly<Record<(typeof PROGRAMS)[number], string>>;

async function programsOf({ host }: ScratchPlace, signal: AbortSignal): Promise<Programs> {
  const found = await Promise.all(
    PROGRAMS.map(async (name) => {
      const folder = await folderWith([name], [], host, signal);
      if (folder === null) throw notInstalled(`The server of MariaDB (${name})`, host);
      return [name, `${folder}/${name}`] as const;
    }),
  );
  return Object.fromEntries(found) as unknown as Programs;
}

async function makeData(
  programs: Programs,
  account: ScratchAccount | null,
  place: ScratchPlace,
  signal: AbortSignal,
): Promise<void> {
  const { folder, host, as } = place;
  await giveFolder(account, place, signal);
  await host.run(as(account, { program: 'mkdir', args: ['--', `${folder}/tmp`] }), { signal });
  const words = ['--no-defaults', `--datadir=${folder}/data`, `--tmpdir=${folder}/tmp`, '--skip-test-db'];
  const more = ['--auth-root-authentication-method=normal', '--innodb-flush-method=nosync', '--skip-name-resolve'];
  const install = { program: programs['mariadb-install-db'], args: [...words, ...more], workingFolder: folder };
  try {
    await host.run(as(account, install), { signal, limitMs: INIT_LIMIT_MS });
  } catch (cause) {
    signal.throwIfAborted();
    const said = cause instanceof HoldfastError ? cause.message : String(cause);
    throw new HoldfastError('ScratchUnusable', `No scratch server could be made: ${said}`, 'mariadb', { cause });
  }
}

function start(
  program: string,
  version: string,
  account: ScratchAccount | null,
  client: Client,
  place: ScratchPlace,
  signal: AbortSignal,
): Promise<ScratchServer> {
  const { folder } = place;
  const pidFile = `${folder}/pid`;
  const where = [`--datadir=${folder}/data`, `--tmpdir=${folder}/tmp`, `--socket=${folder}/s`, `--pid-file=${pidFile}`];
  const command = { program, args: ['--no-defaults', ...where, ...SETTINGS], workingFolder: folder };
  return startScratchServer(
    {
      name: `MariaDB ${version}`,
      command: place.server(account, command),
      answers: async () => (await client.lines('SELECT 1', signal))[0]?.[0] === '1',
      async stop() {
        // Its data are thrown away: nothing of them has to be written.
        await tellProcess(place.host, 'KILL', await readFile(pidFile, 'utf8'));
      },
    },
    place,
    signal,
  );
}

interface Parts {
  readonly version: string;
  readonly client: Client;
  readonly server: ScratchServer;
  readonly items: readonly Item[];
  readonly folder: string;
}

function scratchOf(
  source: string,
  { version, client, server, items, folder }: Parts,
): Omit<Scratch, typeof Symbol.asyncDispose> {
  const open = async (): Promise<Client> => client;
  const databases = databasesOf(source, [], open, NOWHERE);
  /** What items became, by their names. */
  const restored = new Map<string, string>();
  const dumpedBy = (items[0]?.tool?.version ?? '').split('.').map(Number);
  const judged = async <Value>(work: () => Promise<Value>, signal: AbortSignal): Promise<Value> => {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      throw await server.reasonOf(lackIn(error, version, dumpedBy) ?? error);
    }
  };
  return {
    tool: { name: 'MariaDB', version },
    url: () => {
      const [name = '', ...more] = restored.values();
      const database = more.length === 0 ? encodeURIComponent(name) : '';
      return `mysql://root@localhost/${database}?socket=${encodeURIComponent(`${folder}/s`)}`;
    },
    restore: (item, bytes, signal) =>
      judged(async () => {
        const name = databases.databaseOf(item.name) ?? `drill_${restored.size}`;
        restored.set(item.name, name);
        await databases.fill(name, () => inOwnFolder(bytes()), signal); // its events are said to run, and do not: the scheduler is off
        return [];
      }, signal),
    facts: (item, signal) => judged(() => databases.facts(restored.get(item.name) ?? '', signal), signal),
    query: (sql, signal) => judged(() => queryDatabase(source, [...restored.values()], sql, open, signal), signal),
  };
}

/** What the client says when the server, and not the dump, is why it fails: another maker's, or an older one. */
function lackIn(error: unknown, version: string, dumpedBy: readonly number[]): HoldfastError | null {
  if (!(error instanceof HoldfastError) || error.code !== 'SourceFailed') return null;
  const said = error.message;
  const lacking =
    /(?:Unknown (?:collation|character set|storage engine|table engine)|Plugin '[^']*' is not loaded)[^\n]*/i.exec(
      said,
    )?.[0];
  const own = version.split('.').map(Number);
  const place = dumpedBy.slice(0, 2).findIndex((number, index) => number !== (own[index] ?? 0));
  const older = place >= 0 && (dumpedBy[place] ?? 0) > (own[place] ?? 0);
  if (lacking === undefined && !older) return null;
  const why = lacking ?? `it is older than what made the dump (${dumpedBy.join('.')}): ${said}`;
  return new HoldfastError(
    'ScratchUnusable',
    `The scratch server, MariaDB ${version}, cannot hold it: ${why}`,
    'mariadb',
    {
      cause: error,
      hint: 'Install the server that it was dumped from; the recovery point itself was not judged',
    },
  );
}
