import { messageOf } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import type { PointReference, PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';

/** An item of an earlier point, with the point that has it. */
export interface EarlierItem {
  readonly item: Item;
  readonly point: PointReference;
}

/** What a new point of a service is compared with, in one repository. */
export interface EarlierPoints {
  /** How many points that are not held there are. */
  readonly unheld: number;
  /** What the newest point that is not held has; nothing when there is none. */
  latest(): Promise<readonly Item[]>;
  /** The newest point that is not held and in which anything of a source is stored. */
  withSource(source: string): Promise<RecoveryPoint | null>;
  /** The item as the newest point that is not held has it. */
  reference(name: string): Promise<EarlierItem | null>;
  /** The item as the newest point has it that stored it whole; null when a check of any point failed that holds what
   *  was read at the same time, because several points may share the damaged file. */
  whole(name: string): Promise<EarlierItem | null>;
}

/** `points` newest first: this machine's own regular points of one service. Manifests are read when they are asked for;
 *  one that cannot be read is passed over, since damage of old points must not end new ones. */
export function earlierPoints(
  points: readonly PointSummary[],
  repository: Repository,
  { progress }: Pick<Context, 'progress'>,
  signal: AbortSignal,
): EarlierPoints {
  const known = new Map<string, Promise<RecoveryPoint | null>>();
  async function find(point: PointSummary): Promise<RecoveryPoint | null> {
    try {
      const found = await repository.find(point, signal);
      // What failed here is believed: it may not have been possible to write it beside the point.
      return point.evidence === 'failed' ? { ...found, evidence: point.evidence } : found;
    } catch (error) {
      signal.throwIfAborted();
      progress({ type: 'warning', subject: point.location, text: `passed over: ${messageOf(error)}` });
      return null;
    }
  }
  /** From the repository: another machine may have held, released or checked it since the catalog heard of it. */
  function read(point: PointSummary): Promise<RecoveryPoint | null> {
    const found = known.get(point.location) ?? find(point);
    known.set(point.location, found);
    return found;
  }
  const having = (name: string, wanted: (outcome: Item['outcome']) => boolean): readonly PointSummary[] =>
    points.filter(({ items }) => items.some((item) => item.name === name && wanted(item.outcome)));

  async function newest(
    name: string,
    candidates: readonly PointSummary[],
    wanted: (point: RecoveryPoint) => boolean,
  ): Promise<EarlierItem | null> {
    for (const candidate of candidates) {
      const point = await read(candidate);
      const item = itemOf(point, name);
      if (point !== null && item !== null && wanted(point)) return { item, point };
    }
    return null;
  }

  /** Whether a check failed of a point that holds what was read at the same time. */
  async function isSuspect({ name, readAt }: Item): Promise<boolean> {
    const since = Temporal.Instant.from(readAt).subtract({ hours: LONGEST_CAPTURE_HOURS });
    const sharing = having(name, (outcome) => outcome !== 'failed').filter(
      ({ evidence, timestamp }) => evidence === 'failed' || Temporal.Instant.compare(timestamp, since) >= 0,
    );
    for (let start = 0; start < sharing.length; start += READ_AT_ONCE)
      for (const point of await Promise.all(sharing.slice(start, start + READ_AT_ONCE).map(read))) {
        if (point === null) return true; // what was proved of it cannot be told
        if (point.evidence === 'failed' && itemOf(point, name)?.readAt === readAt) return true;
      }
    return false;
  }

  return {
    unheld: points.filter(({ held }) => held === null).length,
    async latest() {
      const newest = points.find(({ held }) => held === null);
      return newest === undefined ? [] : ((await read(newest))?.manifest?.items ?? []);
    },
    async withSource(source) {
      for (const point of points) {
        if (!point.items.some((item) => item.source === source && item.outcome !== 'failed')) continue;
        const found = await read(point);
        if (found?.held === null) return found;
      }
      return null;
    },
    reference: (name) => {
      const candidates = having(name, (outcome) => outcome !== 'failed');
      return newest(name, candidates, ({ held }) => held === null);
    },
    async whole(name) {
      const candidates = having(name, (outcome) => outcome === 'passed');
      const found = await newest(name, candidates, ({ evidence }) => evidence !== 'failed');
      return found === null || (await isSuspect(found.item)) ? null : found;
    },
  };
}

/** A point's time is when it was begun, and its last item may be read much later. */
const LONGEST_CAPTURE_HOURS = 24;
const READ_AT_ONCE = 32;

const itemOf = (point: RecoveryPoint | null, name: string): Item | null =>
  point?.manifest?.items.find((item) => item.name === name) ?? null;
