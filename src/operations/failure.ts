import { ERRORS, type ErrorCode, firstOf, HoldfastError, leftOpen, messageOf, saysFull } from '../domain/errors.ts';

/** What could not be done. `repository` is null when the service failed before any was written. */
export interface Failure {
  readonly service: string;
  readonly repository: string | null;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/** The failure that an error is; one that nobody foresaw is a defect, and says so. */
export function failureOf(error: unknown, service: string, repository: string | null): Failure {
  // When the clean-up fails too, the first failure is the one to know of.
  if (error instanceof SuppressedError) {
    const first = failureOf(firstOf(error), service, repository);
    const left = leftOpen(error);
    const message = [first, ...left].map((one) => one.message).join(' ');
    return { ...first, message, hint: left[0]?.hint ?? first.hint };
  }
  const unforeseen: ErrorCode = saysFull(error) ? 'NoSpace' : 'Internal';
  const { code, hint } = error instanceof HoldfastError ? error : { code: unforeseen, hint: ERRORS[unforeseen].hint };
  return { service, repository, code, message: messageOf(error), hint };
}

/** What went wrong first, and what stays open because of it. */
export function wordsOfAll(error: unknown): string {
  return [messageOf(firstOf(error)), ...leftOpen(error).map(({ message, hint }) => `${message} Next: ${hint}`)].join(
    ' ',
  );
}

/** When nothing at all was done and every failure says the same (no such repository, locked, wrong password, not
 *  built), the verb ends with the exit code of that error and not with a mere 1. */
export function throwCommonFailure(failures: readonly Failure[]): void {
  const [first] = failures;
  if (first === undefined || failures.some(({ code }) => code !== first.code)) return;
  if (ERRORS[first.code].exit === 1) return;
  throw new HoldfastError(first.code, first.message, first.repository ?? first.service, { hint: first.hint });
}
