/** What a validator found at one moment. `observed` is the validator's own plain data; nobody else reads it. */
export interface Observation {
  readonly observed: unknown;
  /** False for something that is bad by itself, whatever was before. */
  readonly good: boolean;
  readonly detail: string;
}

/** `pending`: not good yet and on its way, so waiting is worth while; its time does not count against settling. */
export interface Verdict {
  readonly outcome: 'passed' | 'warning' | 'pending' | 'failed' | 'inconclusive';
  readonly detail: string;
}

/** One way to see whether something works. What every implementation owes (test/contracts/validator.ts proves it):
 *  - what was bad in the baseline is never a reason for `failed`;
 *  - what cannot be looked at is `inconclusive`, never `passed`;
 *  - looking changes nothing. */
export interface Validator {
  /** For people: `http http://127.0.0.1:8096/health`, `unit jellyfin.service`. */
  readonly name: string;
  /** True when a bad verdict may become better by waiting. */
  readonly settles: boolean;
  baseline(signal: AbortSignal): Promise<Observation>;
  verdict(baseline: Observation, signal: AbortSignal): Promise<Verdict>;
}
