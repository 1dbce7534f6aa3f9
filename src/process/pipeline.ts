import { stat } from 'node:fs/promises';
import { HoldfastError } from '../domain/errors.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Command, Finished, RunOptions } from '../ports/host.ts';
import type { Account } from './account.ts';
import type { BulkOutput } from './bulk-output.ts';
import type { Enter } from './enter.ts';
import { endedBadly, tookTooLong } from './failure.ts';
import type { Member } from './member.ts';
import { pour } from './pour.ts';

/** Milliseconds between TERM and KILL. */
export const GRACE_MS = 5000;
/** The longest delay that a timer of Node has: about 24.8 days. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export interface PipelineSettings {
  /** True when the last member's stdout is not wanted. */
  readonly discard: boolean;
  readonly graceMs: number;
  /** Finds the account of `runAs`; null when it is the caller's own. */
  readonly account: (name: string, signal: AbortSignal) => Promise<Account | null>;
  /** Where the programs run, when not here. */
  readonly enter?: Enter | null;
}

/** Programs that run, each one's stdout going to the next one's stdin. Hold it with `await using`: leaving the block
 *  before `finished` resolved ends them. */
export interface Pipeline extends AsyncDisposable {
  /** The last member's stdout. It may end early and in peace: only `finished` tells whether it is whole. */
  output(): Bytes;
  /** Ends every member; `finished` rejects with the first reason that was given. */
  stop(reason: unknown): void;
  /** Waits until all members ended. @throws the reason why it is no success */
  finished(): Promise<readonly Finished[]>;
}

async function prepare(command: Command, settings: PipelineSettings, signal: AbortSignal): Promise<Account | null> {
  if (settings.enter) return null;
  const folder = command.workingFolder;
  if (folder !== undefined && !(await stat(folder).catch(() => null))?.isDirectory())
    throw new HoldfastError('SourceMissing', `${command.program} cannot run in ${folder}: no such folder.`, folder);
  return command.runAs === undefined ? null : settings.account(command.runAs, signal);
}

/** Starts a pipeline. A member's stdin is closed only once the member before it ended well; otherwise it is ended
 *  by TERM first. So no program takes half of the bytes for the whole (`psql` would commit them). */
export async function openPipeline(
  commands: readonly Command[],
  options: RunOptions,
  settings: PipelineSettings,
): Promise<Pipeline> {
  const { signal, limitMs, input, accept = [0], onStderr, onFinished, bulk = false } = options;
  signal.throwIfAborted();
  const { startMember } = await import('./member.ts'); // read when the first program is started: most verbs start none
  const accounts = await Promise.all(commands.map((command) => prepare(command, settings, signal)));
  signal.throwIfAborted();
  const output: BulkOutput | null = bulk ? await (await import('./bulk-output.ts')).openBulkOutput() : null;
  const lastStdout = output?.file ?? (settings.discard ? 'ignore' : 'pipe');

  let failure: { readonly reason: unknown } | null = null;
  let stopped: Promise<unknown> = Promise.resolve();
  let succeeded = false;
  function stop(reason: unknown): void {
    if (failure !== null) return;
    failure = { reason };
    stopped = Promise.all(members.map((member) => member.stop()));
    output?.stop();
  }
  function tellStderr(line: string): void {
    try {
      onStderr?.(line);
    } catch (error) {
      stop(error);
    }
  }
  const members = commands.map((command, place) =>
    startMember(command, {
      stdin: place > 0 || input !== undefined ? 'pipe' : 'ignore',
      stdout: place === commands.length - 1 ? lastStdout : 'pipe',
      account: accounts[place] ?? null,
      graceMs: settings.graceMs,
      enter: settings.enter ?? null,
      onStderr: tellStderr,
    }),
  );
  output?.handOver();
  const onAbort = (): void => stop(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const late = (): void =>
    stop(
      tookTooLong(
        commands.map(({ program }) => program),
        limitMs ?? 0,
      ),
    );
  const timer = limitMs === undefined ? undefined : setTimeout(late, Math.min(limitMs, LONGEST_DELAY_MS));

  /** Members whose stdin was closed by themselves, before all was written to it. */
  const cut = new Set<number>();
  async function judge(member: Member, place: number): Promise<boolean> {
    try {
      const finished = await member.ended;
      onFinished?.(finished);
      if (finished.exitCode !== null && accept.includes(finished.exitCode)) return true;
      // A producer that died of a closed pipe is the consequence: the consumer's own end is told first.
      if (cut.has(place + 1)) await judged[place + 1];
      stop(endedBadly(finished));
    } catch (error) {
      stop(error);
    }
    return false;
  }
  async function join(bytes: Bytes, place: number, whole: () => Promise<boolean>): Promise<void> {
    const stdin = members[place]?.stdin;
    if (!stdin) return;
    try {
      if (!(await pour(bytes, stdin, settings.graceMs))) cut.add(place);
      else if (await whole()) stdin.end();
    } catch (error) {
      stop(error);
    }
  }
  const judged: readonly Promise<boolean>[] = members.map(judge);
  const joints = members.map((_, place) => {
    const before = members[place - 1];
    if (before?.stdout) return join(before.stdout, place, async () => (await judged[place - 1]) === true);
    return input === undefined ? undefined : join(input, place, async () => true);
  });

  async function allEnded(): Promise<void> {
    await Promise.all([...judged, ...joints]);
    await stopped;
    await output?.closed;
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
  return {
    async *output() {
      try {
        for await (const chunk of output?.bytes() ?? members.at(-1)?.stdout ?? []) {
          if (failure !== null) return;
          yield chunk;
        }
      } catch (error) {
        stop(error);
      }
    },
    stop,
    async finished() {
      await allEnded();
      if (failure !== null) throw failure.reason;
      succeeded = true;
      return Promise.all(members.map((member) => member.ended));
    },
    async [Symbol.asyncDispose]() {
      if (succeeded) return; // what it left running on purpose, such as a server, stays
      stop(new Error('nobody reads it any more'));
      await allEnded();
    },
  };
}
