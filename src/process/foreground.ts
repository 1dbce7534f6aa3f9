import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { isatty } from 'node:tty';
import { HoldfastError } from '../domain/errors.ts';

/** A command of the caller's own. */
interface ForegroundCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** Added to the caller's environment, which is passed on unchanged. */
  readonly environment: Readonly<Record<string, string>>;
  /** The command's stdout goes where stderr goes. */
  readonly stdoutToStderr: boolean;
  /** Nothing is started once it is aborted. */
  readonly signal: AbortSignal;
}

interface ForegroundEnd {
  /** As a shell tells it: 128 and the number of the signal that ended it. */
  readonly exitCode: number;
  /** A signal came while it ran, and it did not end well. */
  readonly interrupted: 'SIGINT' | 'SIGTERM' | null;
}

const WATCHED = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'] as const;
type Watched = (typeof WATCHED)[number];

/** Runs a command in the foreground: in the caller's process group, with its stdin, stdout, stderr, terminal and working
 *  folder. While it runs, signals to this process abort nothing: what a terminal sends reaches the command by itself,
 *  everything else is passed on. A terminal that a killed command left behind is set as it was.
 *  @throws ToolMissing, ProcessFailed when it cannot be started; the reason of a signal that was aborted before */
export async function runInForeground(command: ForegroundCommand): Promise<ForegroundEnd> {
  const terminal = terminalSettings();
  const fromTerminal = hasTerminal();
  let seen: ForegroundEnd['interrupted'] = null;
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  // all at once, so that a signal either aborted before, and nothing is started, or is told to the command
  using _signals = takeSignals((signal) => {
    const byKey = signal === 'SIGINT' || signal === 'SIGQUIT';
    seen ??= byKey ? 'SIGINT' : 'SIGTERM';
    // a second Ctrl-C means more to many programs than the first
    if (!(byKey && fromTerminal)) child.kill(signal);
  });
  command.signal.throwIfAborted();
  const child = spawn(command.program, command.args, {
    env: { ...process.env, ...command.environment },
    stdio: ['inherit', command.stdoutToStderr ? 2 : 'inherit', 'inherit'],
  });
  child.on('error', (error) => reject(notStarted(command.program, error)));
  child.on('exit', (code, signal) => {
    if (signal === 'SIGINT' || signal === 'SIGQUIT') seen ??= 'SIGINT';
    if (signal !== null && terminal !== null && hasForeground())
      spawnSync('stty', [terminal], { stdio: ['inherit', 'ignore', 'ignore'] });
    resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
  const exitCode = await promise;
  await setImmediate(); // the end of the command may be told before the key that ended it, which must abort nothing
  return { exitCode, interrupted: exitCode === 0 ? null : seen };
}

/** The settings of the terminal on stdin, as stty(1) takes them back; null without one. */
function terminalSettings(): string | null {
  if (!isatty(0)) return null;
  const { status, stdout } = spawnSync('stty', ['--save'], { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Whether the terminal is ours at the moment: who sets one from the background is stopped (SIGTTOU), and nothing would be
 *  taken back until somebody brings it to the foreground. By proc(5): `PID (NAME) STATE PPID PGRP SESSION TTY TPGID`. */
function hasForeground(): boolean {
  const [, , group, , , owner] = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return group === owner;
}

/** Whether Ctrl-C can come from a terminal, which then sends it to the whole process group. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/** Signals are told to `handle` alone, until it is disposed of. No signal is without a listener meanwhile: one that comes
 *  at that moment would be lost, or end this process. */
function takeSignals(handle: (signal: Watched) => void): Disposable {
  const before = WATCHED.map((signal) => ({ signal, listeners: process.listeners(signal) }));
  for (const { signal, listeners } of before) {
    process.on(signal, handle as NodeJS.SignalsListener);
    for (const listener of listeners) process.off(signal, listener as NodeJS.SignalsListener);
  }
  return {
    [Symbol.dispose]: () => {
      for (const { signal, listeners } of before) {
        for (const listener of listeners) process.on(signal, listener as NodeJS.SignalsListener);
        process.off(signal, handle as NodeJS.SignalsListener);
      }
    },
  };
}

const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such program',
  EACCES: 'it is a folder, or this account may not execute it',
};

function notStarted(program: string, error: NodeJS.ErrnoException): HoldfastError {
  const why = NOT_STARTED[error.code ?? ''];
  const words = `${program} cannot be started: ${why === undefined ? error.message : `${why}.`}`;
  return new HoldfastError(error.code === 'ENOENT' ? 'ToolMissing' : 'ProcessFailed', words, program, { cause: error });
}
