import type { LookOutcome } from '../domain/settling.ts';

/** What a validator found at one moment. `observed` is the validator's own plain data; nobody else reads it. */
export interface Observation {
  readonly observed: unknown;
  /** False for something that is bad by itself, whatever was before. True in a baseline: it must be good afterwards. */
  readonly good: boolean;
  readonly detail: string;
}

/** `pending`: not good yet and on its way, so waiting is worth while; its time does not count against settling.
 *  `warning`: worth telling, and no reason to take anything back. */
export interface Verdict {
  readonly outcome: LookOutcome;
  /** One line for people. */
  readonly detail: string;
}

/** One way to see whether something works. What every implementation owes (test/contracts/validator.ts proves it):
 *  - what was bad in the baseline is never a reason for `failed`;
 *  - what cannot be looked at is never `passed`: a baseline rejects then, a verdict rejects, is `inconclusive`, or
 *    `warning` of what never says worse;
 *  - looking changes nothing, and may be repeated;
 *  - each look ends within a limit of its own, a minute at most;
 *  - an aborted look rejects with the signal's reason. */
export interface Validator {
  /** For people: `http http://127.0.0.1:8096/health`, `unit jellyfin.service`. Unique among those of one validation. */
  readonly name: string;
  /** True when a bad verdict may become better by waiting. False: it is looked at once, after all others settled. */
  readonly settles: boolean;
  /** True for what runs: being good for a moment is not enough. */
  readonly mustStay: boolean;
  baseline(signal: AbortSignal): Promise<Observation>;
  /** @param baseline null when there was none: what is bad now is `inconclusive` then, since it may have been before */
  verdict(baseline: Observation | null, signal: AbortSignal): Promise<Verdict>;
}
