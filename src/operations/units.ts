import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { ForwardStep } from '../journal/step.ts';
import type { Clock } from '../ports/clock.ts';
import type { Unit, UnitHealth } from '../ports/unit.ts';
import type { Context } from './context.ts';

/** A unit that was stopped, and what of it ran before. */
export interface Stopped {
  readonly unit: Unit;
  readonly members: readonly string[];
  /** As {@link Unit.start} takes it. */
  readonly madeAfter?: Temporal.Instant;
}

/** A unit, and whether something of it runs now. */
export interface SeenUnit {
  readonly unit: Unit;
  readonly running: boolean;
}

/** One after the other, in their order. @throws UnitMissing */
export async function withState(units: readonly Unit[], signal: AbortSignal): Promise<readonly SeenUnit[]> {
  const seen: SeenUnit[] = [];
  for (const unit of units) seen.push({ unit, running: (await unit.running(signal)).length > 0 });
  return seen;
}

type Told = Pick<Context, 'progress'>;

/** Stops what runs of these units, the last declared first. Each stop is in the journal before it is taken, so that
 *  whatever happens then, taking the entry back starts it again. What is down stays down and is not in the answer. All
 *  are looked at before the first one is stopped.
 *  @param spared members that go on: what a source is read from, or restored into
 *  @param onFirst called at the moment at which the first one is told to stop
 *  @returns in the declared order
 *  @throws UnitMissing before anything is stopped; UnitFailed */
export async function stopUnits(
  units: readonly Unit[],
  journal: Pick<JournalEntry, 'step'>,
  { progress }: Told,
  signal: AbortSignal,
  spared: ReadonlySet<string> = new Set(),
  onFirst: () => void = () => {},
): Promise<readonly Stopped[]> {
  const running: Stopped[] = [];
  for (const unit of units) {
    const members = await unit.running(signal);
    if (members.every((member) => spared.has(member))) continue;
    running.push({ unit, members });
    const starters = await unit.starters(signal);
    if (starters.length === 0) continue;
    progress({ type: 'warning', subject: unit.name, text: `it may be started meanwhile by ${starters.join(', ')}` });
  }
  let first = true;
  for (const { unit, members } of running.toReversed()) {
    progress({ type: 'step', subject: unit.name, text: 'stop' });
    const own = members.filter((member) => spared.has(member));
    const step = { kind: 'unit-stopped', unit: unit.reference, members } as const;
    await journal.step(own.length === 0 ? step : { ...step, spared: own }, () => {
      if (first) onFirst();
      first = false;
      return unit.stop(signal, new Set(own));
    });
  }
  return running;
}

/** A unit that is not there, or not yet, is down and has no processes: a deployment makes its container, or fails after it
 *  removed it, and neither may keep the data from being protected or taken back. */
export const downWhenMissing = (unit: Unit): Unit => ({
  ...unit,
  running: (signal) => unit.running(signal).catch(noneWhenMissing),
  processes: (signal) => unit.processes(signal).catch(noneWhenMissing),
  images: (signal) => unit.images(signal).catch((error) => Object.fromEntries(noneWhenMissing(error))),
});

/** For a look at a unit that may not be there: nothing, where it is not. @throws any other error again */
export function noneWhenMissing(error: unknown): readonly never[] {
  if (error instanceof HoldfastError && error.code === 'UnitMissing') return [];
  throw error;
}

/** Those that run, with what of them does: what has to run again after a change is taken back. */
export async function runningOf(units: readonly Unit[], signal: AbortSignal): Promise<readonly Stopped[]> {
  const all = await Promise.all(units.map(async (unit) => ({ unit, members: await unit.running(signal) })));
  return all.filter(({ members }) => members.length > 0);
}

/** What is still to be done after the point of no return, in the declared order. */
export const startsOf = (stopped: readonly Stopped[]): readonly ForwardStep[] =>
  stopped.map(({ unit, members, madeAfter }) => ({
    ...{ kind: 'unit-started', unit: unit.reference, members },
    ...(madeAfter === undefined ? {} : { madeAfter: madeAfter.toString() }),
  }));

/** Starts what ran, in the declared order. One that does not start keeps no other down.
 *  @returns why, of each that did not start
 *  @throws the signal's reason */
export async function startUnits(
  stopped: readonly Stopped[],
  { progress }: Told,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const failures: string[] = [];
  for (const { unit, members } of stopped) {
    progress({ type: 'step', subject: unit.name, text: 'start' });
    try {
      await unit.start(members, signal);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(messageOf(error));
    }
  }
  return failures;
}

interface ToStop {
  readonly verb: string;
  readonly subject: string;
  readonly units: readonly Unit[];
  /** Stopped first, and left down. */
  readonly forGood?: readonly Unit[];
  /** Members of them that go on. */
  readonly spared?: ReadonlySet<string>;
}

export interface WhileStopped<Result> {
  readonly result: Result;
  /** What is wrong with the units nevertheless: one that ran meanwhile, or did not start again. */
  readonly problems: readonly unknown[];
  /** Those that ran before. */
  readonly stopped: readonly Stopped[];
  /** From the first stop to the last start; 0 when nothing ran. */
  readonly downtimeMs: number;
  /** When the last one was started, by the monotonic clock. */
  readonly startedMs: number;
}

/** What somebody else starts again, as the label of its container says: nothing leads back, so it is in no journal. */
async function stopForGood(unit: Unit, { progress }: Told, signal: AbortSignal): Promise<void> {
  if ((await unit.running(signal)).length === 0) return;
  progress({ type: 'step', subject: unit.name, text: 'stop, and leave it down' });
  await unit.stop(signal);
}

/** What work that is done while units are stopped is told. */
export interface Stillness {
  /** Whether something was stopped. */
  readonly down: boolean;
  /** Says that the units may run again although the work goes on. Resolves once they were started, or could not be. */
  release(): Promise<void>;
}

/** Does `work` while the units are stopped. They run again when it says so, or when it resolves or rejects, also after an
 *  abort or, by the next start of Holdfast, a crash. */
export async function whileStopped<Result>(
  { verb, subject, units, forGood = [], spared = new Set() }: ToStop,
  context: Pick<Context, 'journal' | 'progress' | 'clock'>,
  signal: AbortSignal,
  work: (stillness: Stillness) => Promise<Result>,
): Promise<WhileStopped<Result>> {
  const problems: unknown[] = [];
  let stopped: readonly Stopped[] = [];
  let stoppedAt = Number.NaN;
  let [stillFrom, stillMs]: [number, number | null] = [Number.NaN, null];
  let working: Promise<Result> | null = null;
  const [released, started] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const release = (): Promise<void> => {
    released.resolve();
    return started.promise;
  };
  try {
    // Left without `done`, the entry starts them: the same way after success, failure, abort and crash.
    await using journal = await (await context.journal()).begin({ verb, subject });
    for (const unit of forGood) await stopForGood(unit, context, signal);
    stopped = await stopUnits(units, journal, context, signal, spared, () => {
      stoppedAt = context.clock.monotonicMs();
    });
    stillFrom = context.clock.monotonicMs();
    working = work({ down: stopped.length > 0, release });
    await Promise.race([released.promise, working]);
    for (const { unit } of stopped.filter((one) => !one.unit.tellsDowntime))
      if (!spared.isSupersetOf(new Set(await unit.running(signal)))) problems.push(ranMeanwhile(unit, subject));
    stillMs = context.clock.monotonicMs() - stillFrom;
    for (const { unit } of stopped) context.progress({ type: 'step', subject: unit.name, text: 'start' });
  } catch (error) {
    if (working === null) throw error;
    problems.push(error);
  } finally {
    started.resolve();
  }
  const startedMs = context.clock.monotonicMs();
  // what was told after the start need not be asked while all is down
  const looked = stillMs === null ? NOT_LOOKED : await lookBack(stopped, { spared, stillMs, subject }, signal);
  problems.push(...looked.problems);
  const upAt = Math.min(startedMs, stillFrom + (looked.downMs ?? Number.POSITIVE_INFINITY));
  const downtimeMs = stopped.length === 0 ? 0 : Math.round(upAt - stoppedAt);
  const [ended] = await Promise.allSettled([working]);
  if (ended.status === 'rejected') throw withCause(ended.reason, problems);
  if (problems.length > 0) signal.throwIfAborted();
  return { result: ended.value, problems, stopped, downtimeMs, startedMs };
}

/** A stop and a start may take a moment longer to tell of themselves than to happen. */
const TOLERANCE_MS = 100;

interface LookedBack {
  /** One for each unit that was down for less time than it was left alone. */
  readonly problems: readonly unknown[];
  /** For how long the one that started last was down: it runs before it was looked at and the journal closed. Null where
   *  a unit does not tell, or has several members, of which the shortest time is told. */
  readonly downMs: number | null;
}

const NOT_LOOKED: LookedBack = { problems: [], downMs: null };

async function lookBack(
  stopped: readonly Stopped[],
  { spared, stillMs, subject }: { spared: ReadonlySet<string>; stillMs: number; subject: string },
  signal: AbortSignal,
): Promise<LookedBack> {
  const problems: unknown[] = [];
  const told: number[] = [];
  for (const { unit, members } of stopped.filter((one) => one.unit.tellsDowntime)) {
    try {
      const own = members.filter((member) => !spared.has(member));
      const downMs = await unit.downMs(own, signal);
      if (downMs !== null && downMs < stillMs - TOLERANCE_MS) problems.push(ranMeanwhile(unit, subject));
      else if (downMs !== null && own.length === 1) told.push(downMs);
    } catch (error) {
      problems.push(error);
    }
  }
  return { problems, downMs: told.length > 0 && told.length === stopped.length ? Math.max(...told) : null };
}

/** The work's own failure, and beneath it what else went wrong. */
function withCause(failure: unknown, problems: readonly unknown[]): unknown {
  const others = problems.filter((one) => one !== failure);
  const [told] = others;
  if (told === undefined || (told instanceof SuppressedError && told.suppressed === failure)) return told ?? failure;
  return new SuppressedError(told, failure, 'The units could not be started as they were either.');
}

const ranMeanwhile = ({ name }: Unit, subject: string): HoldfastError =>
  new HoldfastError('UnitFailed', `${name} was started by somebody while ${subject} was read.`, name, {
    hint: 'Stop what starts it during the backup: its timers and sockets, a watchdog, a restart policy',
  });

/** How long something may be starting, and how long it may be bad after that, in milliseconds (interface, section 5). */
const STARTING_LIMIT_MS = 10 * 60_000;
const SETTLE_MS = 30_000;
/** What starts anew says that it is starting, or restarting: what is down stays down. */
const DOWN_MS = 5_000;
/** What says nothing of its health, and fails at what it finds, does so within this time. */
const STEADY_MS = 2_000;
const LOOK_AGAIN_MS = 250;
const GOOD: ReadonlySet<UnitHealth> = new Set<UnitHealth>(['healthy', 'undeclared']);

/** Waits until units that were started are healthy, or run where they say nothing of their health.
 *  @param startedMs when they were started, by the monotonic clock: then what says nothing of its health has to run two
 *  seconds after that
 *  @returns what is wrong with each that is not, when its time is over
 *  @throws the signal's reason */
export async function untilHealthy(
  units: readonly Unit[],
  clock: Clock,
  signal: AbortSignal,
  startedMs = Number.NEGATIVE_INFINITY,
): Promise<readonly string[]> {
  const from = clock.monotonicMs();
  const bad: string[] = [];
  for (const unit of units) {
    let settledSince: number | null = null;
    for (;;) {
      const health = await unit.health(signal);
      const now = clock.monotonicMs();
      const steady = health === 'healthy' || now - startedMs >= STEADY_MS;
      if (GOOD.has(health) && steady) break;
      if (GOOD.has(health)) {
        await clock.sleep(LOOK_AGAIN_MS, signal);
        continue;
      }
      settledSince = health === 'starting' ? null : (settledSince ?? now);
      const over =
        settledSince === null
          ? now - from > STARTING_LIMIT_MS
          : now - settledSince > (health === 'down' ? DOWN_MS : SETTLE_MS);
      if (over) {
        bad.push(`${unit.name} is ${health}`);
        break;
      }
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }
  return bad;
}
