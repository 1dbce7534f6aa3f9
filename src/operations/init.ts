import type { Findings } from '../domain/proposal.ts';
import type { Host } from '../ports/host.ts';

/** Where people put what they run themselves. */
const BASES = ['/opt', '/srv'] as const;
/** Folders there that belong to packages and hold nothing of a person's. */
const NOT_SERVICES = new Set(['containerd', 'lost+found', 'google', 'microsoft']);
/** Milliseconds for one look; a slow disk makes a shorter proposal and no endless command. */
const LOOK_LIMIT_MS = 20_000;
const MAX_DATABASES = 20;
const SQLITE_HEADER = 'SQLite format 3\0'; // https://www.sqlite.org/fileformat.html, section 1.3
/** Names of processes, as proc(5) `comm` has them, and the kind of source that dumps them. */
const SERVERS: Readonly<Record<string, string>> = {
  postgres: 'postgres',
  mariadbd: 'mariadb',
  mysqld: 'mariadb',
  'redis-server': 'redis',
  slapd: 'ldap',
};

/** What a tool printed, line by line; nothing where the tool is missing or fails, since there is then nothing to find. */
async function linesOf(host: Host, program: string, args: readonly string[], signal: AbortSignal): Promise<string[]> {
  try {
    const { stdout } = await host.run({ program, args }, { signal, limitMs: LOOK_LIMIT_MS, accept: [0, 1] });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error) return [];
    throw error;
  }
}

async function databasesIn(folder: string, host: Host, signal: AbortSignal): Promise<string[]> {
  const names = ['-name', '*.db', '-o', '-name', '*.sqlite', '-o', '-name', '*.sqlite3'];
  const args = [folder, '-xdev', '-type', 'f', '-size', '+0', '(', ...names, ')', '-print'];
  const found: string[] = [];
  for (const path of (await linesOf(host, 'find', args, signal)).slice(0, MAX_DATABASES)) {
    const [first = ''] = await linesOf(host, 'head', ['-c', '16', '--', path], signal);
    if (first === SQLITE_HEADER) found.push(path);
  }
  return found;
}

async function foldersOf(host: Host, signal: AbortSignal): Promise<Findings['folders']> {
  const folders: Findings['folders'][number][] = [];
  for (const base of BASES) {
    if ((await host.files.status(base, signal))?.type !== 'directory') continue;
    for (const name of (await host.files.list(base, signal)).toSorted()) {
      const path = `${base}/${name}`;
      if (NOT_SERVICES.has(name) || (await host.files.status(path, signal))?.type !== 'directory') continue;
      if ((await host.files.list(path, signal)).length === 0) continue;
      folders.push({ path, databases: await databasesIn(path, host, signal) });
    }
  }
  return folders;
}

/** Looks at a machine: folders of services and their SQLite databases, containers, database servers, BTRFS, units.
 *  Changes nothing; what cannot be looked at is not found. */
export async function inspectMachine(host: Host, signal: AbortSignal): Promise<Findings> {
  const containers = await linesOf(host, 'docker', ['ps', '--format', '{{.Names}}\t{{.Image}}'], signal);
  const processes = await linesOf(host, 'ps', ['-e', '-o', 'comm='], signal);
  const mounts = await linesOf(host, 'findmnt', ['-n', '-l', '-t', 'btrfs', '-o', 'TARGET'], signal);
  const units = await linesOf(
    host,
    'systemctl',
    ['list-units', '--type=service', '--all', '--plain', '--no-legend', '--no-pager'],
    signal,
  );
  return {
    folders: await foldersOf(host, signal),
    containers: containers.map((line) => line.split('\t')).map(([name = '', image = '']) => ({ name, image })),
    servers: [...new Set(processes.flatMap((name) => SERVERS[name.trim()] ?? []))],
    pools: mounts,
    units: units.flatMap((line) => line.trim().split(/\s+/)[0] ?? []),
  };
}
