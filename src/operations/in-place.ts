import { HoldfastError } from '../domain/errors.ts';
import { isBelow } from '../domain/tree-path.ts';
import { recoveryRecorded } from '../journal/step.ts';
import type { KeptState, Recovery } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { moveExcluded } from './in-place-excluded.ts';
import { keptUntil } from './in-place-kept.ts';
import { type InPlacePlan, parentOf } from './in-place-plan.ts';
import { type Staged, stage } from './in-place-stage.ts';
import { type SetAside, swap } from './in-place-swap.ts';
import type { SelectedPoint } from './point-selection.ts';
import { userIdOf } from './restore-extract.ts';
import type { RestoredItem } from './restore-request.ts';
import { refuseFullDisk } from './restore-space.ts';
import { makeSafetyPoint } from './safety-point.ts';
import { lockService } from './service-lock.ts';
import { type Stopped, startsOf, startUnits, stopUnits, untilHealthy } from './units.ts';
import { demandingGood, validate } from './validate.ts';

export interface InPlaceOptions {
  readonly live: boolean;
  readonly withoutSafety: boolean;
}

export interface InPlaceResult {
  readonly items: readonly RestoredItem[];
  readonly kept: readonly (KeptState & { readonly original: string })[];
  readonly safetyPoint: string | null;
  readonly warnings: readonly string[];
}

/** What refuses a restore in place, looked at before anything is written.
 *  @throws TargetBusy, NoSpace */
export async function refuseInPlace(plan: InPlacePlan, { live }: InPlaceOptions, signal: AbortSignal): Promise<void> {
  const own = await Promise.all(plan.units.map((unit) => unit.processes(signal)));
  await refuseHolders(plan, live, signal, new Set(own.flat()));
  const { files } = plan.host;
  for (const folder of new Set(plan.exchanges.map((exchange) => exchange.stage))) {
    const choices = new Set(plan.exchanges.filter((exchange) => exchange.stage === folder).map(({ choice }) => choice));
    await refuseFullDisk([...choices], { existing: parentOf(folder) }, files, signal);
  }
}

/** A process that has the old data open goes on with them after a rename, and what it writes is in the kept state.
 *  @param stopped processes that will be stopped before */
async function refuseHolders(
  { host, exchanges }: InPlacePlan,
  live: boolean,
  signal: AbortSignal,
  stopped: ReadonlySet<number> = new Set(),
): Promise<void> {
  for (const { path, present, presentCompanions, exclusive } of exchanges) {
    if (live && !exclusive) continue;
    const paths = present === null ? presentCompanions : [path, ...presentCompanions];
    const holders = new Set<string>();
    for (const held of paths) {
      for (const holder of await host.files.holders(held, signal))
        if (!stopped.has(Number(holder.split(' ', 1)[0]))) holders.add(holder);
    }
    if (holders.size === 0) continue;
    const words = `${path} is held by ${[...holders].join(', ')}.`;
    const hint = exclusive ? {} : { hint: 'End these processes, or restore beneath them with: --live' };
    throw new HoldfastError('TargetBusy', words, path, hint);
  }
}

/** Only root sees what the processes of other accounts hold. */
async function unseenHolders({ host, exchanges }: InPlacePlan, signal: AbortSignal): Promise<readonly string[]> {
  const exclusive = exchanges.filter((exchange) => exchange.exclusive).map(({ path }) => path);
  if (exclusive.length === 0 || (await userIdOf(host, signal)) === 0) return [];
  return [`Whether a process of another account holds ${exclusive.join(', ')} could not be seen without root`];
}

/** Restores in place: all is staged and proved beside the paths, then exchanged; the present state is kept. Until the
 *  last exchange a failure or a crash takes everything back. No backup of the service runs meanwhile. */
export async function restoreInPlace(
  plan: InPlacePlan,
  options: InPlaceOptions,
  selected: SelectedPoint,
  context: Context,
  signal: AbortSignal,
): Promise<InPlaceResult> {
  const startedAt = context.clock.now();
  const from = context.clock.monotonicMs();
  const recoveryOf = (outcome: Recovery['outcome'], kept: readonly KeptState[]): Recovery => ({
    id: context.identifiers.next(startedAt),
    subject: { kind: 'service', name: plan.service.name },
    restored: selected.point.id,
    reason: 'manual-recovery',
    startedAt,
    durationMs: Math.round(context.clock.monotonicMs() - from),
    outcome,
    kept,
  });
  let swapped = false;
  const onSwapped = (): void => {
    swapped = true;
  };
  const parts = { selected, context, startedAt, recoveryOf, onSwapped };
  try {
    const safetyPoint = options.withoutSafety ? null : await makeSafetyPoint(plan, selected, context, signal);
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
  readonly selected: SelectedPoint;
  readonly context: Context;
  readonly startedAt: Temporal.Instant;
  readonly recoveryOf: (outcome: Recovery['outcome'], kept: readonly KeptState[]) => Recovery;
  /** Called at the point of no return. */
  readonly onSwapped: () => void;
}

async function exchangeAll(
  plan: InPlacePlan,
  { live }: InPlaceOptions,
  { selected, context, startedAt, recoveryOf, onSwapped }: ExchangeParts,
  signal: AbortSignal,
): Promise<Omit<InPlaceResult, 'safetyPoint'>> {
  const { host, service } = plan;
  await using _ = await lockService(service.name, context, signal);
  const detail = { point: selected.point.id, paths: plan.exchanges.map(({ path, kept }) => ({ path, kept })) };
  await using journal = await (await context.journal()).begin({ verb: 'restore', subject: service.name, detail });
  const { exchanges, items } = await stage(plan, { selected, context, journal }, signal);
  const stopped = await stopUnits(plan.units, journal, context, signal);
  await refuseHolders(plan, live, signal); // reading took its time, and a unit may have left a process behind
  const warnings: string[] = [...(await unseenHolders(plan, signal))];
  const aside: SetAside[] = [];
  for (const exchange of exchanges) warnings.push(...(await keepExcluded(exchange, plan, journal, signal)));
  for (const exchange of exchanges) aside.push(...(await swap(exchange, { host, journal }, signal)));
  const stages = [...new Set(plan.exchanges.map((exchange) => exchange.stage))];
  const until = keptUntil(startedAt);
  const kept = aside.map((state) => ({ ...state, host: host.name, until }));
  const states = kept.map(({ path }) => ({ path, host: host.name, until }));
  const recovery = recoveryOf('success', states);
  const removals = stages.map((path) => ({ kind: 'path-removed', host: host.name, path }) as const);
  await journal.forwardOnly([recoveryRecorded(recovery), ...startsOf(stopped), ...removals]);
  onSwapped();
  await context.catalog.recordRecovery(recovery);
  for (const exchange of exchanges) if (exchange.way === 'contents') await dressMountPoint(exchange, plan, signal);
  const notStarted = await startUnits(stopped, context, signal);
  for (const path of stages) await host.files.remove(path, signal);
  await journal.done(); // trying again does not help a unit that does not start; a person is told
  const started = stopped.map(({ unit }) => unit);
  const bad = notStarted.length > 0 ? notStarted : await untilHealthy(started, context.clock, signal);
  if (bad.length > 0) throw notWell('UnitFailed', service.name, bad, kept);
  warnings.push(...(await check(plan, stopped, kept, context, signal)));
  return { items, kept, warnings };
}

/** Whether the service works, by its declared checks. A restore is there because something was bad before, so that all of
 *  them must be good. When all of its units were down, that is by intent, and nothing can be asked.
 *  @returns what could not be told
 *  @throws CheckFailed */
async function check(
  { service, units, checks }: InPlacePlan,
  stopped: readonly Stopped[],
  kept: readonly { readonly path: string }[],
  { settling, clock, progress }: Pick<Context, 'settling' | 'clock' | 'progress'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (checks.length === 0) return [];
  if (units.length > 0 && stopped.length === 0)
    return [`Not checked, since nothing of it ran before: ${checks.map(({ name }) => name).join(', ')}`];
  progress({ type: 'step', subject: service.name, text: 'check' });
  const expected = demandingGood(checks.map(() => null));
  const validation = await validate(checks, expected, settling, clock, signal);
  const of = (outcome: string): readonly string[] =>
    validation.checks.filter((one) => one.outcome === outcome).map(({ name, detail }) => `${name}: ${detail}`);
  if (validation.outcome === 'invalid') throw notWell('CheckFailed', service.name, of('failed'), kept);
  return of('inconclusive').map((words) => `Could not be checked: ${words}`);
}

/** The data are restored and stay: only a person can tell whether they or the unit are to blame. */
function notWell(
  code: 'UnitFailed' | 'CheckFailed',
  service: string,
  bad: readonly string[],
  kept: readonly { readonly path: string }[],
): HoldfastError {
  const what = code === 'UnitFailed' ? 'its units are not well' : 'it does not pass its checks';
  const words = `${service} is restored, and ${what}: ${bad.join('; ')}.`;
  const paths = kept.map(({ path }) => path).join(', ');
  const state = paths === '' ? '' : ` The state before is kept in ${paths}.`;
  return new HoldfastError(code, `${words}${state}`, service);
}

async function keepExcluded(
  exchange: Staged,
  { host, exchanges }: InPlacePlan,
  journal: Parameters<typeof moveExcluded>[2],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { path, root, staged, present, choice } = exchange;
  if (present?.type !== 'directory' || !choice.tree) return [];
  const inside = exchanges.filter((other) => other.way === 'nested' && isBelow(other.path, path));
  const owned = new Set(inside.flatMap((other) => [other.path, ...other.companions]));
  const wanted = { present: path, restored: staged, root, patterns: choice.item?.exclude ?? [], owned };
  const stayed = await moveExcluded(wanted, host, journal, signal);
  if (stayed.length === 0) return [];
  const more = stayed.length > 5 ? ` and ${stayed.length - 5} more` : '';
  return [
    `Left out by the source and not taken over, but kept in ${exchange.kept}: ${stayed.slice(0, 5).join(', ')}${more}`,
  ];
}

/** A mount point stays and only its contents were exchanged; it takes the owner and the mode of the folder in the point. */
async function dressMountPoint({ path, staged }: Staged, { host }: InPlacePlan, signal: AbortSignal): Promise<void> {
  for (const program of ['chown', 'chmod']) {
    await host.run({ program, args: [`--reference=${staged}`, '--', path] }, { signal });
  }
}
