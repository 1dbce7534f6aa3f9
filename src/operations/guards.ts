import { formatDuration } from '../domain/duration.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { OpenEntry } from '../journal/journal.ts';
import { type EntryWait, waitForEntries } from './entry-wait.ts';
import type { GuardContext } from './guard-context.ts';

/** Verbs of journal entries by which processes see each other. */
export const VERBS = {
  guard: 'guard',
  command: 'guarded command',
  rollback: 'rollback',
  /** Of a guard that found something bad, until it has taken that back. */
  turn: 'rollback of a guard',
} as const;

/** What an entry says of what it works on. */
export interface PoolDetail {
  readonly pool: string;
  readonly subvolumes: readonly string[];
  /** Where these are, absolute: services whose trees lie there wait. */
  readonly folders: readonly string[];
  /** A snapshot that must not be removed meanwhile. */
  readonly snapshot: string;
}

/** What an entry that may be no guard's says of a pool; empty where it says nothing. */
const detailOf = ({ detail }: OpenEntry): Partial<PoolDetail> => (detail as Partial<PoolDetail> | null) ?? {};

function worksOn(entry: OpenEntry, pool: string, subvolumes: readonly string[]): boolean {
  const other = detailOf(entry);
  return other.pool === pool && (other.subvolumes ?? []).some((name) => subvolumes.includes(name));
}

type Waits = Pick<GuardContext, 'journal' | 'clock' | 'guard' | 'progress' | 'guardedBy'>;

/** Waits until the commands of other guards on these subvolumes have ended: an exchange would pull the data from beneath
 *  them. A command that takes back what its own guard protects would wait for itself. @throws StateBusy when the limit is
 *  over */
export const waitForCommands = (
  pool: string,
  subvolumes: readonly string[],
  context: Waits,
  signal: AbortSignal,
): Promise<void> =>
  waitWhile((entry) => entry.verb === VERBS.command && worksOn(entry, pool, subvolumes), context, signal);

/** Takes back one after the other what guards side by side found bad: what this guard's snapshot is to replace is what the
 *  one before it leaves. @param run begins when nobody else's command or rollback is on these subvolumes
 *  @throws StateBusy when the limit is over */
export async function inTurn<Answer>(
  subject: string,
  detail: PoolDetail,
  context: Waits,
  signal: AbortSignal,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const journal = await context.journal();
  await using turn = await journal.begin({ verb: VERBS.turn, subject, detail });
  const stands = (entry: OpenEntry): boolean => {
    if (!worksOn(entry, detail.pool, detail.subvolumes)) return false;
    if (entry.verb !== VERBS.turn) return entry.verb === VERBS.command || entry.verb === VERBS.rollback;
    return begunBefore(turn.id, journal.open()).some(({ id }) => id === entry.id);
  };
  await waitWhile(stands, context, signal);
  const answer = await run();
  await turn.done();
  return answer;
}

const WHAT: Readonly<Record<string, string>> = { [VERBS.command]: 'command', [VERBS.turn]: 'rollback' };

/** @throws StateBusy when the limit is over */
function waitWhile(stands: (entry: OpenEntry) => boolean, context: Waits, signal: AbortSignal): Promise<void> {
  const { limit } = context.guard;
  const whatOf = ({ verb }: OpenEntry): string => WHAT[verb] ?? 'rollback';
  const wait: EntryWait = {
    limitMs: limit * 1000,
    stands,
    waiting: (other) => ({ subject: other.subject, text: `waiting for the ${whatOf(other)} of another guard` }),
    over: (other) => {
      const { subject, owner } = other;
      const words = `The ${whatOf(other)} of another guard (process ${owner.pid}) still runs on ${subject} after ${formatDuration(limit)}.`;
      return new HoldfastError('StateBusy', words, subject);
    },
  };
  return waitForEntries(wait, context, signal);
}

/** Of two processes that both begin an entry before they look, only one sees the other here. */
const begunBefore = (own: string, entries: readonly OpenEntry[]): readonly OpenEntry[] =>
  entries.slice(
    0,
    entries.findIndex(({ id }) => id === own),
  );

/** A snapshot of this name is another's who began before, though it may not be there yet: `btrfs` would put ours into it.
 *  @param own the entry that has the name too
 *  @throws TargetExists */
export async function refuseNameOfOther(
  own: string,
  pool: string,
  name: string,
  { journal }: Pick<GuardContext, 'journal'>,
): Promise<void> {
  const other = begunBefore(own, (await journal()).open()).find((entry) => {
    const detail = detailOf(entry);
    return detail.pool === pool && detail.snapshot === name;
  });
  if (other === undefined) return;
  const words = `The snapshot ${name} is made by another guard (process ${other.owner.pid}).`;
  throw new HoldfastError('TargetExists', words, name);
}

/** Two rollbacks of one subvolume exclude each other: the one that was begun first goes on.
 *  @param own the entry of this rollback, which is in the journal already
 *  @throws StateBusy */
export async function refuseOtherRollback(
  own: string,
  pool: string,
  subvolumes: readonly string[],
  { journal }: Pick<GuardContext, 'journal'>,
): Promise<void> {
  const entries = (await journal()).open();
  const earlier = new Set(begunBefore(own, entries));
  const first = entries.find(
    (entry) =>
      entry.verb === VERBS.rollback &&
      entry.id !== own &&
      (entry.state !== 'running' || earlier.has(entry)) &&
      worksOn(entry, pool, subvolumes),
  );
  if (first === undefined) return;
  const words =
    first.state === 'running'
      ? `Another rollback of ${first.subject} runs (process ${first.owner.pid}).`
      : `A rollback of ${first.subject} was cut short and is not put right yet.`;
  const hint = first.state === 'running' ? {} : { hint: 'Put it right with: holdfast unlock' };
  throw new HoldfastError('StateBusy', words, first.subject, hint);
}
