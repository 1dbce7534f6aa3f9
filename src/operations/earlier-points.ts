import { messageOf } from '../domain/errors.ts';
import type { Item, Manifest } from '../domain/manifest.ts';
import type { PointReference, PointSummary } from '../domain/recovery-point.ts';
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
  const manifests = new Map<string, Promise<Manifest | null>>();
  async function read(point: PointSummary): Promise<Manifest | null> {
    try {
      return (await repository.find(point, signal)).manifest;
    } catch (error) {
      signal.throwIfAborted();
      progress({ type: 'warning', subject: point.location, text: `passed over: ${messageOf(error)}` });
      return null;
    }
  }
  async function itemOf(point: PointSummary, name: string): Promise<Item | null> {
    const manifest = manifests.get(point.location) ?? read(point);
    manifests.set(point.location, manifest);
    return (await manifest)?.items.find((item) => item.name === name) ?? null;
  }
  const having = (name: string, wanted: (point: PointSummary, outcome: Item['outcome']) => boolean) =>
    points.filter((point) => point.items.some((item) => item.name === name && wanted(point, item.outcome)));

  async function newest(candidates: readonly PointSummary[], name: string): Promise<EarlierItem | null> {
    for (const point of candidates) {
      const item = await itemOf(point, name);
      if (item !== null) return { item, point };
    }
    return null;
  }
  return {
    unheld: points.filter(({ held }) => held === null).length,
    reference: (name) =>
      newest(
        having(name, ({ held }, outcome) => held === null && outcome !== 'failed'),
        name,
      ),
    async whole(name) {
      const found = await newest(
        having(name, ({ evidence }, outcome) => evidence !== 'failed' && outcome === 'passed'),
        name,
      );
      if (found === null) return null;
      for (const point of having(name, ({ evidence }, outcome) => evidence === 'failed' && outcome !== 'failed')) {
        const item = await itemOf(point, name);
        if (item === null || item.readAt === found.item.readAt) return null;
      }
      return found;
    },
  };
}
