import { HoldfastError, saysFull } from '../../domain/errors.ts';
import { exitCodeOf, firstCause, leftBehind } from '../exit-code.ts';
import { printable } from './table.ts';

/** An error that nobody foresaw, as one that a person can read. */
function asHoldfastError(error: unknown): HoldfastError {
  const cause = firstCause(error);
  if (cause instanceof HoldfastError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof Error && 'syscall' in cause && 'path' in cause) {
    if (cause.syscall === 'mkdtemp') return noTemporaryFolder(String(cause.path), cause);
    const code = saysFull(cause) ? 'NoSpace' : 'PathUnusable'; // errno(3): no defect of ours
    return new HoldfastError(code, `${cause.path}: ${message}.`, String(cause.path), { cause });
  }
  return new HoldfastError('Internal', `Something unexpected happened: ${message}`, 'holdfast', { cause });
}

function noTemporaryFolder(path: string, cause: Error): HoldfastError {
  const folder = path.slice(0, path.lastIndexOf('/'));
  const hint = 'TMPDIR names the folder; without it that is /tmp';
  const code = saysFull(cause) ? 'NoSpace' : 'PathUnusable';
  const words = `No temporary folder can be made in ${folder}: ${cause.message.replace(/,? mkdtemp.*$/, '')}.`;
  return new HoldfastError(code, words, folder, { cause, hint });
}

const lines = (text: string): string => text.split('\n').map(printable).join('\n');

/** `holdfast: MESSAGE`, then `  next: HINT`, and the same of what stays open; with `verbose` the errors underneath, their
 *  stacks included. */
export function errorForPeople(error: unknown, verbose: boolean): string {
  const known = asHoldfastError(error);
  const shown = [known, ...leftBehind(error)].flatMap(({ message, hint }) => [
    `holdfast: ${lines(message)}`,
    `  next: ${lines(hint)}`,
  ]);
  for (
    let cause = known.cause;
    verbose && cause !== undefined;
    cause = cause instanceof Error ? cause.cause : undefined
  )
    shown.push(`  because: ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}`);
  return shown.join('\n');
}

export function errorAsJson(error: unknown): object {
  const first = asHoldfastError(error);
  const left = leftBehind(error).map((one) => plain(one));
  const { code, ...rest } = plain(first);
  return { error: { code, exitCode: exitCodeOf(error), ...rest, ...(left.length === 0 ? {} : { left }) } };
}

const plain = ({ code, message, subject, hint }: HoldfastError) => ({ code, message, subject, hint });
