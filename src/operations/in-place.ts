import type { HoldfastError } from '../domain/errors.ts';
import { messageOf } from '../domain/errors.ts';
import { imagesTaken } from '../journal/images-step.ts';
import { recoveryRecorded } from '../journal/step.ts';
import type { KeptState, Recovery } from '../ports/catalog.ts';
import type { Images, Unit } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { lookAfter } from './in-place-checks.ts';
import { type Renamed, stageDatabases, swapDatabases } from './in-place-databases.ts';
import { keepExcluded } from './in-place-excluded.ts';
import { refuseHolders, unseenHolders } from './in-place-holders.ts';
import { type KeptAside, keptUntil } from './in-place-kept.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import { servingPlan } from './in-place-servers.ts';
import { lookedAgain, prepared, stage } from './in-place-stage.ts';
import { dressMountPoint, type SetAside, swap } from './in-place-swap.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { RestoredItem } from './restore-request.ts';
import type { Expectation } from './rollback-expectation.ts';
import { makeSafetyPoint, safetyOf } from './safety-point.ts';
import { sharersToStop } from './service-containers.ts';
import { lockService } from './service-lock.ts';
import { type Stopped, startsOf, startUnits, stopUnits } from './units.ts';
import type { Validation } from './validate.ts';

export interface InPlaceOptions {
  readonly live: boolean;
  /** No safety point is made. */
  readonly withoutSafety: boolean;
  /** Whether databases, which are kept under another name, are dumped into the safety point, too; true when left out. */
  readonly dumps?: boolean;
  /** By hand when left out. */
  readonly reason?: Recovery['reason'];
  /** What ran before the change that is taken back, and runs again afterwards; left out: what runs now. */
  readonly startAgain?: readonly Stopped[];
  /** What must be good afterwards, in place of the service's checks and of the units that were started. */
  readonly expected?: Expectation;
  /** How long the present state is kept, in seconds; 30 days when left out. */
  readonly keptSeconds?: number;
  /** Taken back after the data and before the start. */
  readonly images?: readonly ImagesTaken[];
}

/** The images that a unit ran, which are kept under a label. */
export interface ImagesTaken {
  readonly unit: Unit;
  readonly label: string;
  readonly images: Images;
  /** As {@link Unit.takeImagesBack} takes it. */
  readonly madeAfter?: Temporal.Instant;
}

/** What is restored: the id of the point, and where it can be read; null when snapshots hold all of it. */
export interface Restored {
  readonly point: string;
  readonly selected: SelectedPoint | null;
}

export interface InPlaceResult {
  /** As it was recorded. */
  readonly recovery: Recovery;
  readonly items: readonly RestoredItem[];
  readonly kept: readonly KeptAside[];
  readonly safetyPoint: string | null;
  readonly warnings: readonly string[];
  readonly validation: Validation | null;
  /** What does not work although all is restored; the data stay. Null when all is well. */
  readonly bad: HoldfastError | null;
}

/** Restores in place: all is staged and proved beside the present state, paths and databases, then exchanged together;
 *  the present state is kept. Until the last exchange a failure or a crash takes everything back, but for roles that were
 *  made. No backup of the service runs meanwhile. What does not work afterwards is in the answer. */
export async function restoreInPlace(
  plan: InPlacePlan,
  options: InPlaceOptions,
  restored: Restored,
  context: Context,
  signal: AbortSignal,
): Promise<InPlaceResult> {
  const startedAt = context.clock.now();
  const from = context.clock.monotonicMs();
  const id = context.identifiers.next(startedAt);
  const recoveryOf = (outcome: Recovery['outcome'], kept: readonly KeptState[]): Recovery => ({
    id,
    subject: { kind: 'service', name: plan.service.name },
    restored: restored.point,
    reason: options.reason ?? 'manual-recovery',
    startedAt,
    durationMs: Math.round(context.clock.monotonicMs() - from),
    outcome,
    kept,
  });
  let swapped = false;
  const onSwapped = (): void => {
    swapped = true;
  };
  const parts = { restored, context, startedAt, recoveryOf, onSwapped };
  try {
    const { selected } = restored;
    const safety = options.withoutSafety ? null : await safetyOf(plan, options.dumps ?? true, signal);
    const safetyPoint =
      safety === null || selected === null
        ? null
        : await makeSafetyPoint(plan.service, safety, selected, context, signal);
    return { ...(await exchangeAll(plan, options, parts, signal)), safetyPoint };
  } catch (error) {
    if (swapped) throw error; // only what comes after failed
    try {
      await context.catalog.recordRecovery(recoveryOf('failed', []));
    } catch (second) {
      throw new SuppressedError(second, error, 'The recovery could not be recorded either.');
    }
    throw error;
  }
}

interface ExchangeParts {
  readonly restored: Restored;
  readonly context: Context;
  readonly startedAt: Temporal.Instant;
  readonly recoveryOf: (outcome: Recovery['outcome'], kept: readonly KeptState[]) => Recovery;
  /** Called at the point of no return. */
  readonly onSwapped: () => void;
}

async function exchangeAll(
  plan: InPlacePlan,
  options: InPlaceOptions,
  { restored, context, startedAt, recoveryOf, onSwapped }: ExchangeParts,
  signal: AbortSignal,
): Promise<Omit<InPlaceResult, 'safetyPoint'>> {
  const { host, service } = plan;
  const { live, images = [], expected, keptSeconds } = options;
  await using _ = await lockService(service.name, context, signal);
  const paths = plan.exchanges.map(({ path, kept }) => ({ path, kept }));
  const databases = plan.databases.map(({ database, kept }) => ({ database, kept }));
  const detail = { service: service.name, point: restored.point, paths, databases };
  await using journal = await (await context.journal()).begin({ verb: 'restore', subject: service.name, detail });
  const parts = { selected: restored.selected, context, journal };
  const { exchanges: staged, items } = await stage(await prepared(plan, signal), parts, signal);
  const filled = await stageDatabases(plan, parts, signal);
  const { members: spared } = await servingPlan(plan, context, signal);
  const sharing = await stopUnits(sharersToStop(plan), journal, context, signal, spared);
  const stopped = await stopUnits(plan.units, journal, context, signal, spared);
  const exchanges = await lookedAgain(staged, host, signal);
  await refuseHolders(plan, live, signal); // reading took its time, and a unit may have left a process behind
  const warnings: string[] = [...(await unseenHolders(plan, signal))];
  const aside: SetAside[] = [];
  for (const exchange of exchanges) warnings.push(...(await keepExcluded(exchange, plan, journal, signal)));
  for (const exchange of exchanges) aside.push(...(await swap(exchange, { host, journal }, signal)));
  // Last: where their server is away after a crash, nothing is taken back before it answers, and no unit is started.
  const renamed = await swapDatabases(plan.databases, parts, signal);
  const stages = [...new Set(plan.exchanges.flatMap((exchange) => (exchange.copy === null ? exchange.stage : [])))];
  const { kept, states } = keptOf({ aside, renamed }, keptUntil(startedAt, keptSeconds), plan);
  const recovery = recoveryOf('success', states);
  const again = [...(options.startAgain ?? stopped), ...sharing];
  const removals = stages.map((path) => ({ kind: 'path-removed', host: host.name, path }) as const);
  const imageSteps = images.map(({ unit, label, images: wanted, madeAfter }) =>
    imagesTaken(unit.reference, label, wanted, madeAfter),
  );
  await journal.forwardOnly([recoveryRecorded(recovery), ...imageSteps, ...startsOf(again), ...removals]);
  onSwapped();
  await context.catalog.recordRecovery(recovery);
  for (const exchange of exchanges) if (exchange.way === 'contents') await dressMountPoint(exchange, host, signal);
  const problems = [...(await takeImages(images, context, signal)), ...(await startUnits(again, context, signal))];
  for (const path of stages) await host.files.remove(path, signal);
  await journal.done(); // trying again does not help a unit that does not start; a person is told
  const well = await lookAfter(plan, [...stopped, ...sharing], { problems, expected, kept }, context, signal);
  const { validation, bad } = well;
  // once more, under the same id: it took until the service was seen to work
  const ended = recoveryOf(bad === null ? 'success' : 'failed', states);
  await context.catalog.recordRecovery(ended);
  const restoredItems = [...items, ...filled];
  return { recovery: ended, items: restoredItems, kept, warnings: [...warnings, ...well.warnings], validation, bad };
}

/** What was set aside, as the answer tells it, and as the catalog keeps it. */
function keptOf(
  { aside, renamed }: { readonly aside: readonly SetAside[]; readonly renamed: readonly Renamed[] },
  until: Temporal.Instant,
  { host, service }: InPlacePlan,
): { readonly kept: readonly KeptAside[]; readonly states: readonly KeptState[] } {
  const kept: readonly KeptAside[] = [
    ...aside.map((one) => ({ ...one, kind: 'path' as const, until })),
    ...renamed.map(({ original, path }) => ({ original, path, kind: 'database' as const, until })),
  ];
  const states: readonly KeptState[] = [
    ...aside.map(({ path }) => ({ path, host: host.name, until })),
    ...renamed.map(({ source, path, original }) => ({
      service: service.name,
      source,
      database: path,
      original,
      until,
    })),
  ];
  return { kept, states };
}

/** One unit whose images cannot be taken back keeps no other down. @returns what has to be done by hand */
async function takeImages(
  all: readonly ImagesTaken[],
  { progress }: Pick<Context, 'progress'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { unit, label, images, madeAfter } of all) {
    progress({ type: 'step', subject: unit.name, text: 'images' });
    try {
      await unit.takeImagesBack(label, images, signal, madeAfter);
    } catch (error) {
      signal.throwIfAborted();
      const hint = (error as Partial<HoldfastError>).hint;
      problems.push(`${messageOf(error)}${hint === undefined ? '' : ` By hand: ${hint}`}`);
    }
  }
  return problems;
}
