import { HoldfastError } from '../domain/errors.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { decideService, type PlannedPrune, type PruneRequest, scopeOf } from './prune-plan.ts';

type Step =
  | { readonly removed: true; readonly point: PointSummary }
  | { readonly removed: false; readonly point: PointSummary; readonly reason: string };

/** Removes what may go of one service in one repository, the oldest first, and says so of each point as it goes.
 *  @throws Refused, AnswerNeeded, RepositoryLocked before anything is removed */
export async function* pruneService(
  planned: PlannedPrune,
  request: PruneRequest,
  confirmed: boolean,
  context: Context,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const { service, question } = planned;
  refuse(planned);
  const going = planned.decisions.filter(({ action }) => action === 'remove').map(({ point }) => point);
  if (going.length === 0) return;
  if (question !== null && !confirmed) throw new HoldfastError('AnswerNeeded', question, service);
  context.progress({ type: 'step', subject: service, text: `prune ${planned.repository}` });
  const repository = await context.repository(planned.repository);
  await using lock = await repository.lock({ kind: 'service', service }, 'exclusive', request.lockWaitMs, signal);
  // What was printed and confirmed may be old by now: a point was made, held or proved since.
  const { points } = await repository.list({ service }, signal);
  const scope = scopeOf(planned.plan, request, context);
  const again = decideService(points, scope, repository, context);
  refuse({ ...planned, ...again });
  const stillGoing = new Set(
    again.decisions.filter(({ action }) => action === 'remove').map(({ point }) => `${point.id} ${point.location}`),
  );
  for (const point of going.toReversed()) {
    signal.throwIfAborted();
    if (!stillGoing.has(`${point.id} ${point.location}`)) {
      yield { removed: false, point, reason: 'it changed, or is gone, since the plan was made' };
      continue;
    }
    const reader = await removeUnlessRead(point, repository, lock, signal);
    if (reader !== null) {
      context.progress({ type: 'warning', subject: point.location, text: `passed over: ${reader}` });
      yield { removed: false, point, reason: reader };
      continue;
    }
    await context.catalog.forget([point]);
    yield { removed: true, point };
  }
}

function refuse({ service, refused }: PlannedPrune): void {
  if (refused !== null) throw new HoldfastError('Refused', `${service} is not pruned: ${refused}.`, service);
}

/** Null when it was removed, else who reads it. */
async function removeUnlessRead(
  point: PointSummary,
  repository: Repository,
  serviceLock: { confirm(signal: AbortSignal): Promise<void> },
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await using own = await repository.lock({ kind: 'point', id: point.id }, 'exclusive', 0, signal);
    await serviceLock.confirm(signal);
    await own.confirm(signal);
    await repository.remove(point, signal);
    return null;
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'RepositoryLocked')) throw error;
    await serviceLock.confirm(signal); // a lock that was taken over ends the prune; a reader's does not
    return error.message;
  }
}
