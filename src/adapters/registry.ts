import type * as z from 'zod';
import type { Host } from '../ports/host.ts';
import type { OpenScratch } from '../ports/scratch.ts';
import type { ItemFormat, Source, SourceTools } from '../ports/source.ts';
import type { Unit, UnitReference } from '../ports/unit.ts';
import type { Validator } from '../ports/validator.ts';

/** What a source's folder exports from its `index.ts`. */
interface SourceModule<Settings> {
  source(name: string, settings: Settings, host: Host, tools: SourceTools): Source;
  readonly format: ItemFormat;
}

/** What is read when it is needed: a start that finds its configuration checked loads no schema. */
type Lazy<Value> = () => Promise<Value>;

/** One kind of source. The kind is also the key by which the configuration chooses it. The schema is had without loading
 *  the implementation, so that a verb loads only what it uses. */
export interface SourceRow {
  readonly kind: string;
  readonly schema: Lazy<z.ZodType>;
  /** The factory takes settings as the configuration has them, and checks them against the schema. */
  load(): Promise<SourceModule<unknown>>;
}

function sourceRow<Schema extends z.ZodType>(
  kind: string,
  schema: Lazy<Schema>,
  load: Lazy<SourceModule<z.output<Schema>>>,
): SourceRow {
  const loaded = async (): Promise<SourceModule<unknown>> => {
    const [{ source, format }, settingsSchema] = await Promise.all([load(), schema()]);
    return { format, source: (name, settings, ...rest) => source(name, settingsSchema.parse(settings), ...rest) };
  };
  return { kind, schema, load: loaded };
}

/** Rows by their key. @throws Error when two rows have one key: a mistake of ours, found at start */
export function byKey<Key extends string, Row extends Readonly<Record<Key, string>>>(
  key: Key,
  rows: readonly Row[],
): ReadonlyMap<string, Row> {
  const map = new Map<string, Row>();
  for (const row of rows) {
    if (map.has(row[key])) throw new Error(`Two adapters are registered as ${key} ${row[key]}.`);
    map.set(row[key], row);
  }
  return map;
}

/** All kinds of sources that are built. */
export const SOURCES: ReadonlyMap<string, SourceRow> = byKey('kind', [
  sourceRow(
    'files',
    async () => (await import('./sources/files/config.ts')).filesSchema,
    () => import('./sources/files/index.ts'),
  ),
  sourceRow(
    'sqlite',
    async () => (await import('./sources/sqlite/config.ts')).sqliteSchema,
    () => import('./sources/sqlite/index.ts'),
  ),
  sourceRow(
    'postgres',
    async () => (await import('./sources/postgres/config.ts')).postgresSchema,
    () => import('./sources/postgres/index.ts'),
  ),
  sourceRow(
    'mariadb',
    async () => (await import('./sources/mariadb/config.ts')).mariadbSchema,
    () => import('./sources/mariadb/index.ts'),
  ),
  sourceRow(
    'ldap',
    async () => (await import('./sources/ldap/config.ts')).ldapSchema,
    () => import('./sources/ldap/index.ts'),
  ),
  sourceRow(
    'redis',
    async () => (await import('./sources/redis/config.ts')).redisSchema,
    () => import('./sources/redis/index.ts'),
  ),
  sourceRow(
    'couchdb',
    async () => (await import('./sources/couchdb/config.ts')).couchdbSchema,
    () => import('./sources/couchdb/index.ts'),
  ),
  sourceRow(
    'volume',
    async () => (await import('./sources/volume/config.ts')).volumeSchema,
    () => import('./sources/volume/index.ts'),
  ),
]);

/** Where a drill restores items of a kind that is no tree: into a server of its own, or, by `null`, as a file. */
export const SCRATCHES: ReadonlyMap<string, Lazy<OpenScratch | null>> = new Map<string, Lazy<OpenScratch | null>>([
  ['sqlite', async () => null],
  ['postgres', async () => (await import('./sources/postgres/scratch.ts')).openScratch],
  ['mariadb', async () => (await import('./sources/mariadb/scratch.ts')).openScratch],
  ['redis', async () => (await import('./sources/redis/scratch.ts')).openScratch],
  ['ldap', async () => (await import('./sources/ldap/scratch.ts')).openScratch],
  ['couchdb', async () => (await import('./sources/couchdb/drill-server.ts')).openScratch],
]);

/** One kind of unit. The kind is also the key by which the configuration chooses it. */
export interface UnitRow {
  readonly kind: string;
  readonly schema: Lazy<z.ZodType>;
  load(): Promise<OpenUnit<UnitReference>>;
}

/** `environment`: variables by which a client finds its engine, as DOCKER_HOST; empty for most. Nothing is asked of the
 *  unit yet. */
type OpenUnit<Reference> = (reference: Reference, host: Host, environment: Readonly<Record<string, string>>) => Unit;

function unitRow<Kind extends UnitReference['kind']>(
  kind: Kind,
  schema: Lazy<z.ZodType>,
  load: () => Promise<OpenUnit<Extract<UnitReference, { readonly kind: Kind }>>>,
): UnitRow {
  const isOfKind = (reference: UnitReference): reference is Extract<UnitReference, { readonly kind: Kind }> =>
    reference.kind === kind;
  const loaded: UnitRow['load'] = async () => {
    const open = await load();
    return (reference, ...rest) => {
      if (!isOfKind(reference)) throw new TypeError(`A ${reference.kind} is no ${kind}.`);
      return open(reference, ...rest);
    };
  };
  return { kind, schema, load: loaded };
}

/** All kinds of units that are built. */
export const UNITS: ReadonlyMap<string, UnitRow> = byKey('kind', [
  unitRow(
    'systemd',
    async () => (await import('./units/systemd/config.ts')).systemdSchema,
    async () => (await import('./units/systemd/index.ts')).systemdUnit,
  ),
  unitRow(
    'container',
    async () => (await import('./units/container/config.ts')).containerSchema,
    async () => (await import('./units/container/index.ts')).containerUnit,
  ),
  unitRow(
    'compose',
    async () => (await import('./units/compose/config.ts')).composeSchema,
    async () => (await import('./units/compose/index.ts')).composeUnit,
  ),
]);

/** What a declared check is given beside its settings. */
export interface CheckContext {
  readonly host: Host;
  /** What a program is told: HOLDFAST_SERVICE and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** A source of the service that declares the check. @throws ConfigurationInvalid, Unsupported */
  source(name: string): Promise<Pick<Source, 'kind' | 'capabilities' | 'query'>>;
}

/** One kind of declared check. The kind is also the key by which the configuration chooses it. */
export interface ValidatorRow {
  readonly kind: string;
  readonly schema: Lazy<z.ZodType>;
  /** Makes a check of its settings, which are checked against the schema. Nothing is looked at yet.
   *  @throws Unsupported for what cannot be asked */
  open(settings: unknown, context: CheckContext): Promise<Validator>;
}

const validatorRow = <Schema extends z.ZodType>(
  kind: string,
  schema: Lazy<Schema>,
  load: () => Promise<(settings: z.output<Schema>, context: CheckContext) => Validator | Promise<Validator>>,
): ValidatorRow => ({
  kind,
  schema,
  open: async (settings, context) => (await load())((await schema()).parse(settings), context),
});

/** All kinds of declared checks that are built. */
export const VALIDATORS: ReadonlyMap<string, ValidatorRow> = byKey('kind', [
  validatorRow(
    'http',
    async () => (await import('./validators/http/config.ts')).httpSchema,
    async () => (await import('./validators/http/index.ts')).httpValidator,
  ),
  validatorRow(
    'tcp',
    async () => (await import('./validators/tcp/config.ts')).tcpSchema,
    async () => (await import('./validators/tcp/index.ts')).tcpValidator,
  ),
  validatorRow(
    'command',
    async () => (await import('./validators/command/config.ts')).commandSchema,
    async () => (await import('./validators/command/index.ts')).commandValidator,
  ),
  validatorRow(
    'sql',
    async () => (await import('./validators/sql/config.ts')).sqlSchema,
    async () => (await import('./validators/sql/index.ts')).sqlValidator,
  ),
]);

/** What is checked without being declared: of each unit, and of the machine where it has systemd. */
export const OWN_VALIDATORS = {
  unit: async () => (await import('./validators/unit/index.ts')).unitValidator,
  systemdFailed: async () => (await import('./validators/systemd-failed/index.ts')).systemdFailedValidator,
  journal: async () => (await import('./validators/journal/index.ts')).journalValidator,
} as const;

/** All kinds of hosts that are built. */
export const HOSTS = {
  local: { kind: 'local', load: () => import('./hosts/local/index.ts') },
  docker: {
    kind: 'docker',
    load: () => import('./hosts/docker/index.ts'),
    loadScratch: () => import('./hosts/docker/scratch.ts'),
  },
} as const;

/** What is known of all containers of an engine. */
export const CONTAINERS = { load: () => import('./containers/engine/index.ts') } as const;

/** All engines of repositories that are built. */
export const ENGINES = byKey('engine', [{ engine: 'archive', load: () => import('./repositories/archive/index.ts') }]);

/** All kinds of snapshotters that are built. */
export const SNAPSHOTTERS = byKey('kind', [
  { kind: 'btrfs', load: async () => (await import('./snapshotters/btrfs/index.ts')).btrfsSnapshotter },
  { kind: 'reflink', load: async () => (await import('./snapshotters/reflink/index.ts')).reflinkSnapshotter },
  { kind: 'copy', load: async () => (await import('./snapshotters/copy/index.ts')).copySnapshotter },
]);
