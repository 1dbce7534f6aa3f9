import type { ServiceDefinition } from '../domain/definitions.ts';
import { type ErrorCode, HoldfastError } from '../domain/errors.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import type { Repository } from '../ports/repository.ts';
import type { Source } from '../ports/source.ts';
import { repositoriesOf } from './backup.ts';
import { capture } from './capture.ts';
import type { CaptureRequest } from './capture-request.ts';
import type { Context } from './context.ts';
import { exchanged } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { SelectedPoint } from './point-selection.ts';

/** What of the present state a safety point will hold. */
export interface Safety {
  /** Names of those that are captured. */
  readonly sources: ReadonlySet<string>;
  /** Sources of which each item must be kept, and items that must be. */
  readonly whole: ReadonlySet<string>;
  readonly items: ReadonlySet<string>;
}

/** What lies in a mount point is exchanged name by name, so a copy of the whole is made first (design, "In place"), of a
 *  volume too, whose kept state goes with it when somebody removes it; databases are dumped, and servers that run, since
 *  what they hold may be on no disk. Null where there is nothing to keep.
 *  @param dumps false: databases are kept under another name alone */
export async function safetyOf(
  { host, exchanges, databases }: Pick<InPlacePlan, 'host' | 'exchanges' | 'databases'>,
  dumps: boolean,
  signal: AbortSignal,
): Promise<Safety | null> {
  const whole = new Set<string>();
  for (const { way, stays = false, present, path, choice } of exchanges)
    if ((way === 'contents' || stays) && present !== null && (await host.files.list(path, signal)).some(exchanged))
      whole.add(choice.source);
  for (const source of dumps ? await runningServers(host, exchanges, signal) : []) whole.add(source);
  const present = dumps ? databases.filter((one) => one.present) : [];
  if (whole.size + present.length === 0) return null;
  const sources = new Set([...whole, ...present.map(({ choice }) => choice.source)]);
  return { sources, whole, items: new Set(present.map(({ choice }) => choice.name)) };
}

/** Sources whose server runs, as far as its process can be seen. */
async function runningServers(
  { files }: InPlacePlan['host'],
  exchanges: InPlacePlan['exchanges'],
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const { server, path, present, choice } of exchanges) {
    if (server === undefined || found.has(choice.source)) continue;
    for (const held of [...(present === null ? [] : [path]), ...server.heldAt])
      if ((await files.holders(held, signal)).length > 0) found.add(choice.source);
  }
  return found;
}

/** Makes a point of the present state of some sources, and answers with its id.
 *  @throws Refused when something of it could not be kept; what the last repository throws */
export async function makeSafetyPoint(
  service: ServiceDefinition,
  { sources: concerned, whole, items }: Safety,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<string> {
  const definitions = service.sources.filter(({ name }) => concerned.has(name));
  const sources = [];
  for (const definition of definitions) sources.push(await context.source(service, definition));
  const request = {
    service: { ...service, sources: definitions },
    sources,
    plan: null,
    type: 'safety' as const,
    // Other databases of the server stay as they are, and may be large.
    wants: ({ name, databases }: Source, item: string) =>
      whole.has(name) || items.has(item) || databases === null || databases.databaseOf(item) === null,
    timezone: Temporal.Now.timeZoneId(),
    anomaly: false as const,
    lossAccepted: true,
    lockWaitMs: 0,
    // It is made before anything is stopped: copying may take long.
    units: [],
    onUnitProblem: () => {},
  };
  const repositories = await repositoriesFor(request, selected, context);
  const point = await captureInFirst(request, repositories, context, signal).catch((error: unknown) => {
    if (!(error instanceof HoldfastError && error.code === 'NothingDone')) throw error;
    throw new HoldfastError(
      'Refused',
      `The present state cannot be kept in a safety point: ${error.message}`,
      error.subject,
      {
        cause: error,
        hint: 'See why above; go on anyway with: --without-safety',
      },
    );
  });
  await context.catalog.remember([point]);
  const made = point.manifest?.items ?? [];
  const kept = new Set(made.flatMap(({ name, outcome }) => (outcome === 'passed' ? [name] : [])));
  const lost = made.some(({ name, source }) => whole.has(source) && !kept.has(name));
  if (!lost && items.isSubsetOf(kept)) return point.id;
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
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'RepositoryNotFound',
  'RepositoryUnusable',
  'WrongPassword',
  'NoSpace',
]);

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
