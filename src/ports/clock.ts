/** Time and identifiers, so that a test can move the one and foretell the other. */
export interface Clock {
  /** The wall clock. It may jump; never subtract two of these to measure a duration. */
  now(): Temporal.Instant;
  /** Milliseconds that only go forward, from an unspecified start. */
  monotonicMs(): number;
  /** Rejects with the signal's reason when it is aborted first. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export interface Identifiers {
  /** A ULID (https://github.com/ulid/spec) for this instant, later ones sorting after earlier ones. */
  next(at: Temporal.Instant): string;
}
