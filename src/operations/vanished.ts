import { isDeepStrictEqual } from 'node:util';
import { vanishedItems } from '../domain/anomaly.ts';
import type { Manifest } from '../domain/manifest.ts';

/** What `source` had in an earlier point and has not at all in a later one, in words. Nothing when its settings changed
 *  meanwhile, since then other items are meant to be there, nor when all of it failed, which says so by itself. */
export function vanishedOf(source: string, before: Manifest, after: Manifest): readonly string[] {
  const [had, has] = [before, after].map(({ items }) => items.filter((item) => item.source === source));
  if (had === undefined || has === undefined || has.every(({ outcome }) => outcome === 'failed')) return [];
  const settings = settingsOf(source, after);
  return settings !== undefined && isDeepStrictEqual(settingsOf(source, before), settings)
    ? vanishedItems(had, has)
    : [];
}

/** As it was configured, secrets masked, and as a manifest has it. */
function settingsOf(source: string, { configuration, service }: Manifest): unknown {
  const found = ['services', service, 'sources', source].reduce<unknown>(
    (one, key) => (Object.hasOwn(Object(one), key) ? (one as Readonly<Record<string, unknown>>)[key] : undefined),
    configuration,
  );
  return found === undefined ? undefined : JSON.parse(JSON.stringify(found));
}
