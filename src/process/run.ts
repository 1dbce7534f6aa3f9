import type { Bytes } from '../ports/bytes.ts';
import type { Command, Finished, RunOptions, Session, SessionOptions } from '../ports/host.ts';
import { type Account, lookUp, parseAccount } from './account.ts';
import type { Enter } from './enter.ts';
import { needsRoot, printedTooMuch, saidNoVersion } from './failure.ts';
import { GRACE_MS, openPipeline, type PipelineSettings } from './pipeline.ts';

/** Bytes of stdout that {@link runCommand} keeps. */
const OUTPUT_LIMIT = 16 * 1024 ** 2;
/** A directory service that does not answer is given up after this. */
const LOOK_UP_LIMIT_MS = 30_000;

export interface ProcessSettings {
  /** Milliseconds between TERM and KILL; 5000 when left out. */
  readonly graceMs?: number;
  /** Where the programs run, when not here. */
  readonly enter?: Enter;
}

/** Finds the account of `runAs`: null when it is the caller's own.
 *  @throws Unsupported when the caller may not take another one, ConfigurationInvalid when there is none of that name */
async function findAccount(name: string, signal: AbortSignal): Promise<Account | null> {
  const accept = [0, 2]; // getent(1): 2 is a key that was not found
  const found = parseAccount(
    name,
    (await runCommand(lookUp(name), { signal, accept, limitMs: LOOK_UP_LIMIT_MS })).stdout,
  );
  if (found.uid === process.geteuid?.()) return null;
  if (process.geteuid?.() !== 0) throw needsRoot(name);
  return found;
}

const settingsOf = ({ graceMs = GRACE_MS, enter }: ProcessSettings, discard: boolean): PipelineSettings => ({
  enter: enter ?? null,
  discard,
  graceMs,
  account: findAccount,
});

/** The last member's stdout. The iteration throws unless every member ended with an accepted code, however many bytes
 *  were read; leaving it early ends them all. Nothing is started before the first chunk is asked for.
 *  @throws ToolMissing, ProcessFailed; the reason of an aborted signal once all members ended */
export async function* readPipeline(
  commands: readonly Command[],
  options: RunOptions,
  settings: ProcessSettings = {},
): Bytes {
  await using pipeline = await openPipeline(commands, options, settingsOf(settings, false));
  yield* pipeline.output();
  await pipeline.finished();
}

/** Feeds `options.input` to the first member and waits for all of them; the last one's stdout is discarded. When the
 *  input throws, the members are ended before they could take what came for the whole. @throws as {@link readPipeline} */
export async function feedPipeline(
  commands: readonly Command[],
  options: RunOptions,
  settings: ProcessSettings = {},
): Promise<readonly Finished[]> {
  await using pipeline = await openPipeline(commands, options, settingsOf(settings, true));
  return await pipeline.finished();
}

/** Runs one program and returns what it printed, as it is, bytes that are not UTF-8 as U+FFFD.
 *  @throws as {@link readPipeline}; ProcessFailed beyond 16 MiB of output */
export async function runCommand(
  command: Command,
  options: RunOptions,
  settings: ProcessSettings = {},
): Promise<Finished & { readonly stdout: string }> {
  await using pipeline = await openPipeline([command], options, settingsOf(settings, false));
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of pipeline.output()) {
    size += chunk.length;
    if (size > OUTPUT_LIMIT) pipeline.stop(printedTooMuch(command.program, OUTPUT_LIMIT));
    else chunks.push(chunk);
  }
  const [finished] = await pipeline.finished();
  if (finished === undefined) throw new RangeError('a pipeline of one member has one end');
  return { ...finished, stdout: Buffer.concat(chunks).toString('utf8') };
}

/** Starts a program that is spoken to. @throws ToolMissing, ProcessFailed, now or when it is read */
export async function startSession(
  command: Command,
  options: SessionOptions,
  settings: ProcessSettings = {},
): Promise<Session> {
  const { openSession } = await import('./session.ts'); // most verbs speak to no program
  return await openSession(command, options, settingsOf(settings, false));
}

/** The first version number in what `program --version` prints, on either output and with any exit code.
 *  @throws ToolMissing; ProcessFailed when there is no number in it */
export async function readVersion(
  program: string,
  options: Pick<RunOptions, 'signal'>,
  settings: ProcessSettings = {},
): Promise<string> {
  const accept = Array.from({ length: 256 }, (_, code) => code);
  const limitMs = LOOK_UP_LIMIT_MS;
  const ended = await runCommand({ program, args: ['--version'] }, { ...options, accept, limitMs }, settings);
  const version = /\d+(?:\.\d+)+[-+.\w]*/.exec(`${ended.stdout}\n${ended.stderrTail}`)?.[0];
  if (version === undefined) throw saidNoVersion(program);
  return version;
}
