import { HoldfastError } from '../domain/errors.ts';
import { lastName } from '../domain/tree-path.ts';
import { timeOfUlid } from '../domain/ulid.ts';
import { isDeclaredIn } from '../domain/unit-reference.ts';
import type { Recovery } from '../ports/catalog.ts';
import type { Unit } from '../ports/unit.ts';
import { type DiffTotals, totalsOf } from './diff.ts';
import { type ImagesTaken, type InPlaceResult, restoreInPlace } from './in-place.ts';
import { refuseInPlace, refuseUnstopped } from './in-place-holders.ts';
import { type InPlacePlan, planInPlace } from './in-place-plan.ts';
import { refuseServersFiles, servingPlan } from './in-place-servers.ts';
import { refuseOccupied, refuseOwnPaths } from './occupancy.ts';
import { type SelectedPoint, selectPoint } from './point-selection.ts';
import { choose } from './restore-choice.ts';
import type { RollbackOptions } from './rollback.ts';
import { recordReplaced } from './rollback-record.ts';
import { expectationOfService } from './rollback-service-expectation.ts';
import { type ServiceContext, serviceNamed, unitsOfService } from './service-context.ts';
import { labelOf, type ServicePoint } from './service-record.ts';
import { heldTrees } from './service-trees.ts';
import { waitForServiceCommands } from './service-wait.ts';
import type { Serving } from './serving.ts';
import { removeEndedKeptStates } from './snapshot-removal.ts';
import { downWhenMissing, type SeenUnit, withState } from './units.ts';

/** What a rollback of a whole service would do, found out without touching anything. */
export interface ServiceRollbackPlan {
  readonly point: ServicePoint;
  readonly plan: InPlacePlan;
  /** What of the units goes on. */
  readonly serving: Serving;
  /** Null when snapshots hold all. */
  readonly selected: SelectedPoint | null;
  /** In the order in which they start; each with whether it runs now. */
  readonly units: readonly SeenUnit[];
  readonly madeAt: Temporal.Instant;
  /** What was written since into trees that a snapshot holds, and is in their kept states. What a repository has is not
   *  compared. */
  readonly written: readonly { readonly path: string; readonly totals: DiffTotals }[];
  /** Containers that were made of another image since, or are gone. */
  readonly images: readonly { readonly unit: Unit; readonly container: string; readonly image: string }[];
}

export interface ServiceRollback {
  /** `failed`: the data are taken back, and something does not work with them. */
  readonly outcome: Recovery['outcome'];
  readonly point: string;
  readonly kept: InPlaceResult['kept'];
  readonly written: ServiceRollbackPlan['written'];
  /** The id of the safety point, when one had to be made. */
  readonly safetyPoint: string | null;
  /** What does not work, or has to be done by hand. */
  readonly problem: string | null;
  readonly warnings: readonly string[];
  readonly validation: InPlaceResult['validation'];
  readonly durationMs: number;
}

/** What takes a point back, and where it is read.
 *  @throws ServiceNotFound, PointNotFound, SnapshotMissing, UnitMissing; Refused, also where a server is in the way that no
 *  unit stops, or its account may not exchange databases */
export async function planWayBack(
  point: ServicePoint,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<Pick<ServiceRollbackPlan, 'plan' | 'selected'>> {
  const at = context.clock.now();
  const id = context.identifiers.next(at);
  const selected =
    point.repository === null
      ? null
      : await selectPoint({ what: point.id, repository: point.repository }, context, signal);
  const choices = selected === null ? [] : (await choose({}, selected, context, signal)).choices;
  const trees = await heldTrees(point.trees, id, context, signal);
  const names = { id, at, service: point.service, point: point.id };
  const plan = await planInPlace(choices, names, context, signal, trees);
  refuseUnstopped(plan);
  await refuseServersFiles(plan, context, signal);
  return { plan, selected };
}

/** @throws what {@link planWayBack} throws */
export async function planServiceRollback(
  point: ServicePoint,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<ServiceRollbackPlan> {
  const service = serviceNamed(point.service, context);
  const { plan: found, selected } = await planWayBack(point, context, signal);
  // a project whose file went with its containers is made again when the file is back
  const units = (await unitsOfService(service, context)).map((unit) =>
    unit.reference.kind === 'compose' ? downWhenMissing(unit) : unit,
  );
  const images: { unit: Unit; container: string; image: string }[] = [];
  const states = await withState(units, signal);
  for (const unit of units) {
    const now = await unit.images(signal);
    for (const [container, { identity, reference }] of Object.entries(imagesIn(point, unit)))
      if (now[container]?.identity !== identity) images.push({ unit, container, image: reference });
  }
  // a container that is made anew must be down, whatever the service says of a restore
  const plan = {
    ...found,
    units: units.filter((unit) => found.units.length > 0 || images.some((one) => one.unit === unit)),
  };
  const written = await writtenSince(point, context, signal);
  const madeAt = timeOfUlid(point.id);
  const serving = await servingPlan(plan, context, signal);
  return { point, plan, serving, selected, units: states, images, written, madeAt };
}

async function writtenSince(
  { trees }: ServicePoint,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<ServiceRollbackPlan['written']> {
  const written: { path: string; totals: DiffTotals }[] = [];
  const { files } = await context.host('local');
  for (const tree of trees) {
    if (!('pool' in tree) || (await files.status(tree.path, signal)) === null) continue;
    const snapshotter = await context.snapshotter(tree.pool);
    const name = lastName(tree.path);
    written.push({ path: tree.path, totals: await totalsOf(snapshotter.diff(tree.name, null, signal, name)) });
  }
  return written;
}

/** Whether the compose file of a unit goes back, too. */
const goesBack = ({ exchanges }: ServiceRollbackPlan['plan'], { reference }: Unit): boolean =>
  exchanges.some(({ path }) => isDeclaredIn(path, reference));

const imagesIn = ({ images }: ServicePoint, { reference }: Unit): ServicePoint['images'][number]['images'] =>
  images.find(({ unit }) => JSON.stringify(unit) === JSON.stringify(reference))?.images ?? {};

/** Takes a whole service back to a point that guard made: data first, then images, then units, in one journalled
 *  operation. The present state is kept. Until the last exchange a failure or a crash takes everything back.
 *  @throws TargetBusy, StateBusy, RepositoryLocked and whatever kept it from the exchange: then all is as it was */
export async function rollbackService(
  point: ServicePoint,
  options: RollbackOptions,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<ServiceRollback> {
  return await performServiceRollback(await planServiceRollback(point, context, signal), options, context, signal);
}

export async function performServiceRollback(
  { point, plan, selected, written }: ServiceRollbackPlan,
  { reason, expected, startAgain }: RollbackOptions,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<ServiceRollback> {
  const fromMs = context.clock.monotonicMs();
  await waitForServiceCommands(point.service, context, signal);
  await using _ =
    selected === null ? null : await selected.repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
  await refuseInPlace(plan, { live: false }, context, signal);
  const paths = plan.exchanges.filter(({ present }) => present !== null);
  await refuseTreesInUse(paths, plan.units, context, signal);
  const images: ImagesTaken[] = plan.units
    .map((unit) => ({
      unit,
      label: labelOf(point),
      images: imagesIn(point, unit),
      ...(goesBack(plan, unit) ? { madeAfter: timeOfUlid(point.id) } : {}),
    }))
    .filter((one) => Object.keys(one.images).length > 0);
  const wanted = {
    // a state that failed may not let itself be dumped, and is kept under another name anyway
    live: false,
    withoutSafety: false,
    dumps: false,
    reason,
    images,
    keptSeconds: context.guard.keptStates,
    expected: expected ?? (await expectationOfService(point.service, plan.units, context, signal)),
    ...(startAgain === null ? {} : { startAgain }),
  };
  const restored = { point: point.id, selected };
  const done = await restoreInPlace(plan, wanted, restored, context, signal);
  const { recovery, kept, safetyPoint, warnings, validation, bad } = done;
  const replaced = plan.exchanges.map(({ path, present, kept: aside }) => ({
    path,
    kept: present === null ? null : aside,
    written: written.find((one) => one.path === path)?.totals ?? null,
  }));
  const renamed = plan.databases.map(({ database, present, kept: aside }) => ({
    path: database,
    kept: present ? aside : null,
    written: null,
  }));
  await recordReplaced(recovery, [...replaced, ...renamed], context);
  await removeEndedKeptStates(context, signal);
  return {
    outcome: recovery.outcome,
    point: point.id,
    kept,
    written,
    safetyPoint,
    warnings,
    validation,
    problem: bad?.message ?? null,
    durationMs: Math.round(context.clock.monotonicMs() - fromMs),
  };
}

/** Whoever would stay on the old data if these paths were exchanged (interface, section 10, line 1).
 *  @throws TargetBusy, also for a mount of this machine, which would go on to show the old data; Refused for paths of
 *  Holdfast's own */
export async function refuseTreesInUse(
  trees: readonly { readonly path: string }[],
  units: readonly Unit[],
  context: ServiceContext,
  signal: AbortSignal,
): Promise<void> {
  for (const { path } of trees) {
    const { own } = await refuseOccupied(path, units, context, signal);
    await refuseOwnPaths(path, own, context, signal);
    const [mount] = own;
    if (mount === undefined) continue;
    throw new HoldfastError('TargetBusy', `${path} is also mounted at ${mount.point}.`, path, {
      hint: `Unmount ${mount.point}: it would go on to show the old data`,
    });
  }
}
