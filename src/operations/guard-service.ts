import type { ServiceDefinition } from '../domain/definitions.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import { type Decision, decide, guardExitCode, type SnapshotOutcome } from '../domain/guard.ts';
import type { RecoveryPoint } from '../domain/recovery-point.ts';
import { unitReferencesOf } from '../domain/unit-reference.ts';
import type { Run } from '../ports/catalog.ts';
import type { Unit, Images as UnitImages } from '../ports/unit.ts';
import { backup, repositoriesOf } from './backup.ts';
import { runOutcome } from './guard.ts';
import { endOf, type RunCommand } from './guard-command.ts';
import type { Checked, GuardContext } from './guard-context.ts';
import { judge } from './guard-judgement.ts';
import type { GuardRequest } from './guard-request.ts';
import { restore } from './restore.ts';
import type { RestoreReport } from './restore-request.ts';
import { takeBaseline, type Validation } from './validate.ts';

export type GuardServiceRequest = Omit<GuardRequest, 'subvolume'> & { readonly service: string };

/** Image identities by unit, then by container. */
type Images = Readonly<Record<string, UnitImages>>;

export interface GuardServiceReport {
  readonly service: string;
  readonly operation: string;
  readonly decision: Decision;
  /** The id of the recovery point; null when none was needed. */
  readonly point: string | null;
  readonly outcome: SnapshotOutcome | 'unprotected';
  readonly commandExit: number | null;
  readonly commandError: string | null;
  readonly rolledBack: boolean;
  readonly validation: Validation | null;
  readonly restored: RestoreReport | null;
  readonly rollbackError: string | null;
  /** What has to be done by hand after the rollback. */
  readonly problems: readonly string[];
  readonly exitCode: number;
  readonly durationMs: number;
}

/** Runs a command between a recovery point of a whole service and its checks, and takes the point back when they fail.
 *  Whatever throws before `run` is called has started nothing (exit code 4).
 *  @throws ServiceNotFound; Refused when something of the service could not be captured, and what `backup` throws */
export async function guardService(
  request: GuardServiceRequest,
  run: RunCommand,
  context: GuardContext,
  signal: AbortSignal,
): Promise<GuardServiceReport> {
  const { operation, autoRollback, execute } = request;
  const fromMs = context.clock.monotonicMs();
  const elapsed = (): number => Math.round(context.clock.monotonicMs() - fromMs);
  const service = serviceNamed(request.service, context);
  const decision = await decisionOn(request, context);
  const checked = await checkedService(service, context);
  const validators =
    decision.protect && execute
      ? [...(await context.validators({ ...checked, checks: [] })), ...(await context.checks(service))]
      : [];
  const expected = { validators, baselines: await takeBaseline(validators, signal) };
  const [point, images] = decision.protect
    ? [await pointOf(service, context, signal), await imagesOf(checked.units, signal)]
    : [null, {}];
  const startedAt = context.clock.now();
  const id = context.identifiers.next(startedAt);
  const detail = { service: service.name, operation, point: point?.id ?? null, images };
  const record = (more: Pick<Run, 'outcome'> & { readonly detail: object }): Promise<void> =>
    context.catalog.recordRun({
      ...{ id, verb: 'guard', plan: null, services: [service.name], startedAt, durationMs: elapsed() },
      ...{ outcome: more.outcome, detail: { ...detail, snapshot: point?.id ?? null, ...more.detail } },
    });
  const common = { service: service.name, operation, decision, point: point?.id ?? null };
  const none = { validation: null, restored: null, rollbackError: null, problems: [], rolledBack: false } as const;
  // a crash from here on leaves this record, by which the point is found again
  await record({ outcome: execute ? 'inconclusive' : 'passed', detail: { outcome: 'pending', commandExit: null } });
  if (!execute) {
    const rest = { outcome: 'pending', commandExit: null, commandError: null, exitCode: 0 } as const;
    return { ...common, ...none, ...rest, durationMs: elapsed() };
  }
  const ended = await endOf(run, { HOLDFAST_OPERATION: operation, HOLDFAST_SERVICE: service.name });
  const judged = point === null ? null : await judge(ended, expected, context, signal);
  const bad = judged?.bad ?? null;
  const back =
    point !== null && autoRollback && bad !== null
      ? await takeBack(point, images, checked.units, context)
      : { ...none, outcome: judged?.outcome ?? ('unprotected' as const) };
  const end = {
    ...{ outcome: back.outcome, commandExit: ended.exitCode, inconclusive: judged?.inconclusive ?? false },
    interrupted: judged === null ? ended.interrupted : judged.interrupted,
  };
  const exitCode = guardExitCode(end);
  const { outcome, rolledBack } = back;
  await record({ outcome: runOutcome(exitCode), detail: { outcome, commandExit: ended.exitCode, rolledBack } });
  return {
    ...{ ...common, ...back, validation: judged?.validation ?? null, exitCode, durationMs: elapsed() },
    ...{ commandExit: ended.exitCode, commandError: ended.error },
  };
}

/** Takes a service back to a point: its newest one made by guard when none is named.
 *  @throws ServiceNotFound, PointNotFound, and what `restore` throws */
export async function rollbackService(
  { service: name, point }: { readonly service: string; readonly point: string | null },
  context: GuardContext,
  signal: AbortSignal,
): Promise<{ readonly restored: RestoreReport; readonly problems: readonly string[] }> {
  const service = serviceNamed(name, context);
  const runs = (await context.catalog.runs({ verb: 'guard', limit: Number.MAX_SAFE_INTEGER })).map(
    ({ detail }) => detail as { readonly service?: string; readonly point?: string | null; readonly images?: Images },
  );
  const made = runs.find((one) => one.service === name && one.point && (point === null || one.point === point));
  const what = point ?? made?.point;
  if (!what)
    throw new HoldfastError('PointNotFound', `guard made no recovery point of ${name}.`, name, {
      hint: `Any point can be restored: holdfast restore ${name} --in-place`,
    });
  const restored = await restore({ what, target: { kind: 'in-place' } }, context, signal);
  const { units } = await checkedService(service, context);
  return { restored, problems: await changedImages(made?.images ?? {}, units, signal) };
}

function serviceNamed(name: string, { services }: Pick<GuardContext, 'services'>): ServiceDefinition {
  const service = services.get(name);
  if (service !== undefined) return service;
  throw new HoldfastError('ServiceNotFound', `The configuration has no service ${name}.`, name);
}

async function checkedService(
  { name, host, units, checks }: ServiceDefinition,
  context: Pick<GuardContext, 'unit'>,
): Promise<Checked> {
  const opened = await Promise.all(unitReferencesOf(units, host).map((reference) => context.unit(reference)));
  return { name, host, units: opened, checks };
}

async function decisionOn(
  { when, autoRollback, operation, service }: GuardServiceRequest,
  { guard: settings, clock, catalog }: GuardContext,
): Promise<Decision> {
  const points = await catalog.points({ service });
  const newest = points.find(({ outcome, held, foreign }) => outcome === 'passed' && held === null && !foreign);
  const wanted = autoRollback ? 'always' : (when ?? settings.when);
  return decide(operation, wanted, settings, newest?.timestamp ?? null, clock.now());
}

/** A point of all that the service is, in its first archive repository. A partial one could not take all of it back.
 *  @throws Refused */
async function pointOf(service: ServiceDefinition, context: GuardContext, signal: AbortSignal): Promise<RecoveryPoint> {
  let repository: string | null = null;
  for (const name of repositoriesOf(service, [], null, context)) {
    if ((await context.repository(name)).engine !== 'archive') continue;
    repository = name;
    break;
  }
  if (repository === null)
    throw new HoldfastError(
      'Refused',
      `${service.name} has no archive repository for its recovery point.`,
      service.name,
    );
  const request = { services: [service.name], plan: null, repositories: [repository], acceptLoss: [], lockWaitMs: 0 };
  const { points, failures } = await backup(request, context, signal);
  const [point] = points;
  if (point?.outcome === 'passed') return point;
  const failed = point?.items.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name) ?? [];
  const why = [...failures.map(({ message }) => message), ...failed.map((name) => `${name} failed`)].join('; ');
  throw new HoldfastError('Refused', `Not all of ${service.name} could be captured: ${why}.`, service.name, {
    hint: `See why with: holdfast backup ${service.name}`,
  });
}

const imagesOf = async (units: readonly Unit[], signal: AbortSignal): Promise<Images> =>
  Object.fromEntries(await Promise.all(units.map(async (unit) => [unit.name, await unit.images(signal)] as const)));

/** Containers that no longer run the image they ran before: the data are those of the old one. */
async function changedImages(before: Images, units: readonly Unit[], signal: AbortSignal): Promise<readonly string[]> {
  const now = await imagesOf(units, signal);
  return Object.entries(before).flatMap(([unit, containers]) =>
    Object.entries(containers).flatMap(([container, { identity: image }]) =>
      now[unit]?.[container]?.identity === image
        ? []
        : `${container} of ${unit} ran the image ${image} before; now ${now[unit]?.[container]?.identity ?? 'it is gone'}. By hand: give that image its tag back (docker tag ${image} NAME:TAG) and make the container again`,
    ),
  );
}

/** Data first; their units run again by then, and the images are looked at. */
async function takeBack(
  point: RecoveryPoint,
  images: Images,
  units: readonly Unit[],
  context: GuardContext,
): Promise<
  Pick<GuardServiceReport, 'restored' | 'rollbackError' | 'problems' | 'rolledBack'> & {
    readonly outcome: SnapshotOutcome;
  }
> {
  const own = new AbortController().signal;
  try {
    const restored = await restore({ what: point.id, target: { kind: 'in-place' } }, context, own);
    const problems = await changedImages(images, units, own);
    const outcome = problems.length === 0 && restored.outcome === 'passed' ? 'rolled_back' : 'rollback_failed';
    return { outcome, restored, rollbackError: null, problems, rolledBack: true };
  } catch (error) {
    const cause = error instanceof SuppressedError ? error.suppressed : error;
    return {
      ...{ outcome: 'rollback_failed', restored: null, rollbackError: messageOf(cause), problems: [] },
      rolledBack: false,
    };
  }
}
