import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { ForwardStep } from '../journal/step.ts';
import type { Unit } from '../ports/unit.ts';
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

/** Who is told of what is stopped and started. */
export type Told = Pick<Context, 'progress'>;

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
