import { HoldfastError } from '../domain/errors.ts';
import type { PointSummary, RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { copyPoint, manifestToCopy } from './copy-point.ts';
import { selectPoint } from './point-selection.ts';
import { recorded } from './recorded.ts';
import { refresh } from './refresh.ts';

export interface CopyRequest {
  /** A service (its newest whole point) or a point by id, the beginning of one, or location. */
  readonly what: string;
  /** Only from this repository; from the first that has it when null. */
  readonly from: string | null;
  readonly to: string;
  readonly lockWaitMs: number;
}

export interface CopyReport {
  readonly run: string;
  readonly outcome: 'passed';
  readonly durationMs: number;
  readonly from: string;
  /** As it stands in the other repository now. */
  readonly point: RecoveryPoint;
  /** False when it was there already, and nothing was written. */
  readonly copied: boolean;
}

/** A point into another repository, under its id; proved while it is read.
 *  @throws as `selectPoint` and `copyPoint`; Usage when it would be copied onto itself */
export async function copy(request: CopyRequest, context: Context, signal: AbortSignal): Promise<CopyReport> {
  const { from, to, point } = await ends(request, context, signal);
  const timezone = (point.plan === null ? null : context.plans.get(point.plan))?.timezone ?? Temporal.Now.timeZoneId();
  const what = { verb: 'copy', plan: null, services: [point.service] };
  const options = { timezone, lockWaitMs: request.lockWaitMs };
  const perform = async () => {
    const copied = await copyPoint(point, from, to, options, context, signal);
    await context.catalog.remember([copied.point]);
    return { outcome: 'passed' as const, from: from.name, ...copied };
  };
  return recorded(what, context, perform, (report) => ({
    point: report.point.id,
    from: report.from,
    to: request.to,
    copied: report.copied,
  }));
}

export interface PlannedCopy {
  readonly from: string;
  readonly point: PointSummary;
  /** True when the other repository has it, and nothing would be written. */
  readonly there: boolean;
}

/** What {@link copy} would do. @throws as `copy`, but for what shows only while the point is read */
export async function planCopy(request: CopyRequest, context: Context, signal: AbortSignal): Promise<PlannedCopy> {
  const { from, to, point } = await ends(request, context, signal);
  manifestToCopy(point);
  const { points } = await refresh(to, point.service, context, signal);
  return { from: from.name, point, there: points.some(({ id }) => id === point.id) };
}

interface Ends {
  readonly from: Repository;
  readonly to: Repository;
  readonly point: RecoveryPoint;
}

async function ends(request: CopyRequest, context: Context, signal: AbortSignal): Promise<Ends> {
  const query = request.from === null ? { what: request.what } : { what: request.what, repository: request.from };
  const { repository: from, point } = await selectPoint(query, context, signal);
  if (from.name === request.to && request.from !== null)
    throw new HoldfastError('Usage', `${point.id} is in ${from.name}: name another repository.`, request.to);
  return { from, to: await context.repository(request.to), point };
}
