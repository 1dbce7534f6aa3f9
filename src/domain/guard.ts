/** What became of a snapshot and of what it was made for (interface, section 5). */
export type SnapshotOutcome =
  | 'pending'
  | 'success'
  | 'command_failed'
  | 'validation_failed'
  | 'rolled_back'
  | 'rollback_failed';

export const SNAPSHOT_OUTCOMES: readonly SnapshotOutcome[] = [
  ...(['pending', 'success', 'command_failed'] as const),
  ...(['validation_failed', 'rolled_back', 'rollback_failed'] as const),
];

/** How guard works, durations in seconds, shares from 0 to 1. */
export interface GuardSettings {
  readonly when: 'always' | 'auto';
  /** How young a point counts as fresh. */
  readonly fresh: number;
  /** How long checks are tried, from when nothing is starting any more. */
  readonly settle: number;
  /** How long units must stay up. */
  readonly steady: number;
  /** How long a unit may be starting, and how long a rollback waits for the commands of other guards. */
  readonly limit: number;
  readonly retries: number;
  readonly keep: { readonly latest: number; readonly within: number };
  /** How long the state before a rollback is kept. */
  readonly keptStates: number;
  readonly minFree: number;
  readonly operations: ReadonlyMap<string, OperationSettings>;
}

export interface OperationSettings {
  readonly reversible: boolean;
  /** False for an operation that touches no data that outlives it. */
  readonly persistent: boolean;
}

const DAY = 86_400;

export const GUARD_DEFAULTS: GuardSettings = {
  when: 'always',
  fresh: 3600,
  settle: 30,
  steady: 5,
  limit: 600,
  retries: 3,
  keep: { latest: 20, within: 7 * DAY },
  keptStates: 30 * DAY,
  minFree: 0.1,
  operations: new Map(),
};

export interface Decision {
  readonly protect: boolean;
  /** For people and records. */
  readonly reason: string;
}

/** Whether a recovery point is made before an operation, and why (interface, "Settled cases").
 *  @param newest when the newest point of the subject was made; null when there is none */
export function decide(
  operation: string,
  when: GuardSettings['when'],
  { fresh, operations }: Pick<GuardSettings, 'fresh' | 'operations'>,
  newest: Temporal.Instant | null,
  now: Temporal.Instant,
): Decision {
  if (when === 'always') return { protect: true, reason: 'always' };
  const declared = operations.get(operation);
  if (declared?.reversible) return { protect: false, reason: `${operation} is declared reversible` };
  if (declared?.persistent === false)
    return { protect: false, reason: `${operation} is declared to touch no data that outlives it` };
  if (newest === null) return { protect: true, reason: 'there is no recovery point yet' };
  const age = (now.epochMilliseconds - newest.epochMilliseconds) / 1000;
  if (age < 0)
    return { protect: true, reason: 'the newest recovery point is in the future, so its age cannot be told' };
  if (age < fresh) return { protect: false, reason: `a recovery point of ${newest} is fresh enough` };
  return { protect: true, reason: `the newest recovery point is of ${newest}` };
}

/** What became of a guarded command. `interrupted`: it was ended by Ctrl-C or TERM and nothing was taken back.
 *  `unprotected`: no point was made, because `auto` saw no need; the command's own end decides. */
export interface GuardEnd {
  readonly outcome: SnapshotOutcome | 'unprotected';
  /** 0 to 255 as a shell tells it; null when no command was run. */
  readonly commandExit: number | null;
  /** The signal of the terminal that ended it. */
  readonly interrupted: 'SIGINT' | 'SIGTERM' | null;
  /** Nothing was seen to be bad, and not everything could be looked at; the outcome stays `pending`. */
  readonly inconclusive: boolean;
}

/** Exit codes of guard (interface, section 3). 4 is not among them: it is an error from before the command. */
export function guardExitCode({ outcome, commandExit, interrupted, inconclusive }: GuardEnd): number {
  if (outcome === 'rolled_back' || outcome === 'validation_failed') return 2;
  if (outcome === 'rollback_failed') return 3;
  if (interrupted !== null) return interrupted === 'SIGINT' ? 130 : 143;
  if (inconclusive) return 5;
  return outcome === 'command_failed' || (commandExit ?? 0) !== 0 ? 1 : 0;
}
