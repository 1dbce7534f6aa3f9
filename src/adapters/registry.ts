import type { z } from 'zod';
import { filesSchema } from './sources/files/config.ts';
import { sqliteSchema } from './sources/sqlite/config.ts';

/** One kind of source. The kind is also the key by which the configuration chooses it. The schema is at hand without
 *  loading the implementation, so that a verb loads only what it uses. */
export interface SourceRow {
  readonly kind: string;
  readonly schema: z.ZodType;
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
export const SOURCES: ReadonlyMap<string, SourceRow> = byKey<'kind', SourceRow>('kind', [
  { kind: 'files', schema: filesSchema },
  { kind: 'sqlite', schema: sqliteSchema },
]);
