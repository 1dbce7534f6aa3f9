import type { ServiceDefinition } from '../domain/definitions.ts';
import { isRelied, type LossAt, lossNow, lossSeries, type Objective, type Proved } from '../domain/objectives.ts';
import { evidenceRank, type PointSummary } from '../domain/recovery-point.ts';
import type { Run } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { drilledPointsOf } from './drill-series.ts';
import { provedIn } from './proved-record.ts';

/** One drill of all of a point that passed. */
export interface RecoveryTime {
  /** When it was begun. */
  readonly at: Temporal.Instant;
  readonly point: string;
  readonly seconds: number;
  /** Of each phase, in seconds. */
  readonly phases: Readonly<Record<string, number>>;
}

/** How a service keeps to what was declared for it: from records, in seconds. */
export interface Kept {
  /** The age of the newest point that can be relied on. */
  readonly rpo: Objective;
  /** What the last drill took. */
  readonly rto: Objective;
  /** Oldest first. */
  readonly series: { readonly rpo: readonly LossAt[]; readonly rto: readonly RecoveryTime[] };
}

const ALL = Number.MAX_SAFE_INTEGER;

/** @param drills runs of drills, newest first */
export async function objectivesKept(
  drills: readonly Run[],
  { services, catalog, clock }: Pick<Context, 'services' | 'catalog' | 'clock'>,
): Promise<ReadonlyMap<string, Kept>> {
  const now = clock.now();
  const times = recoveryTimes(drills);
  const verified = await catalog.runs({ verb: 'verify', limit: ALL });
  const before = Map.groupBy([...drills, ...verified].flatMap(provedIn), ({ service }) => service);
  const all = (await catalog.points({})).filter(({ type }) => type === 'regular');
  const kept = new Map<string, Kept>();
  for (const { name, objectives } of services.values()) {
    const points = all.filter(({ service }) => service === name);
    const rto = times.get(name) ?? [];
    kept.set(name, {
      rpo: { target: objectives.rpo, actual: lossNow(points, now) },
      rto: { target: objectives.rto, actual: rto.at(-1)?.seconds ?? null },
      series: { rpo: lossSeries([...(before.get(name) ?? []), ...(await provedOf(points, catalog))]), rto },
    });
  }
  return kept;
}

/** Of each service the times of its drills, oldest first. */
function recoveryTimes(drills: readonly Run[]): ReadonlyMap<ServiceDefinition['name'], readonly RecoveryTime[]> {
  const times = new Map<string, RecoveryTime[]>();
  for (const run of drills.toReversed())
    for (const { id, service, outcome, whole, rtoMs, phases } of drilledPointsOf(run)) {
      if (outcome !== 'passed' || !whole || rtoMs === null) continue;
      const inSeconds = Object.entries(phases).map(([phase, ms]) => [phase, ms / 1000] as const);
      const time = { at: run.startedAt, point: id, seconds: rtoMs / 1000, phases: Object.fromEntries(inSeconds) };
      times.set(service, [...(times.get(service) ?? []), time]);
    }
  return times;
}

/** When each point that is there was first proved so far that it can be relied on: what the repositories tell where the
 *  records are gone. */
async function provedOf(
  points: readonly PointSummary[],
  catalog: Pick<Context['catalog'], 'evidenceOf'>,
): Promise<readonly Proved[]> {
  const proved: Proved[] = [];
  for (const point of points.filter(isRelied)) {
    const first = (await catalog.evidenceOf(point)).findLast(
      ({ evidence }) => evidenceRank(evidence) >= evidenceRank('sound'),
    );
    proved.push({ timestamp: point.timestamp, provedAt: first?.at ?? point.evidenceAt });
  }
  return proved;
}
