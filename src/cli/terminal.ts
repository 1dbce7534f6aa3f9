import { once } from 'node:events';
import type { Command } from 'commander';
import type { Problem } from '../config/diagnostic.ts';
import type { Configuration } from '../config/schema.ts';
import { HoldfastError } from '../domain/errors.ts';
import type { Machine } from '../operations/init-try.ts';
import { refuseDryRun } from './dry-run.ts';
import { exitCodeOf, firstCause } from './exit-code.ts';
import type { Application, Face, GlobalOptions, OpenRequest } from './face.ts';
import { globalOptionsOf, runCommandLine } from './program.ts';
import { errorAsJson, errorForPeople } from './render/error.ts';
import { progressOn } from './render/progress.ts';

export interface TerminalParts {
  readonly open: (request: OpenRequest, globals: GlobalOptions, face: Face) => Promise<Application>;
  readonly machine: () => Promise<Machine>;
  readonly undumpedDatabases: (configuration: Configuration, signal: AbortSignal) => Promise<readonly Problem[]>;
  readonly monotonicMs: () => number;
}

/** Ctrl-C and TERM abort the running operation once, with the error that gives the exit code; what was begun is then
 *  undone by the operation itself. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  const abort = (code: 'Interrupted' | 'Terminated', signal: string) => (): void =>
    controller.abort(new HoldfastError(code, `Stopped by ${signal}.`, 'holdfast'));
  process.on('SIGINT', abort('Interrupted', 'Ctrl-C'));
  process.on('SIGTERM', abort('Terminated', 'TERM'));
  process.on('SIGHUP', abort('Terminated', 'HUP'));
  return controller.signal;
}

const ended = (text: string): string => (text === '' || text.endsWith('\n') ? text : `${text}\n`);

async function ask(question: string, signal: AbortSignal): Promise<boolean> {
  const { createInterface } = await import('node:readline/promises');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal })).trim());
  } catch (error) {
    // readline has the terminal raw: there Ctrl-C is a key, and no signal comes
    if (signal.aborted || !(error instanceof Error && error.name === 'AbortError')) throw error;
    process.stderr.write('\n');
    throw new HoldfastError('Interrupted', 'The question was left without an answer.', 'holdfast', { cause: error });
  } finally {
    lines.close();
  }
}

const outputError = (cause: NodeJS.ErrnoException): HoldfastError =>
  new HoldfastError(
    cause.code === 'ENOSPC' ? 'NoSpace' : 'ProcessFailed',
    `Standard output took not all that was written to it (${cause.code}).`,
    'standard output',
    { cause },
  );

interface TerminalState {
  readonly globals: Face['globals'];
  readonly signal: AbortSignal;
  readonly progress: ReturnType<typeof progressOn>;
  /** Why stdout takes no more bytes; undefined while it does. */
  broken(): Error | undefined;
}

/** The streams of this process as what a command is given. */
function faceOn({ globals, signal, progress, broken }: TerminalState, parts: TerminalParts): Face {
  const throwUnlessBroken = (error: unknown): void => {
    if (!broken()) throw error;
  };
  const interactive = process.stdin.isTTY === true && process.stderr.isTTY === true;
  const face: Face = {
    globals,
    signal,
    interactive,
    progress,
    open: async (request = {}) => {
      if (request.writes) refuseDryRun(globals());
      return parts.open(request, globals(), face);
    },
    machine: parts.machine,
    undumpedDatabases: (configuration) => parts.undumpedDatabases(configuration, signal),
    print: (text) => {
      if (globals().json) return;
      progress.clear();
      process.stdout.write(ended(text));
    },
    printJson: (document) => {
      if (globals().json) process.stdout.write(`${JSON.stringify(document)}\n`);
    },
    note: (text) => {
      if (globals().quiet) return;
      progress.clear();
      process.stderr.write(ended(text));
    },
    write: async (bytes) => {
      for await (const chunk of bytes) {
        if (broken()) return; // leaving the loop closes what is read, and gives its lock back
        if (!process.stdout.write(chunk)) await once(process.stdout, 'drain', { signal }).catch(throwUnlessBroken);
      }
    },
    confirm: async (question) => {
      if (globals().yes) return true;
      if (!interactive)
        throw new HoldfastError(
          'AnswerNeeded',
          `This needs an answer, and there is no terminal to ask on: ${question}`,
          'holdfast',
        );
      progress.clear();
      return ask(question, signal);
    },
    exit: (code) => {
      process.exitCode = code;
    },
  };
  return face;
}

/** What is known of the options before commander has read them: only these two decide how an error is printed. */
const optionsSeenIn = (argv: readonly string[]): GlobalOptions => ({
  json: argv.includes('--json'),
  quiet: false,
  verbose: argv.includes('--verbose'),
  progress: true,
  dryRun: false,
  yes: false,
});

/** Runs one command line on this process's streams and sets its exit code. Never throws. */
export async function runOnTerminal(argv: readonly string[], parts: TerminalParts): Promise<void> {
  let program: Command | undefined;
  const globals = (): GlobalOptions => (program ? globalOptionsOf(program) : optionsSeenIn(argv));
  const signal = interruption();
  // An output that nobody takes ends no work: a run whose log is full or whose reader left proves and prunes all the same.
  let broken: NodeJS.ErrnoException | undefined;
  process.stdout.on('error', (error) => {
    broken ??= error;
  });
  process.stderr.on('error', () => undefined);
  const progress = progressOn({
    stream: process.stderr,
    quiet: () => globals().quiet,
    verbose: () => globals().verbose,
    enabled: () => globals().progress,
    nowMs: parts.monotonicMs,
  });
  const face = faceOn({ globals, signal, progress, broken: () => broken }, parts);
  try {
    await runCommandLine(argv, face, (made) => {
      program = made;
    });
    await new Promise(setImmediate); // an error of the last write comes with the next turn
    if (broken && broken.code !== 'EPIPE') throw outputError(broken); // EPIPE: the reader has enough, as `holdfast ls … | head`
  } catch (error) {
    const foreseen = firstCause(error) instanceof HoldfastError;
    const shown = signal.aborted && !foreseen ? new SuppressedError(error, signal.reason) : error;
    progress.clear();
    if (globals().json && !broken) process.stdout.write(`${JSON.stringify(errorAsJson(shown))}\n`);
    else process.stderr.write(`${errorForPeople(shown, globals().verbose)}\n`);
    process.exitCode = exitCodeOf(shown);
  }
}
