import type { AnomalyBounds } from './definitions.ts';
import type { Facts } from './facts.ts';
import type { Item } from './manifest.ts';

/** From the third point on a point is compared with an earlier one (interface, section 4, "Anomalies"). */
export const POINTS_BEFORE_ANOMALIES = 2;

export type Compared = Pick<Item, 'name' | 'outcome' | 'size' | 'originalSize' | 'facts' | 'roots'>;

/** What is suspicious about the items of a new point, in words; empty when nothing is. `reference` answers with the same
 *  item of the newest point that is not held, undefined when there is none. `lossAccepted`: less than before is intended. */
export function anomaliesOf(
  items: readonly Compared[],
  reference: (name: string) => Compared | undefined,
  bounds: AnomalyBounds,
  lossAccepted = false,
): readonly string[] {
  if (bounds === false) return [];
  return items.flatMap((item) => {
    const before = reference(item.name);
    if (before === undefined || before.outcome === 'failed' || item.outcome === 'failed') return [];
    const words = [
      ...grown(plainSize(before), plainSize(item), bounds.grow),
      ...(lossAccepted ? [] : [...shrunk(plainSize(before), plainSize(item), bounds.shrink), ...lost(before, item)]),
    ];
    return words.map((what) => `${item.name}: ${what}`);
  });
}

const plainSize = ({ size, originalSize }: Compared): number => originalSize ?? size;
const percent = (share: number): string => `${Math.round(share * 100)} %`;

const shrunk = (before: number, after: number, bound: number): string[] =>
  after < before * (1 - bound) ? [`${after} bytes, ${percent(1 - after / before)} less than ${before}`] : [];

const grown = (before: number, after: number, bound: number): string[] =>
  before > 0 && after > before * (1 + bound)
    ? [`${after} bytes, ${percent(after / before - 1)} more than ${before}`]
    : [];

/** Content that is gone, however large the rest is. */
function lost(before: Compared, after: Compared): readonly string[] {
  const files = (before.facts.files ?? 0) > 0 && (after.facts.files ?? 0) * 2 <= (before.facts.files ?? 0);
  const gone = files ? [`${after.facts.files ?? 0} files where ${before.facts.files} were`] : [];
  const counted = contents(after.facts);
  const uncounted = new Set(after.facts.uncounted?.map((name) => `table ${name}`));
  for (const [name, count] of contents(before.facts))
    if (count > 0 && !uncounted.has(name) && (counted.get(name) ?? 0) === 0)
      gone.push(`${name} had ${count} and has none`);
  return [...gone, ...emptiedRoots(before, after)];
}

/** What holds content of its own: `table main.users` with its rows, `documents vault`, `entries`, `keys`. */
function contents({ tables = {}, documents = {}, entries, keys }: Facts): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [name, rows] of Object.entries(tables)) counts.set(`table ${name}`, rows);
  for (const [name, count] of Object.entries(documents)) counts.set(`documents ${name}`, count);
  if (entries !== undefined) counts.set('entries', entries);
  if (keys !== undefined) counts.set('keys', keys);
  return counts;
}

/** Items that are not among the new ones at all, and had content: a database that was dropped leaves no row where all of
 *  a server are captured. Both of sources whose settings are the same. */
export function vanishedItems(before: readonly Compared[], after: readonly Pick<Item, 'name'>[]): readonly string[] {
  const there = new Set(after.map(({ name }) => name));
  return before.flatMap(({ name, outcome, facts }) => {
    const had = [...contents(facts).values()].reduce((sum, count) => sum + count, 0);
    return outcome === 'failed' || there.has(name) || had === 0 ? [] : [`${name}: had ${had} and is gone`];
  });
}

const emptiedRoots = (before: Compared, after: Pick<Compared, 'roots'>): readonly string[] =>
  emptiedPaths(before.roots ?? [], after.roots ?? []).map((path) => `${path} had files and has none`);

type CountedRoot = NonNullable<Item['roots']>[number];

/** Paths that had files and still are there without any (interface, section 10, line 16). */
export function emptiedPaths(before: readonly CountedRoot[], after: readonly CountedRoot[]): readonly string[] {
  const had = new Map(before.map(({ path, files }) => [path, files ?? 0]));
  return after.filter(({ path, files }) => files === 0 && (had.get(path) ?? 0) > 0).map(({ path }) => path);
}
