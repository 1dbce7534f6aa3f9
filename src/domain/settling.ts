/** What one look at a check came to. */
export type LookOutcome = 'passed' | 'warning' | 'pending' | 'failed' | 'inconclusive';

/** How long checks are tried. All in milliseconds. */
export interface SettleSettings {
  /** How long a bad check may take to become good, counted from the moment when nothing was on its way any more. */
  readonly settleMs: number;
  /** How long what runs must have been seen running. */
  readonly steadyMs: number;
  /** How long anything may be on its way, from the first look. */
  readonly limitMs: number;
  /** How often a bad check is tried again at least, also when a look takes longer than `settleMs`. */
  readonly retries: number;
}

export const SETTLE_DEFAULTS: SettleSettings = { settleMs: 30_000, steadyMs: 5000, limitMs: 600_000, retries: 3 };

/** Looks come quickly at first, since most things are up at once, and then at this interval. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 1000;

/** Where one check stands after the looks so far. */
export interface Standing {
  readonly mustStay: boolean;
  /** Of the last look; null before the first. */
  readonly outcome: LookOutcome | null;
  /** Looks that found it bad. */
  readonly misses: number;
  /** Since when every look found it good, or null. */
  readonly goodSinceMs: number | null;
}

/** All checks of one validation, looked at together: what is true at one moment is what counts. */
export interface Course {
  readonly startedMs: number;
  /** From here `settleMs` counts. */
  readonly settlesFromMs: number;
  readonly looks: number;
  readonly standings: readonly Standing[];
}

/** @param mustStay of each check, whether it has to stay good for `steadyMs` */
export const beginCourse = (mustStay: readonly boolean[], nowMs: number): Course => ({
  startedMs: nowMs,
  settlesFromMs: nowMs,
  looks: 0,
  standings: mustStay.map((stays) => ({ mustStay: stays, outcome: null, misses: 0, goodSinceMs: null })),
});

const isGood = (outcome: LookOutcome | null): boolean => outcome === 'passed' || outcome === 'warning';

/** The course after one more look at every check, in the order of its standings. While anything is on its way nothing
 *  settles: a page that does not answer may wait for the very container that is still starting. */
export function afterLook(
  course: Course,
  outcomes: readonly LookOutcome[],
  nowMs: number,
  settings: SettleSettings,
): Course {
  const pending = outcomes.includes('pending') && nowMs - course.startedMs < settings.limitMs;
  return {
    ...course,
    settlesFromMs: pending ? nowMs : course.settlesFromMs,
    looks: course.looks + 1,
    standings: course.standings.map((standing, index) => {
      const outcome = outcomes[index] ?? 'inconclusive';
      if (isGood(outcome)) return { ...standing, outcome, goodSinceMs: standing.goodSinceMs ?? nowMs };
      const misses = standing.misses + (outcome === 'pending' ? 0 : 1);
      return { ...standing, outcome, misses, goodSinceMs: null };
    }),
  };
}

/** Milliseconds until the next look; null when all is decided. One check that stays bad decides for all. */
export function waitBeforeNextLook(course: Course, nowMs: number, settings: SettleSettings): number | null {
  const { startedMs, settlesFromMs, standings } = course;
  const step = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(course.looks - 1, 10));
  const inLimit = nowMs - startedMs < settings.limitMs;
  const settleLeft = settlesFromMs + settings.settleMs - nowMs;
  const pending = standings.some(({ outcome }) => outcome === 'pending');
  if (pending) return inLimit ? Math.min(step, startedMs + settings.limitMs - nowMs) : null;
  const bad = standings.filter(({ outcome }) => !isGood(outcome));
  const isFinal = ({ misses }: Standing): boolean => settleLeft <= 0 && misses > settings.retries;
  if (bad.some((standing) => standing.outcome === 'failed' && isFinal(standing))) return null;
  if (!bad.every(isFinal)) return settleLeft > 0 ? Math.min(step, settleLeft) : step;
  const steadyLeft = standings.map(({ mustStay, goodSinceMs }) =>
    mustStay && goodSinceMs !== null ? goodSinceMs + settings.steadyMs - nowMs : 0,
  );
  const longest = Math.max(0, ...steadyLeft);
  return longest > 0 ? Math.min(step, longest) : null;
}

/** What a check came to once all is decided: what never stopped starting did not start. */
export const finalOutcome = (outcome: LookOutcome): Exclude<LookOutcome, 'pending'> =>
  outcome === 'pending' ? 'failed' : outcome;

/** `invalid`: something became bad. `inconclusive`: nothing did, as far as it could be told. */
export type ValidationOutcome = 'valid' | 'invalid' | 'inconclusive';

export function validationOutcome(outcomes: readonly LookOutcome[]): ValidationOutcome {
  if (outcomes.map(finalOutcome).includes('failed')) return 'invalid';
  return outcomes.includes('inconclusive') ? 'inconclusive' : 'valid';
}
