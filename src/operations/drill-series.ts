import type { DrillVerdict } from '../domain/drill.ts';
import type { PointItem, RecoveryPoint } from '../domain/recovery-point.ts';
import type { Check } from '../domain/verdict.ts';
import type { Catalog, Run } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { type ProvedRecord, provedRecord } from './proved-record.ts';

/** So many earlier drills are looked at. */
const LOOKED_AT = 1000;

/** The runs of `drill` that a new one is compared with, newest first. */
export const earlierDrills = (catalog: Pick<Catalog, 'runs'>): Promise<readonly Run[]> =>
  catalog.runs({ verb: 'drill', limit: LOOKED_AT });

/** What the history keeps of each point that a run drilled: the series of recovery times, phase by phase. Durations in
 *  milliseconds. */
export interface DrilledPoint extends ProvedRecord {
  readonly id: string;
  readonly repository: string;
  readonly outcome: Check['outcome'];
  readonly evidence: string;
  /** Whether all of the point was drilled, so that its time is that of a recovery. */
  readonly whole: boolean;
  readonly rtoMs: number | null;
  readonly phases: Readonly<Record<string, number>>;
  readonly items: readonly { readonly name: string; readonly outcome: Check['outcome'] }[];
}

export const drillDetail = ({
  points,
  warnings,
}: {
  readonly points: readonly DrillVerdict[];
  readonly warnings: unknown;
}): unknown => ({
  points: points.map(
    ({ point, outcome, evidence, evidenceAt, rtoMs, phases, items }): DrilledPoint => ({
      ...provedRecord(point, { evidence, evidenceAt }),
      id: point.id,
      repository: point.repository,
      outcome,
      evidence,
      rtoMs,
      whole: items.length >= point.items.filter(isStored).length,
      phases: Object.fromEntries(phases.map(({ name, durationMs }) => [name, durationMs])),
      items: items.map((item) => ({ name: item.name, outcome: item.outcome })),
    }),
  ),
  warnings,
});

const isStored = ({ outcome }: Pick<PointItem, 'outcome'>): boolean => outcome !== 'failed';

/** What a run of `drill` found of its points; none when it did not come so far. */
export function drilledPointsOf({ detail }: Pick<Run, 'detail'>): readonly DrilledPoint[] {
  const points = (detail as { readonly points?: unknown } | null)?.points;
  return Array.isArray(points) ? (points as readonly DrilledPoint[]) : [];
}

/** Items of a point that drills have restored one by one, since the last check of it that failed. Known to this machine
 *  alone. */
export async function provenItems(
  point: RecoveryPoint,
  { catalog }: Pick<Context, 'catalog'>,
): Promise<ReadonlySet<string>> {
  const failed = (await catalog.evidenceOf(point)).find(({ evidence }) => evidence === 'failed')?.at ?? null;
  const runs = await earlierDrills(catalog);
  const since = runs.filter(({ startedAt }) => failed === null || Temporal.Instant.compare(startedAt, failed) > 0);
  const own = since
    .flatMap(drilledPointsOf)
    .filter(
      ({ id, repository, outcome }) => id === point.id && repository === point.repository && outcome === 'passed',
    );
  return new Set(own.flatMap(({ items }) => items.map(({ name }) => name)));
}
