import type { PointSummary } from '../domain/recovery-point.ts';
import { type BackupReport, backup, planNamed } from './backup.ts';
import type { Context } from './context.ts';
import { type PruneReport, performPrune } from './prune.ts';
import { planPrune } from './prune-plan.ts';
import { recorded } from './recorded.ts';
import { type VerifyReport, verifyPoints } from './verify.ts';

export interface RunRequest {
  readonly plan: string;
  readonly lockWaitMs: number;
}

export interface RunReport {
  readonly run: string;
  readonly outcome: 'passed' | 'partial' | 'failed';
  readonly durationMs: number;
  readonly backup: BackupReport;
  readonly verify: VerifyReport;
  /** Null when no new point was proved, so that nothing was looked at. */
  readonly prune: PruneReport | null;
  /** Services and repositories that were not pruned for want of proof. */
  readonly unproved: readonly { readonly service: string; readonly repository: string }[];
}

/** What a timer calls: backup, then the new points are proved, then retention, but only where the new point of a service
 *  in a repository was proved (interface, section 10, line 11). Whatever has to be asked stays undone.
 *  @throws as `backup` */
export async function run({ plan, lockWaitMs }: RunRequest, context: Context, signal: AbortSignal): Promise<RunReport> {
  const { services, verify: wanted } = planNamed(plan, context);
  const what = { verb: 'run', plan, services };
  const perform = async (): Promise<Omit<RunReport, 'run' | 'durationMs'>> => {
    const request = { services: [], plan, repositories: [], acceptLoss: [], lockWaitMs };
    const made = await backup(request, context, signal);
    const proved = await verifyPoints(made.points, wanted?.level ?? 'readable', context, signal);
    const pairs = proved.points.filter(({ outcome }) => outcome === 'passed').map(({ point }) => point);
    const pruned = pairs.length === 0 ? null : await pruneProved(plan, pairs, lockWaitMs, context, signal);
    const unproved = made.points.filter((point) => !pairs.some((pair) => samePlace(pair, point)));
    return {
      outcome: outcomeOf(made, proved, pruned),
      backup: made,
      verify: proved,
      prune: pruned,
      unproved: unproved.map(({ service, repository }) => ({ service, repository })),
    };
  };
  return recorded(what, context, perform, (report) => ({
    backup: report.backup.run,
    verify: report.verify.run,
    prune: report.prune?.run ?? null,
    unproved: report.unproved,
  }));
}

const samePlace = (left: PointSummary, right: { readonly service: string; readonly repository: string }): boolean =>
  left.service === right.service && left.repository === right.repository;

async function pruneProved(
  plan: string,
  proved: readonly PointSummary[],
  lockWaitMs: number,
  context: Context,
  signal: AbortSignal,
): Promise<PruneReport> {
  const request = { plan, repositories: [], services: [], manualOlderThanSeconds: null, lockWaitMs };
  const whole = await planPrune(request, context, signal);
  const services = whole.services.filter((planned) => proved.some((point) => samePlace(point, planned)));
  // A repository that cannot be reached is told by the backup already, and was not proved.
  const failures = whole.failures.filter((failure) =>
    proved.some(({ repository }) => repository === failure.repository),
  );
  return performPrune({ ...whole, services, failures }, { confirmed: false }, context, signal);
}

function outcomeOf(made: BackupReport, proved: VerifyReport, pruned: PruneReport | null): RunReport['outcome'] {
  if (made.points.length === 0) return 'failed';
  const outcomes = [made.outcome, proved.outcome, pruned?.outcome];
  return outcomes.every((outcome) => outcome === 'passed') ? 'passed' : 'partial';
}
