import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterLook,
  beginCourse,
  type Course,
  type LookOutcome,
  SETTLE_DEFAULTS,
  type SettleSettings,
  validationOutcome,
  waitBeforeNextLook,
} from '../../src/domain/settling.ts';

interface Ended {
  readonly course: Course;
  readonly elapsedMs: number;
  readonly lastOutcomes: readonly LookOutcome[];
  /** Milliseconds since the start, and what was seen then. */
  readonly seen: readonly { readonly atMs: number; readonly outcomes: readonly LookOutcome[] }[];
}

/** Plays a validation whose looks take `lookMs` each. */
function play(
  script: (atMs: number) => readonly LookOutcome[],
  mustStay: readonly boolean[],
  settings: SettleSettings = SETTLE_DEFAULTS,
  lookMs = 0,
): Ended {
  const from = 1_000_000; // a monotonic clock starts anywhere
  let now = from;
  let course = beginCourse(mustStay, now);
  const seen: { atMs: number; outcomes: readonly LookOutcome[] }[] = [];
  for (;;) {
    now += lookMs;
    const outcomes = script(now - from);
    seen.push({ atMs: now - from, outcomes });
    course = afterLook(course, outcomes, now, settings);
    const wait = waitBeforeNextLook(course, now, settings);
    if (wait === null) return { course, elapsedMs: now - from, lastOutcomes: outcomes, seen };
    if (!(wait > 0)) throw new Error('It would look again without waiting.');
    now += wait;
    if (seen.length > 5000) throw new Error('It never ends.');
  }
}

const { settleMs, steadyMs, limitMs, retries } = SETTLE_DEFAULTS;

describe('how long checks are tried', () => {
  test('where there is nothing to check nothing waits', () => {
    expect(play(() => [], []).elapsedMs).toBe(0);
  });

  test('what answers at once is not looked at again', () => {
    const { elapsedMs, seen } = play(() => ['passed', 'warning'], [false, false]);
    expect({ elapsedMs, looks: seen.length }).toEqual({ elapsedMs: 0, looks: 1 });
  });

  test('what runs must stay up for as long as it is said', () => {
    expect(play(() => ['passed', 'passed'], [true, false]).elapsedMs).toBe(steadyMs);
  });

  test('what ends while it should stay up is seen, and has its time to come back', () => {
    const flaps = play((at) => [at > 3000 && at < 6000 ? 'failed' : 'passed'], [true]);
    expect(flaps.lastOutcomes).toEqual(['passed']);
    expect(flaps.elapsedMs).toBeGreaterThanOrEqual(6000 + steadyMs);
  });

  test('what never works is given up after its time, and not before', () => {
    const { elapsedMs, lastOutcomes } = play(() => ['failed'], [false]);
    expect(elapsedMs).toBe(settleMs);
    expect(validationOutcome(lastOutcomes)).toBe('invalid');
  });

  test('starting does not count: a page that needs a slow container has its whole time after it', () => {
    const slow = 5 * 60_000;
    const { elapsedMs } = play((at) => (at < slow ? ['pending', 'failed'] : ['passed', 'failed']), [true, false]);
    expect(elapsedMs).toBeGreaterThanOrEqual(slow - 1000 + settleMs);
    expect(elapsedMs).toBeLessThanOrEqual(slow + settleMs);
  });

  test('what never stops starting is given up at the limit', () => {
    const { elapsedMs, lastOutcomes } = play(() => ['pending'], [true]);
    expect(elapsedMs).toBe(limitMs);
    expect(validationOutcome(lastOutcomes)).toBe('invalid');
  });

  test('looks that take longer than all the time there is are repeated as often as it is said', () => {
    const { seen } = play(() => ['failed'], [false], SETTLE_DEFAULTS, settleMs + 1);
    expect(seen).toHaveLength(retries + 1);
  });

  test('one thing that stays bad decides, though others would still have to stay up', () => {
    const { elapsedMs } = play((at) => ['failed', at < 29_000 ? 'failed' : 'passed'], [false, true]);
    expect(elapsedMs).toBe(settleMs);
  });

  test('what cannot be told leaves the whole untold, and what is bad outweighs it', () => {
    expect(validationOutcome([])).toBe('valid');
    expect(validationOutcome(['passed', 'warning'])).toBe('valid');
    expect(validationOutcome(['passed', 'inconclusive'])).toBe('inconclusive');
    expect(validationOutcome(['inconclusive', 'failed'])).toBe('invalid');
  });
});

const outcome = fc.constantFrom<LookOutcome>('passed', 'warning', 'pending', 'failed', 'inconclusive');
const settings = fc.record({
  settleMs: fc.integer({ min: 1, max: 60_000 }),
  steadyMs: fc.integer({ min: 0, max: 20_000 }),
  limitMs: fc.integer({ min: 1, max: 600_000 }),
  retries: fc.integer({ min: 0, max: 5 }),
});
/** What is found changes at these moments. */
const scene = fc.integer({ min: 1, max: 4 }).chain((count) =>
  fc.record({
    mustStay: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
    phases: fc.array(
      fc.record({
        forMs: fc.integer({ min: 1, max: 40_000 }),
        outcomes: fc.array(outcome, { minLength: count, maxLength: count }),
      }),
      { minLength: 1, maxLength: 12 },
    ),
    settings,
    lookMs: fc.integer({ min: 0, max: 15_000 }),
  }),
);
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

const scriptOf =
  ({ phases }: Scene) =>
  (atMs: number): readonly LookOutcome[] => {
    let end = 0;
    for (const { forMs, outcomes } of phases) {
      end += forMs;
      if (atMs < end) return outcomes;
    }
    return phases.at(-1)?.outcomes ?? [];
  };

const good = (one: LookOutcome | undefined): boolean => one === 'passed' || one === 'warning';

describe('whatever is found', () => {
  const holds = (claim: (ended: Ended, scene: Scene) => void): void =>
    fc.assert(
      fc.property(scene, (made) => claim(play(scriptOf(made), made.mustStay, made.settings, made.lookMs), made)),
      { numRuns: 300 },
    );

  test('a validation ends, within the sum of its limits and its looks', () => {
    holds(({ elapsedMs }, { settings: set, lookMs }) => {
      const tries = (set.retries + 2) * (lookMs + 1000);
      expect(elapsedMs).toBeLessThanOrEqual(set.limitMs + set.settleMs + set.steadyMs + tries + lookMs);
    });
  });

  test('it is valid only when the last look found all good, and all that must stay was good in each look of its time', () => {
    holds(({ lastOutcomes, elapsedMs, seen }, { settings: set, mustStay }) => {
      if (validationOutcome(lastOutcomes) !== 'valid') return;
      expect(lastOutcomes.every(good)).toBe(true);
      if (!mustStay.includes(true)) return;
      const looks = seen.filter(({ atMs }) => atMs >= elapsedMs - set.steadyMs);
      for (const { outcomes } of looks)
        for (const [index, stays] of mustStay.entries()) if (stays) expect(good(outcomes[index])).toBe(true);
    });
  });

  test('it is invalid only when something failed after its time and its retries, or was starting at the limit', () => {
    holds(({ lastOutcomes, elapsedMs, seen }, { settings: set }) => {
      if (validationOutcome(lastOutcomes) !== 'invalid') return;
      const starting = lastOutcomes.includes('pending') && elapsedMs >= set.limitMs;
      const lastPending = seen.findLast(
        ({ outcomes, atMs }) => outcomes.includes('pending') && atMs < set.limitMs,
      )?.atMs;
      const settled = elapsedMs >= (lastPending ?? 0) + set.settleMs;
      const tried = lastOutcomes.some(
        (one, index) =>
          one === 'failed' &&
          seen.filter(({ outcomes }) => ['failed', 'inconclusive'].includes(outcomes[index] ?? '')).length >
            set.retries,
      );
      expect(starting || (settled && tried)).toBe(true);
    });
  });
});
