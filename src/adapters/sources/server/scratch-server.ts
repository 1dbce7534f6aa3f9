import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Command, Host } from '../../../ports/host.ts';
import type { ScratchPlace } from '../../../ports/scratch.ts';

const START_LIMIT_MS = 60_000;
const TRY_AGAIN_MS = 25;
/** Milliseconds that a server which was told to stop is waited for before it is ended. */
const STOP_LIMIT_MS = 10_000;

const AGAIN = 'Try it again; the recovery point itself was not judged';

/** A server that runs for a drill. Disposal ends it. */
export interface ScratchServer extends AsyncDisposable {
  /** What to throw for an error that was met while the server was used: that of the server, when it has ended or does not
   *  answer any more. A client sees the end of its connection before the server has ended. */
  reasonOf(error: unknown): Promise<unknown>;
}

export interface ServerStart {
  /** As people call it: `PostgreSQL 15.18`. */
  readonly name: string;
  readonly command: Command;
  /** True once it answers; a rejection is taken for "not yet". */
  answers(): Promise<boolean>;
  /** Milliseconds in which it has to answer; a minute when left out. */
  readonly limitMs?: number;
  /** Asks it to end at once, without saving anything; TERM does it when left out. */
  readonly stop?: () => Promise<void>;
}

/** Starts a server and waits until it answers. @throws ScratchUnusable when it does not */
export async function startScratchServer(
  { name, command, answers, limitMs = START_LIMIT_MS, stop }: ServerStart,
  { host }: ScratchPlace,
  signal: AbortSignal,
): Promise<ScratchServer> {
  const session = await host.session(command, { signal });
  let over: { readonly error: unknown } | null = null;
  const whole = (async () => {
    try {
      while ((await session.line()) !== null);
      over = { error: null };
    } catch (error) {
      over = { error };
    }
  })();
  await using started = new AsyncDisposableStack();
  started.defer(async () => {
    if (over === null && stop !== undefined) {
      await stop().catch(() => undefined); // what does not hear is ended
      await Promise.race([whole, sleep(STOP_LIMIT_MS, undefined, { ref: false })]);
    }
    await session[Symbol.asyncDispose]();
    await whole;
  });
  const ended = (): HoldfastError | null =>
    over &&
    new HoldfastError('ScratchUnusable', `The scratch server (${name}) ended: ${lastWords(over.error)}`, name, {
      cause: over.error,
      hint: AGAIN,
    });
  const deadline = performance.now() + limitMs;
  while (!(await answers().catch(() => false))) {
    signal.throwIfAborted();
    const failure = ended();
    if (failure !== null) throw failure;
    if (performance.now() > deadline)
      throw new HoldfastError('ScratchUnusable', `The scratch server (${name}) does not answer.`, name);
    await sleep(TRY_AGAIN_MS, undefined, { signal });
  }
  async function reasonOf(error: unknown): Promise<unknown> {
    const limit = (): Promise<boolean> => sleep(STOP_LIMIT_MS, false, { ref: false });
    if (await Promise.race([answers().catch(() => false), limit()])) return ended() ?? error;
    await Promise.race([whole, limit()]);
    const words = `The scratch server (${name}) does not answer any more.`;
    return ended() ?? new HoldfastError('ScratchUnusable', words, name, { cause: error, hint: AGAIN });
  }
  const kept = started.move();
  return {
    reasonOf,
    [Symbol.asyncDispose]: () => kept[Symbol.asyncDispose](),
  };
}

/** Sends a signal to a process by what its file of a number holds. A container numbers its own, and few images have a
 *  program for it. On a signal of its own: the caller's may be aborted by then. */
export async function tellProcess(host: Host, word: 'QUIT' | 'KILL', number = ''): Promise<void> {
  if (!/^\s*[1-9]\d*\s*$/.test(number)) return;
  const args = ['-c', 'kill "-$1" "$2"', 'sh', word, number.trim()];
  await host.run({ program: 'sh', args }, { signal: AbortSignal.timeout(STOP_LIMIT_MS) });
}

const lastWords = (error: unknown): string => {
  const said = error instanceof HoldfastError && error.cause instanceof Error ? error.cause.message : String(error);
  const lines = said.trim().split('\n');
  const errors = lines.filter((line) => /\b(?:error|fatal|panic)\b/i.test(line)); // a crash goes on with much else
  return (errors.length > 0 ? errors : lines).slice(-2).join(' ').slice(0, 300) || 'it said nothing';
};
