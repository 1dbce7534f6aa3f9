import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Retention } from '../../src/domain/definitions.ts';
import { passedSources } from '../../src/domain/proof.ts';
import { evidenceRank, type PointSummary } from '../../src/domain/recovery-point.ts';
import { retain } from '../../src/domain/retention.ts';
import { aPoint, at, heldBy, points, policies } from './points.ts';

const now = at('2026-06-30T00:00:00Z');

const kept = (all: readonly PointSummary[], policy: Retention, zone = 'UTC'): readonly PointSummary[] => {
  const verdicts = retain(all, policy, zone, now);
  return all.filter(({ location }) => verdicts.get(location)?.stays);
};
const days = (all: readonly PointSummary[]): readonly string[] => all.map(({ timestamp }) => `${timestamp}`).toSorted();
const noonsOf = (month: string, count: number): PointSummary[] =>
  Array.from({ length: count }, (_, day) => aPoint(`${month}-${String(day + 1).padStart(2, '0')}T12:00:00Z`));

describe('promises for any points and any policy', () => {
  const promise = (check: (all: readonly PointSummary[], policy: Retention) => void): void =>
    fc.assert(fc.property(points, policies, check), { numRuns: 300 });

  test('pruning twice removes no more than pruning once', () => {
    promise((all, policy) => {
      const once = kept(all, policy);
      expect(days(kept(once, policy))).toEqual(days(once));
    });
  });

  test('the newest of the best proved points of each source stays', () => {
    promise((all, policy) => {
      const trusted = all.filter(({ held }) => held === null);
      const stay = new Set(kept(all, policy));
      for (const source of ['data', 'db']) {
        const whole = trusted.filter((point) => passedSources(point).includes(source));
        const best = Math.max(...whole.map(({ evidence }) => evidenceRank(evidence)));
        const candidates = whole.filter(({ evidence }) => evidenceRank(evidence) === best);
        const newest = candidates.toSorted((a, b) => Temporal.Instant.compare(b.timestamp, a.timestamp))[0];
        if (newest !== undefined) expect(stay.has(newest)).toBe(true);
      }
    });
  });

  test('whatever a person or a wrong clock holds stays', () => {
    promise((all, policy) => {
      const held = all.filter((point) => point.held?.by === 'user' || point.held?.by === 'clock');
      expect(kept(all, policy)).toEqual(expect.arrayContaining([...held]));
    });
  });

  test('a point that is held takes no place of another', () => {
    promise((all, policy) => {
      const trusted = all.filter(({ held }) => held === null);
      const stay = new Set(kept(all, policy));
      for (const point of kept(trusted, policy)) expect(stay.has(point)).toBe(true);
    });
  });

  test('a partial point, or one whose check failed, pushes no whole one out', () => {
    promise((all, policy) => {
      const whole = all.filter(({ held, outcome, evidence }) => !held && outcome === 'passed' && evidence !== 'failed');
      const stay = new Set(kept(all, policy));
      const { within: _, ...rules } = policy; // what `within` counts from is a whole point in both cases
      for (const point of kept(whole, rules))
        if (Object.values(rules).some((count) => count > 0) && retainedByRule(whole, rules, point))
          expect(stay.has(point)).toBe(true);
    });
  });

  test('every point has a reason, whether it stays or goes', () => {
    promise((all, policy) => {
      const verdicts = retain(all, policy, 'UTC', now);
      expect(verdicts.size).toBe(all.length);
      for (const { reasons } of verdicts.values()) expect(reasons.length).toBeGreaterThan(0);
    });
  });
});

/** Kept by a bucket, not only by the gate of proof. */
const retainedByRule = (all: readonly PointSummary[], policy: Retention, { location }: PointSummary): boolean =>
  retain(all, policy, 'UTC', now)
    .get(location)
    ?.reasons.some((why) => !why.startsWith('the ')) ?? false;

test('a policy without a positive number keeps all', () => {
  const all = noonsOf('2026-05', 9);
  expect(kept(all, {})).toEqual(all);
  expect(kept(all, { daily: 0, latest: 0, within: 0 })).toEqual(all);
});

test('the newest so many stay', () => {
  expect(days(kept(noonsOf('2026-05', 9), { latest: 2 }))).toEqual(['2026-05-08T12:00:00Z', '2026-05-09T12:00:00Z']);
});

test('the newest of each day stays, days being cut in the zone of the plan', () => {
  const all = ['2026-05-01T20:00:00Z', '2026-05-01T23:00:00Z', '2026-05-02T10:00:00Z'].map((time) => aPoint(time));
  expect(days(kept(all, { daily: 5 }))).toEqual(['2026-05-01T23:00:00Z', '2026-05-02T10:00:00Z']);
  // In Berlin 23:00 UTC is 01:00 of the next day.
  expect(days(kept(all, { daily: 5 }, 'Europe/Berlin'))).toEqual(['2026-05-01T20:00:00Z', '2026-05-02T10:00:00Z']);
});

test('weeks are those of ISO 8601', () => {
  // 2026-01-01 is a Thursday: week 1 of 2026 begins on Monday, 2025-12-29.
  const all = ['2025-12-28T12:00:00Z', '2025-12-29T12:00:00Z', '2026-01-04T12:00:00Z', '2026-01-05T12:00:00Z'];
  const stay = days(
    kept(
      all.map((time) => aPoint(time)),
      { weekly: 9 },
    ),
  );
  expect(stay).toEqual(['2025-12-28T12:00:00Z', '2026-01-04T12:00:00Z', '2026-01-05T12:00:00Z']);
});

test('the hour that comes twice when summer time ends is two hours', () => {
  const all = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z'].map((time) => aPoint(time)); // both 02:30 in Berlin
  expect(kept(all, { hourly: 9 }, 'Europe/Berlin')).toEqual(all);
});

test('a month and a year keep their newest', () => {
  const all = ['2024-12-31T12:00:00Z', '2025-03-01T12:00:00Z', '2025-03-31T12:00:00Z', '2026-04-01T12:00:00Z'];
  const made = all.map((time) => aPoint(time));
  expect(days(kept(made, { monthly: 9 }))).toEqual([all[0], all[2], all[3]]);
  expect(days(kept(made, { yearly: 2 }))).toEqual([all[2], all[3]]);
});

describe('within', () => {
  test('counts from the newest whole point of our own that is not held and not in the future', () => {
    const all = [
      aPoint('2026-05-01T12:00:00Z'),
      aPoint('2026-05-09T12:00:00Z'),
      aPoint('2026-05-10T12:00:00Z'),
      aPoint('2026-05-20T12:00:00Z', { outcome: 'partial' }),
      aPoint('2026-05-21T12:00:00Z', { held: heldBy('user', '2026-05-21T12:00:00Z') }),
      aPoint('2027-05-21T12:00:00Z'),
    ];
    expect(days(kept(all, { within: 2 * 86_400 }))).toEqual(days(all.slice(1)));
  });

  test('has a leeway, which is of no account by itself', () => {
    const all = ['2026-05-01T11:59:00Z', '2026-05-01T12:00:00Z', '2026-05-08T12:00:30Z'].map((time) => aPoint(time));
    expect(days(kept(all, { within: 7 * 86_400 }))).toEqual(days(all.slice(2)));
    expect(days(kept(all, { within: 7 * 86_400, leeway: 60 }))).toEqual(days(all.slice(1)));
    expect(kept(all, { leeway: 60 })).toEqual(all);
  });

  test('keeps all while no whole point was made', () => {
    const all = noonsOf('2026-05', 9).map((point) => ({ ...point, outcome: 'partial' as const }));
    expect(kept(all, { within: 60 })).toEqual(all);
  });
});

describe('the gate of proof', () => {
  test('the newest that was drilled outlives its buckets', () => {
    const [drilled, ...others] = noonsOf('2026-05', 9);
    const all = [{ ...(drilled as PointSummary), evidence: 'restored' as const }, ...others];
    expect(days(kept(all, { latest: 1 }))).toEqual(['2026-05-01T12:00:00Z', '2026-05-09T12:00:00Z']);
  });

  test('a partial point outlives its buckets when no newer one has its source whole', () => {
    const items = (db: 'passed' | 'failed'): PointSummary['items'] => [
      { name: 'files_data', source: 'data', outcome: 'passed', size: 1 },
      { name: 'sqlite_db', source: 'db', outcome: db, size: 1 },
    ];
    const all = noonsOf('2026-05', 9).map((point, day) =>
      day < 4
        ? { ...point, items: items('passed') }
        : { ...point, outcome: 'partial' as const, items: items('failed') },
    );
    // The fourth is the last in which the database passed.
    expect(days(kept(all, { latest: 1 }))).toEqual(['2026-05-04T12:00:00Z', '2026-05-09T12:00:00Z']);
  });

  test('a point whose check failed is no proof while another one is', () => {
    const all = noonsOf('2026-05', 3).map((point, day) =>
      day === 0 ? point : { ...point, evidence: 'failed' as const },
    );
    expect(days(kept(all, { yearly: 1 }))).toEqual(['2026-05-01T12:00:00Z']);
  });
});

describe('held points', () => {
  const suspicious = (day: string): PointSummary => aPoint(day, { held: heldBy('anomaly', day) });

  test('of a suspicious series the first, the newest and one a week stay, and the last point before it', () => {
    const before = aPoint('2026-05-03T12:00:00Z');
    const series = Array.from({ length: 20 }, (_, day) =>
      suspicious(`2026-05-${String(day + 4).padStart(2, '0')}T12:00:00Z`),
    );
    const after = aPoint('2026-05-25T12:00:00Z');
    const stay = days(kept([aPoint('2026-05-02T12:00:00Z'), before, ...series, after], { latest: 1 }));
    // 4 May 2026 is a Monday; the series ends on Saturday the 23rd.
    expect(stay).toEqual(['03', '04', '10', '17', '23', '25'].map((day) => `2026-05-${day}T12:00:00Z`));
  });

  test('two series with a good point between them are two', () => {
    const [first, good, second] = ['2026-05-04', '2026-05-05', '2026-05-06'].map((day) => `${day}T12:00:00Z`);
    const all = [suspicious(`${first}`), aPoint(`${good}`), suspicious(`${second}`), aPoint('2026-05-07T12:00:00Z')];
    expect(days(kept(all, { latest: 1 }))).toEqual(days(all));
  });
});

test('each reason says which rule keeps a point, or what stands in its place', () => {
  const all = ['2026-05-01T10:00:00Z', '2026-05-01T12:00:00Z', '2026-05-02T12:00:00Z'].map((time) => aPoint(time));
  const verdicts = retain(all, { daily: 1 }, 'UTC', now);
  const reasons = all.map(({ location }) => verdicts.get(location)?.reasons);
  expect(reasons).toEqual([
    ['daily 2026-05-01: 2026-05-01T12:00:00Z stands for it'],
    ['daily 2026-05-01: beyond the newest 1'],
    ['daily 2026-05-02', 'the newest whole one that is stored', 'the newest of source data that is stored'],
  ]);
});
