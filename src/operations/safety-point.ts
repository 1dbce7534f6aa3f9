import type { ServiceDefinition } from '../domain/definitions.ts';
import { type ErrorCode, HoldfastError } from '../domain/errors.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import { repositoriesOf } from './backup.ts';
import { capture } from './capture.ts';
import type { CaptureRequest } from './capture-request.ts';
import type { Context } from './context.ts';
import { exchanged } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { SelectedPoint } from './point-selection.ts';

/** What lies in a mount point is exchanged name by name, so a copy of the whole is made first (design, "In place").
 *  Answers with its id; null where there is nothing to keep.
 *  @throws Refused when something of it could not be kept; what the last repository throws */
export async function makeSafetyPoint(
  { service, host, exchanges }: InPlacePlan,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<string | null> {
  const mounts = exchanges.filter(({ way }) => way === 'contents');
  const names = await Promise.all(mounts.map(({ path }) => host.files.list(path, signal)));
  if (!names.flat().some(exchanged)) return null;
  const sources = new Set(mounts.map(({ choice }) => choice.source));
  return await keepSafetyPoint({ service, sources, dispensable: new Set() }, selected, context, signal);
}

interface Kept {
  readonly service: ServiceDefinition;
  /** Names of those that are captured. */
  readonly sources: ReadonlySet<string>;
  /** Items that need not be kept, because nothing of them is there. */
  readonly dispensable: ReadonlySet<string>;
}

/** Makes a point of the present state of some sources, and answers with its id.
 *  @throws Refused when something of it could not be kept; what the last repository throws */
export async function keepSafetyPoint(
  { service, sources: concerned, dispensable }: Kept,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<string> {
  const definitions = service.sources.filter(({ name }) => concerned.has(name));
  const sources = [];
  for (const definition of definitions) sources.push(await context.source(service, definition));
  const request = {
    ...{ service: { ...service, sources: definitions }, sources, plan: null, type: 'safety' as const },
    ...{ timezone: Temporal.Now.timeZoneId(), anomaly: false as const, lossAccepted: true, lockWaitMs: 0 },
    // It is made before anything is stopped: copying may take long.
    ...{ units: [], onUnitProblem: () => {} },
  };
  const point = await captureInFirst(request, await repositoriesFor(request, selected, context), context, signal);
  await context.catalog.remember([point]);
  const lost = (point.manifest?.items ?? []).filter(
    ({ outcome, name }) => outcome !== 'passed' && !dispensable.has(name),
  );
  if (lost.length === 0) return point.id;
  const words = `Not all of the present state of ${service.name} could be kept in safety point ${point.id}.`;
  throw new HoldfastError('Refused', words, service.name, {
    hint: 'See why with holdfast show; go on anyway with: --without-safety',
  });
}

type SafetyRequest = Omit<CaptureRequest, 'anotherRepository'>;

/** The service's archive repositories in their order (interface, section 4), then the one that is restored from. */
async function repositoriesFor(
  { service }: SafetyRequest,
  { repository: selected }: SelectedPoint,
  context: Context,
): Promise<readonly Repository[]> {
  const found: Repository[] = [];
  for (const name of repositoriesOf(service, [], null, context)) {
    const repository = await context.repository(name).catch(() => null); // its secret is missing, say: another will do
    if (repository?.engine === 'archive') found.push(repository);
  }
  return found.some(({ name }) => name === selected.name) ? found : [...found, selected];
}

/** Reasons for which the next repository may do better. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['RepositoryNotFound', 'RepositoryUnusable', 'NoSpace']);

async function captureInFirst(
  request: SafetyRequest,
  [first, ...others]: readonly Repository[],
  context: Context,
  signal: AbortSignal,
): Promise<RecoveryPoint> {
  if (first === undefined) throw new TypeError('No repository was given for the safety point.');
  try {
    return await capture({ ...request, anotherRepository: others.length > 0 }, first, context, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (others.length === 0 || !(error instanceof HoldfastError && ELSEWHERE.has(error.code))) throw error;
    context.progress({ type: 'warning', subject: first.name, text: error.message });
    return await captureInFirst(request, others, context, signal);
  }
}
