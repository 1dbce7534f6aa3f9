import type { RecoveryPoint } from '../domain/recovery-point.ts';
import { planNamed } from './backup.ts';
import { type PlannedBackup, planBackup } from './backup-plan.ts';
import type { Context } from './context.ts';
import { type PrunePlan, planPrune } from './prune-plan.ts';
import type { RunRequest } from './run.ts';

export interface RunPlan {
  readonly plan: string;
  readonly backup: readonly PlannedBackup[];
  /** How far the new points will be proved. */
  readonly verify: 'readable' | 'sound';
  /** As if each new point were whole and proved: where one is not, nothing goes. */
  readonly prune: PrunePlan;
}

/** What {@link run} would do: no source is read, and nothing is written. The repositories are listed.
 *  @throws as `planBackup` */
export async function planRun(
  { plan, lockWaitMs }: RunRequest,
  context: Context,
  signal: AbortSignal,
): Promise<RunPlan> {
  const { verify: wanted } = planNamed(plan, context);
  const verify = wanted?.level ?? 'readable';
  const both = { services: [], plan, repositories: [], lockWaitMs };
  const backup = await planBackup({ ...both, acceptLoss: [] }, context, signal);
  const arriving = backup.flatMap(({ service, repositories }) =>
    repositories.map((repository) => newPoint(service, repository, plan, verify, context)),
  );
  const prune = await planPrune({ ...both, manualOlderThanSeconds: null }, context, signal, arriving);
  return { plan, backup, verify, prune };
}

function newPoint(
  service: string,
  repository: string,
  plan: string,
  evidence: RunPlan['verify'],
  { clock, identifiers, origin, services }: Pick<Context, 'clock' | 'identifiers' | 'origin' | 'services'>,
): RecoveryPoint {
  const now = clock.now();
  const id = identifiers.next(now);
  // one for each source will do: retention asks which of them passed
  const items = (services.get(service)?.sources ?? []).map(({ name }) => ({
    name,
    source: name,
    outcome: 'passed' as const,
    size: 0,
  }));
  return {
    id,
    service,
    repository,
    location: id,
    plan,
    origin,
    items,
    evidence,
    evidenceAt: now,
    totalSize: 0,
    timestamp: now.round({ smallestUnit: 'second', roundingMode: 'floor' }),
    outcome: 'passed',
    held: null,
    foreign: false,
    type: 'regular',
    manifest: null,
  };
}
