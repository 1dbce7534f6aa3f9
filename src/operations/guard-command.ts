import { messageOf } from '../domain/errors.ts';
import type { GuardContext } from './guard-context.ts';
import { VERBS } from './guards.ts';

/** How the guarded command ended. */
export interface CommandEnd {
  /** As a shell tells it: 128 and the number of the signal that ended it. */
  readonly exitCode: number;
  /** The person at the terminal, or whoever ended Holdfast, interrupted it. */
  readonly interrupted: 'SIGINT' | 'SIGTERM' | null;
}

/** Runs the command in the foreground, with the caller's terminal. The environment is added to the caller's.
 *  @throws when it cannot be started at all */
export type RunCommand = (environment: Readonly<Record<string, string>>) => Promise<CommandEnd>;

/** The variable by which a guarded command tells what it starts inside which guards it runs, the outermost first. */
const GUARDS = 'HOLDFAST_GUARDS';

/** The points of the guards inside which this process runs. */
export const guardsIn = (environment: Readonly<Record<string, string | undefined>>): readonly string[] =>
  environment[GUARDS]?.split(' ') ?? []; // neither a snapshot's name nor a ULID has a space

/** What a guard adds to the environment of its command. @param point its own */
export const guardsOf = (
  point: string,
  { guardedBy }: Pick<GuardContext, 'guardedBy'>,
): Readonly<Record<string, string>> => ({ [GUARDS]: [...guardedBy, point].join(' ') });

export type Ended = CommandEnd & { readonly error: string | null };

/** A command that cannot be started has failed: 127, as a shell tells it.
 *  @throws the signal's reason when that came before the command began, which was not started then */
export async function endOf(
  run: RunCommand,
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Ended> {
  signal.throwIfAborted();
  try {
    return { ...(await run(environment)), error: null };
  } catch (error) {
    signal.throwIfAborted();
    return { exitCode: 127, interrupted: null, error: messageOf(error) };
  }
}

/** While the command runs, an entry says so to rollbacks of others, which wait for it. */
export async function asCommand(
  subject: string,
  detail: object,
  { journal }: Pick<GuardContext, 'journal'>,
  run: () => Promise<Ended>,
): Promise<Ended> {
  await using entry = await (await journal()).begin({ verb: VERBS.command, subject, detail });
  const ended = await run();
  await entry.done();
  return ended;
}
