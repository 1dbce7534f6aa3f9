import type * as z from 'zod';
import type { Host } from '../ports/host.ts';
import type { ItemFormat, Source } from '../ports/source.ts';
import { archiveSchema } from './repositories/archive/config.ts';
import { filesSchema } from './sources/files/config.ts';
import { sqliteSchema } from './sources/sqlite/config.ts';

/** What a source's folder exports from its `index.ts`. */
interface SourceModule<Settings> {
  source(name: string, settings: Settings, host: Host): Source;
  readonly format: ItemFormat;
}

/** One kind of source. The kind is also the key by which the configuration chooses it. The schema is at hand without
 *  loading the implementation, so that a verb loads only what it uses. */
export interface SourceRow {
  readonly kind: string;
  readonly schema: z.ZodType;
  /** The factory takes settings as the configuration has them, and checks them against the schema. */
  load(): Promise<SourceModule<unknown>>;
}

function sourceRow<Schema extends z.ZodType>(
  kind: string,
  schema: Schema,
  load: () => Promise<SourceModule<z.output<Schema>>>,
): SourceRow {
  const loaded = async (): Promise<SourceModule<unknown>> => {
    const { source, format } = await load();
    return { format, source: (name, settings, host) => source(name, schema.parse(settings), host) };
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
  sourceRow('files', filesSchema, () => import('./sources/files/index.ts')),
  sourceRow('sqlite', sqliteSchema, () => import('./sources/sqlite/index.ts')),
]);

/** All kinds of hosts that are built. */
export const HOSTS = byKey('kind', [{ kind: 'local', load: () => import('./hosts/local/index.ts') }]);

/** All engines of repositories that are built. */
export const ENGINES = byKey('engine', [
  { engine: 'archive', schema: archiveSchema, load: () => import('./repositories/archive/index.ts') },
]);
