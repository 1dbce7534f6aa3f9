import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { format as couchdb } from '../../src/adapters/sources/couchdb/index.ts';
import { format as mariadb } from '../../src/adapters/sources/mariadb/index.ts';
import { format as postgres } from '../../src/adapters/sources/postgres/index.ts';
import { format as redis } from '../../src/adapters/sources/redis/index.ts';
import type { ServiceDefinition } from '../../src/domain/definitions.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { Facts } from '../../src/domain/facts.ts';
import type { Item, Manifest, Root } from '../../src/domain/manifest.ts';
import { DEFAULT_OBJECTIVES } from '../../src/domain/objectives.ts';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import type { StepPorts } from '../../src/journal/step.ts';
import type { Context } from '../../src/operations/context.ts';
import type { Catalog } from '../../src/ports/catalog.ts';
import type { Host, HostFiles } from '../../src/ports/host.ts';
import type { ProgressEvent } from '../../src/ports/progress.ts';
import type {
  CapturedStream,
  CapturedTree,
  Databases,
  InPlacePath,
  ItemFormat,
  Source,
} from '../../src/ports/source.ts';
import type { Validator } from '../../src/ports/validator.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import { memoryContainers } from '../fakes/containers.ts';
import { type MemoryRepository, memoryRepository } from '../fakes/repository.ts';
import { type MemoryUnit, openFrom } from '../fakes/unit.ts';
import { portsOf } from './step-ports.ts';

/** A service in a temporary folder, a repository in memory, and the real host and journal. */
/** `unreadable`: what its items lack, in words. */
type PointOptions = Partial<Pick<Manifest, 'timestamp' | 'outcome' | 'type' | 'service'>> & {
  readonly unreadable?: string;
};

export interface Fixture extends Disposable {
  /** A folder of its own with real paths. */
  readonly folder: string;
  readonly repository: MemoryRepository;
  readonly catalog: Catalog;
  readonly context: Context;
  readonly events: ProgressEvent[];
  readonly services: Map<string, ServiceDefinition>;
  /** By the names of their references. */
  readonly units: Map<string, MemoryUnit>;
  /** What is asked for the checks that a service declares. */
  readonly checks: Validator[];
  /** The next calls of these methods of the host's files fail or do something else first. */
  readonly faults: Faults;
  addTree(source: string, roots: readonly string[], exclude?: readonly string[]): void;
  addDatabase(source: string, path: string): void;
  addSource(source: Source): void;
  /** Captures all sources of `service` as they are now. */
  backUp(options?: PointOptions): Promise<RecoveryPoint>;
}

/** Called before each call of a method with its path; what it throws, the call throws. */
type Faults = {
  before?: (method: keyof HostFiles, path: string) => void;
  after?: (method: keyof HostFiles, path: string) => void;
};

/** Ends with the file's tests, however busy the machine is. */
export const signal = AbortSignal.timeout(600_000);

export async function fixture(folder = realpathSync(mkdtempSync(join(tmpdir(), 'restore-')))): Promise<Fixture> {
  const events: ProgressEvent[] = [];
  const services = new Map<string, ServiceDefinition>([['mealie', aService()]]);
  const sources = new Map<string, Source>();
  const repository = memoryRepository({ clock: systemClock });
  await repository.initialize(signal);
  const catalog = memoryCatalog();
  const identifiers = ulids();
  const faults: Faults = {};
  const host = faultyHost(faults);
  const units: Fixture['units'] = new Map();
  const checks: Validator[] = [];
  const databases: StepPorts['databases'] = async ({ source }) => sources.get(source)?.databases as Databases;
  const journal = journalIn(folder, catalog, units, { databases });
  const context: Context = {
    ...{ clock: systemClock, identifiers, catalog, services, plans: new Map(), repositoryNames: [repository.name] },
    ...{
      origin: 'here',
      version: '0',
      machine: 'backup',
      stateFolder: folder,
      forbiddenPaths: [],
      configuration: {},
      guardedBy: [],
    },
    progress: (event) => void events.push(event),
    repository: async () => repository,
    source: async (_, { name }) => sources.get(name) as Source,
    format: async (kind) => FORMATS[kind as keyof typeof FORMATS],
    host: async () => host,
    unit: openFrom(units),
    containers: async () => memoryContainers(),
    snapshotter: async (pool) => Promise.reject(new Error(`No pool ${pool} is opened here.`)),
    snapshotPlace: async () => ({ why: 'nothing here has snapshots' }),
    settling: { settleMs: 200, steadyMs: 0, limitMs: 1000, retries: 1 },
    checks: async ({ checks: declared }) => (declared.length === 0 ? [] : checks),
    journal: async () => journal,
  };
  const define = (name: string, source: Source): void => {
    sources.set(name, source);
    const service = services.get('mealie') as ServiceDefinition;
    services.set('mealie', { ...service, sources: [...service.sources, { name, kind: source.kind, settings: {} }] });
  };
  return {
    ...{ folder, repository, catalog, context, events, services, units, checks, faults },
    addTree: (name, roots, exclude = []) => define(name, treeSource(name, roots, exclude)),
    addDatabase: (name, path) => define(name, databaseSource(name, path)),
    addSource: (source) => define(source.name, source),
    backUp: (options = {}) =>
      backUp([...sources.values()], repository, identifiers.next(systemClock.now()), folder, options),
    [Symbol.dispose]: () => {
      journal[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The journal of a fixture's folder, as the next process that starts opens it. */
export const journalIn = (
  folder: string,
  catalog: Pick<Catalog, 'recordRecovery'>,
  units: ReadonlyMap<string, MemoryUnit> = new Map(),
  ports: Partial<StepPorts> = {},
): Journal =>
  openJournal(join(folder, 'journal.db'), {
    clock: systemClock,
    identifiers: ulids(),
    owners: systemOwners(),
    ports: { ...portsOf(catalog), unit: openFrom(units), ...ports },
  });

export const aService = (): ServiceDefinition => ({
  ...{
    name: 'mealie',
    host: 'local',
    tier: 'critical',
    objectives: DEFAULT_OBJECTIVES,
    sources: [],
    units: [],
    checks: [],
  },
  stopDuring: { backup: false, restore: true },
});

function faultyHost(faults: Faults): Host {
  const host = localHost();
  const files = Object.fromEntries(
    Object.entries(host.files).map(([method, call]) => [
      method,
      async (path: string, ...rest: never[]) => {
        faults.before?.(method as keyof HostFiles, path);
        const answer = await (call as (...all: unknown[]) => Promise<unknown>)(path, ...rest);
        faults.after?.(method as keyof HostFiles, path);
        return answer;
      },
    ]),
  ) as unknown as HostFiles;
  return { ...host, files };
}

async function backUp(
  sources: readonly Source[],
  repository: MemoryRepository,
  id: string,
  workspace: string,
  { unreadable, ...options }: PointOptions,
): Promise<RecoveryPoint> {
  const timestamp = options.timestamp ?? `${systemClock.now().round('second')}`;
  const header = { id, service: 'mealie', plan: null, type: 'regular', origin: 'here', timezone: 'UTC' } as const;
  await using draft = await repository.begin(
    { ...header, ...options, timestamp: Temporal.Instant.from(timestamp) },
    0,
    signal,
  );
  const items: Item[] = [];
  for (const source of sources) {
    await using capture = await source.capture({ workspace, forbidden: [], quiescent: true }, signal);
    for (const item of capture.items) {
      const stored = await (item.type === 'tree' ? draft.putTree(item, signal) : draft.putStream(item, signal));
      items.push({
        ...{ name: item.name, source: source.name, kind: item.kind, ...stored, durationMs: 1 },
        ...{
          outcome: unreadable === undefined ? 'passed' : 'partial',
          error: unreadable ?? null,
          warnings: [],
          facts: item.completed().facts,
          tool: null,
          readAt: timestamp,
        },
        ...(item.type === 'tree' ? { exclude: [...item.exclude] } : {}),
      });
    }
  }
  const manifest: Manifest = {
    ...{ format: 1, id, service: 'mealie', plan: null, type: 'regular', host: 'local', origin: 'here', timestamp },
    ...{ completedAt: timestamp, durationMs: 1, outcome: 'passed', holdfast: '0', configuration: {} },
    ...{ counts: { succeeded: items.length, failed: 0 }, totalSize: 0, items, ...options },
  };
  return draft.commit(manifest, null, signal);
}

const bytesOf = async function* (bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
};

function treeSource(name: string, roots: readonly string[], exclude: readonly string[]): Source {
  const rows: Root[] = roots.map((path) => ({ path, stored: path.slice(1) }));
  const item: Omit<CapturedTree, 'completed'> = {
    ...{ type: 'tree', name: `files_${name}`, source: name, kind: 'files', tool: null, estimatedBytes: null },
    ...{ exclude, fingerprint: null, roots: () => rows },
    tar: () => {
      const options = ['--format=posix', '--acls', '--xattrs', '--xattrs-include=*', '--numeric-owner', '-C', '/'];
      const left = exclude.map((pattern) => `--exclude=${pattern}`);
      const args = ['-c', ...options, ...left, ...rows.map(({ stored }) => stored)];
      return bytesOf(execFileSync('tar', args, { maxBuffer: 2 ** 28 }));
    },
  };
  return {
    ...{ name, kind: 'files', capabilities: { tree: true, inPlace: true, sql: false }, itemNames: [item.name] },
    capture: async () => {
      const counted = countFolder('/', rows, exclude);
      const completed = () => ({ facts: counted, warnings: [], unreadable: [] });
      return { items: [{ ...item, completed }], [Symbol.asyncDispose]: async () => {} };
    },
    query: () => Promise.reject(new Error('it has no database')),
    snapshotRoots: async () => {
      const gone = roots.find((path) => !existsSync(path));
      if (gone !== undefined) throw new HoldfastError('SourceMissing', `${gone} does not exist.`, gone);
      return [];
    },
    holdsDatabases: async () => false,
    databases: null,
    placements: async (stored): Promise<readonly InPlacePath[]> =>
      stored.map((row) => ({ ...row, companions: [], exclusive: false })),
  };
}

function databaseSource(name: string, path: string): Source {
  return {
    ...{
      name,
      kind: 'sqlite',
      capabilities: { tree: false, inPlace: true, sql: false },
      itemNames: [`sqlite_${name}`],
    },
    capture: async () => {
      const copy = `${path}.copy`;
      rmSync(copy, { force: true });
      const database = new DatabaseSync(path);
      database.exec(`VACUUM INTO '${copy}'`);
      database.close();
      const bytes = readFileSync(copy);
      const facts = countRows(copy);
      rmSync(copy);
      const item: CapturedStream = {
        ...{ type: 'stream', name: `sqlite_${name}`, source: name, kind: 'sqlite', tool: null, estimatedBytes: null },
        ...{ file: `sqlite_${name}.db`, compressed: false, bytes: () => bytesOf(bytes) },
        completed: () => ({ facts, warnings: [], unreadable: [] }),
      };
      return { items: [item], [Symbol.asyncDispose]: async () => {} };
    },
    query: () => Promise.reject(new Error('it has no database')),
    snapshotRoots: async () => [],
    holdsDatabases: async () => false,
    databases: null,
    placements: async () => [
      { path, stored: '', companions: ['-wal', '-shm', '-journal'].map((end) => path + end), exclusive: true },
    ],
  };
}

function countRows(path: string): Facts {
  const count = execFileSync('sqlite3', ['-readonly', `file:${path}?immutable=1`, 'select count(*) from notes'], {
    encoding: 'utf8',
  });
  return { tables: { 'main.notes': Number(count) } };
}

/** Which fact counts a type of find's `%y`; others count as `others`. */
const FACT_OF_TYPE: Readonly<Record<string, 'files' | 'directories' | 'links'>> = {
  f: 'files',
  d: 'directories',
  l: 'links',
};

function countFolder(folder: string, roots: readonly Root[], exclude: readonly string[] = []): Facts {
  const left = exclude.flatMap((pattern) => ['-name', pattern, '-prune', '-o']);
  const paths = roots.map(({ stored }) => join(folder, stored));
  const lines = execFileSync('find', [...paths, ...left, '-printf', '%y %s %D:%i\\n'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const facts = { files: 0, directories: 0, links: 0, others: 0, bytes: 0 };
  const seen = new Set<string>();
  for (const [type, size, inode = ''] of lines.map((line) => line.split(' '))) {
    facts[FACT_OF_TYPE[type ?? ''] ?? 'others']++;
    if (type === 'f' && !seen.has(inode)) facts.bytes += Number(size);
    seen.add(inode);
  }
  return facts;
}

const FORMATS: Readonly<Record<'files' | 'sqlite' | 'postgres' | 'mariadb' | 'redis' | 'couchdb', ItemFormat>> = {
  ...{ postgres, couchdb, mariadb, redis },
  files: { kind: 'files', tree: true, inspect: async () => [], facts: async (path, roots) => countFolder(path, roots) },
  sqlite: { kind: 'sqlite', tree: false, inspect: async () => [], facts: async (path) => countRows(path) },
};

/** Everything that GNU tar sees of a folder: names, types, modes, owners, times, ACLs, attributes, links, contents. */
export function imageOf(path: string, ...more: readonly string[]): string {
  const attributes = ['--acls', '--xattrs', '--xattrs-include=*'];
  const args = ['--sort=name', '--format=posix', '--pax-option=delete=atime,delete=ctime', ...attributes, ...more];
  const tar = `tar ${args.join(' ')} -c -C "$1" "$2" | sha256sum`;
  const names = [dirname(path), path.slice(path.lastIndexOf('/') + 1)];
  return execFileSync('sh', ['-c', tar, 'sh', ...names], { encoding: 'utf8' });
}

/** The same without times: a name that came and went leaves its folder's time behind. */
export const timelessImageOf = (path: string): string => imageOf(path, '--mtime=@0');
