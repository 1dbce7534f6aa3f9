import { HoldfastError } from '../domain/errors.ts';
import type { Hold, PointSummary } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Context } from './context.ts';
import { confirmCommands, type FailedCommand, runLabelled, signalAfter } from './label-commands.ts';
import { decideService, ownersOf, type PlannedPrune, type PruneRequest, scopeOf } from './prune-plan.ts';
import { containersAround } from './service-containers.ts';
import { waitForService } from './service-wait.ts';

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
  await waitForService(service, 'prune', context, signal);
  const definition = context.services.get(service);
  if (definition === undefined) return yield* removeAll(planned, request, going, context, signal);
  const around = await containersAround(definition, context, signal, { mayFail: false });
  confirmCommands(definition, around);
  throwFirst(await runLabelled('prune-pre', definition, around, context, signal));
  let done = false;
  try {
    yield* removeAll(planned, request, going, context, signal);
    done = true;
  } finally {
    const failed = await runLabelled('prune-post', definition, around, context, signalAfter(signal));
    if (done) throwFirst(failed); // else the first failure is the one to know of
  }
}

function throwFirst([failed]: readonly FailedCommand[]): void {
  if (failed !== undefined) throw failed.error;
}

async function* removeAll(
  planned: PlannedPrune,
  request: PruneRequest,
  going: readonly PointSummary[],
  context: Context,
  signal: AbortSignal,
): AsyncGenerator<Step> {
  const { service } = planned;
  context.progress({ type: 'step', subject: service, text: `prune ${planned.repository}` });
  const repository = await context.repository(planned.repository);
  await using lock = await repository.lock({ kind: 'service', service }, 'exclusive', request.lockWaitMs, signal);
  // What was printed and confirmed may be old by now: a point was made, held or proved since.
  const { points: listed } = await repository.list(context.services.has(service) ? { service } : {}, signal);
  const all = Map.groupBy(listed, (point) => point.service);
  const scope = scopeOf(planned.plan, request, context);
  const again = decideService(all.get(service) ?? [], scope, repository, context, ownersOf(planned, all, context));
  refuse({ ...planned, ...again });
  const stillGoing = new Map(
    again.decisions.flatMap(({ action, point }) => (action === 'remove' ? [[keyOf(point), point]] : [])),
  );
  for (const known of going.toReversed()) {
    signal.throwIfAborted();
    const point = stillGoing.get(keyOf(known));
    if (point === undefined) {
      yield { removed: false, point: known, reason: 'it changed, or is gone, since the plan was made' };
      continue;
    }
    const reason = await removeUnlessNeeded(point, repository, lock, context, signal);
    if (reason !== null) {
      context.progress({ type: 'warning', subject: point.location, text: `passed over: ${reason}` });
      yield { removed: false, point, reason };
      continue;
    }
    yield { removed: true, point };
  }
}

const keyOf = ({ id, location }: PointSummary): string => `${id} ${location}`;

function refuse({ service, refused }: PlannedPrune): void {
  if (refused === null) return;
  const hint = 'Nothing was removed. What would become of each point: holdfast prune --dry-run';
  throw new HoldfastError('Refused', `${service} is not pruned: ${refused}.`, service, { hint });
}

/** Null when it was removed, else why not: somebody reads it, or held it since the service was listed. */
async function removeUnlessNeeded(
  point: PointSummary,
  repository: Repository,
  serviceLock: { confirm(signal: AbortSignal): Promise<void> },
  { catalog }: Pick<Context, 'catalog'>,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await using own = await repository.lock({ kind: 'point', id: point.id }, 'exclusive', 0, signal);
    const { held } = await repository.find(point, signal);
    if (held !== null && !isSameHold(held, point.held)) return `held: ${held.reason}`;
    await serviceLock.confirm(signal);
    await own.confirm(signal);
    // Forgotten first: one that a crash leaves in between is found again by the next list; the other way round it would
    // be missed for ever as a point that nobody removed.
    await catalog.forget([point]);
    await repository.remove(point, signal);
    return null;
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'RepositoryLocked')) throw error;
    await serviceLock.confirm(signal); // a lock that was taken over ends the prune; a reader's does not
    return error.message;
  }
}

const isSameHold = (held: Hold, before: Hold | null): boolean => held.by === before?.by && held.at.equals(before.at);
