import { HoldfastError, messageOf } from '../domain/errors.ts';
import { maskSecrets } from '../domain/secret.ts';
import type { Finished } from '../ports/host.ts';
import { lastLine } from './stderr.ts';

const seconds = (milliseconds: number): string => `${Math.round(milliseconds / 100) / 10} s`;

/** A program that ended with a code that is not accepted, or by a signal. The end of its stderr is the cause. */
export function endedBadly(finished: Finished): HoldfastError {
  const { program, exitCode, signal, stderrTail } = finished;
  const how = exitCode === null ? `was ended by ${signal}` : `ended with ${exitCode}`;
  const why = lastLine(stderrTail);
  const cause = stderrTail === '' ? {} : { cause: new Error(stderrTail) };
  return new HoldfastError('ProcessFailed', `${program} ${how}${why === '' ? '.' : `: ${why}`}`, program, cause);
}

export const tookTooLong = (programs: readonly string[], limitMs: number): HoldfastError =>
  new HoldfastError(
    'ProcessFailed',
    `${programs.join(' | ')} did not end within ${seconds(limitMs)} and was stopped.`,
    programs.at(-1) ?? '',
    { hint: 'See what it waits for, or allow it more time' },
  );

export const printedTooMuch = (program: string, limit: number): HoldfastError =>
  new HoldfastError('ProcessFailed', `${program} printed more than ${limit / 1024 ** 2} MiB and was stopped.`, program);

export const lineTooLong = (program: string, limit: number): HoldfastError =>
  new HoldfastError(
    'ProcessFailed',
    `${program} printed a line of more than ${limit / 1024 ** 2} MiB and was stopped.`,
    program,
  );

const missing = (program: string, why: string): HoldfastError =>
  new HoldfastError('ToolMissing', `${program} ${why}.`, program);

/** A program that never started. `error` is the one of Node's spawn, whose text may hold arguments and is not shown. */
export function notStarted(program: string, error: unknown): HoldfastError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return missing(program, 'is not installed on this machine');
  if (code === 'EACCES') return missing(program, 'may not be executed by this account');
  const why = maskSecrets(code === '' ? messageOf(error) : code);
  return new HoldfastError('ProcessFailed', `${program} could not be started: ${why}.`, program);
}

/** setpriv starts, and then cannot become the program that it was asked for. */
export function notFoundBySetpriv(program: string, { exitCode, stderrTail }: Finished): HoldfastError | null {
  if (!/^setpriv: failed to execute /m.test(stderrTail)) return null;
  if (exitCode === 127) return missing(program, 'is not installed on this machine');
  return exitCode === 126 ? missing(program, 'may not be executed by this account') : null;
}

export const needsRoot = (account: string): HoldfastError =>
  new HoldfastError('Unsupported', `Only root can run a program as "${account}".`, account, {
    hint: 'Run Holdfast as root or as that account, or leave runAs out',
  });

export const saidNoVersion = (program: string): HoldfastError =>
  new HoldfastError('ProcessFailed', `${program} --version prints no version number.`, program, {
    hint: 'Look whether it is the program that it should be',
  });
