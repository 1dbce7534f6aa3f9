import { ERRORS, firstOf, HoldfastError, leftOpen } from '../domain/errors.ts';
import type { Outcome } from '../domain/recovery-point.ts';

/** An error that ends the program with another code than its own: guard's 4, whatever the reason. */
export class EndsWith extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, cause: unknown) {
    super('', { cause });
    this.exitCode = exitCode;
  }
}

/** The first failure, not the clean-up's: an abort's reason, or what `await using` hid behind its own error. */
export function firstCause(error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  if (error instanceof EndsWith) return firstCause(error.cause);
  if (error instanceof SuppressedError) return firstCause(firstOf(error));
  if (error instanceof Error && error.name === 'AbortError' && error.cause !== undefined)
    return firstCause(error.cause);
  return error;
}

/** Of an error that reaches the top. */
export const leftBehind = (error: unknown): readonly HoldfastError[] =>
  error instanceof EndsWith ? leftBehind(error.cause) : leftOpen(error);

/** For errors that reach the top. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof EndsWith) return error.exitCode;
  const cause = firstCause(error);
  return cause instanceof HoldfastError ? ERRORS[cause.code].exit : ERRORS.Internal.exit;
}

/** Outcomes of the verbs that make points (interface, section 3). */
export const EXIT_OF_BACKUP: Readonly<Record<Outcome, number>> = { passed: 0, partial: 3, failed: 1, inconclusive: 5 };
/** Outcomes of the verbs that prove them. */
export const EXIT_OF_PROOF: Readonly<Record<Outcome, number>> = { passed: 0, partial: 1, failed: 1, inconclusive: 5 };
