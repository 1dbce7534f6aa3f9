import type { Item, Manifest } from '../domain/manifest.ts';
import type { PointReference, PointSummary } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';

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
  /** The item as the newest point has it that stored it whole and whose checks did not fail. */
  whole(name: string): Promise<EarlierItem | null>;
}

/** `points` newest first: this machine's own regular points of one service. Manifests are read when they are asked for. */
export function earlierPoints(
  points: readonly PointSummary[],
  repository: Repository,
  signal: AbortSignal,
): EarlierPoints {
  const manifests = new Map<string, Promise<Manifest | null>>();
  function manifestOf(point: PointSummary): Promise<Manifest | null> {
    const read = manifests.get(point.location) ?? repository.find(point, signal).then(({ manifest }) => manifest);
    manifests.set(point.location, read);
    return read;
  }
  async function newest(name: string, wanted: (point: PointSummary, outcome: Item['outcome']) => boolean) {
    for (const point of points) {
      const summary = point.items.find((item) => item.name === name);
      if (summary === undefined || !wanted(point, summary.outcome)) continue;
      const item = (await manifestOf(point))?.items.find((candidate) => candidate.name === name);
      if (item !== undefined) return { item, point };
    }
    return null;
  }
  return {
    unheld: points.filter(({ held }) => held === null).length,
    reference: (name) => newest(name, ({ held }, outcome) => held === null && outcome !== 'failed'),
    whole: (name) => newest(name, ({ evidence }, outcome) => evidence !== 'failed' && outcome === 'passed'),
  };
}
