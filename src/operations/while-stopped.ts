import { HoldfastError } from '../domain/errors.ts';
import type { Unit } from '../ports/unit.ts';
import type { Context } from './context.ts';
import { type Stopped, stopUnits, type Told } from './units.ts';

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
