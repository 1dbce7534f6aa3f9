import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../src/domain/manifest.ts';
import { decide, type PruneConditions, type PruneScope, type ServiceDecisions } from '../../src/domain/pruning.ts';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import { aPoint, at, heldBy } from './points.ts';

const conditions: PruneConditions = { origin: 'here', now: at('2026-06-01T00:00:00Z'), adopt: false };
const nightly = (latest: number, within = 0): PruneScope => ({
  ...{ kind: 'plan', plan: 'nightly', retention: { latest, within }, timezone: 'UTC', configuration: {} },
});
const day = (number: number, options: Partial<RecoveryPoint> = {}): RecoveryPoint =>
  aPoint(`2026-05-${String(number).padStart(2, '0')}T12:00:00Z`, options);
const many = (count: number, options: Partial<RecoveryPoint> = {}): RecoveryPoint[] =>
  Array.from({ length: count }, (_, index) => day(index + 1, options));

const removed = ({ decisions }: ServiceDecisions): readonly string[] =>
  decisions
    .filter(({ action }) => action === 'remove')
    .map(({ point }) => point.location.slice('mealie/2026-'.length, 'mealie/2026-05-01'.length))
    .toSorted();
const reasonsOf = ({ decisions }: ServiceDecisions, { location }: RecoveryPoint): readonly string[] =>
  decisions.find(({ point }) => point.location === location)?.reasons ?? [];

describe('what a plan may remove', () => {
  test('its own points beyond its policy, and nothing that another plan or a person made', () => {
    const all = [...many(4), day(5, { plan: 'weekly' }), day(6, { plan: null })];
    const answer = decide(all, nightly(2), conditions);
    expect(removed(answer)).toEqual(['05-01', '05-02']);
    expect(reasonsOf(answer, day(5))).toEqual(['made by plan weekly']);
    expect(reasonsOf(answer, day(6))).toEqual(['made by hand']);
  });

  test('nothing that another machine made, and its points take no place of our own', () => {
    const all = [...many(3), day(4, { origin: 'there' }), day(5, { origin: 'there' })];
    const answer = decide(all, nightly(2), conditions);
    expect(removed(answer)).toEqual(['05-01']);
    expect(reasonsOf(answer, day(4))).toEqual(['made by another machine']);
  });

  test('neither of two points that have one id: a person copied the folder', () => {
    const [first] = many(1);
    const copy = { ...(first as RecoveryPoint), location: 'mealie/copy' };
    expect(removed(decide([...many(4), copy], nightly(1), conditions))).toEqual(['05-02', '05-03']);
  });

  test('safety points once they are 30 days old', () => {
    const old = day(1, { type: 'safety', plan: null });
    const young = day(3, { type: 'safety', plan: null });
    const held = day(2, { type: 'safety', plan: null, held: heldBy('user', '2026-05-02T12:00:00Z') });
    const june = { ...conditions, now: at('2026-06-02T00:00:00Z') };
    expect(removed(decide([old, held, young, day(20)], nightly(2), june))).toEqual(['05-01']);
  });
});

describe('foreign archives', () => {
  const foreign = (number: number): RecoveryPoint =>
    day(number, { foreign: true, origin: null, plan: null, manifest: null, items: [] });
  const all = [foreign(1), foreign(9), foreign(15), day(16)];

  test('stay when the repository does not adopt them', () => {
    expect(removed(decide(all, nightly(9, 7 * 86_400), conditions))).toEqual([]);
  });

  test('go by age alone where the repository adopts them, counted from our own newest point', () => {
    const adopting = { ...conditions, adopt: true };
    expect(removed(decide(all, nightly(9, 7 * 86_400), adopting))).toEqual(['05-01']);
    expect(removed(decide(all, nightly(9), adopting))).toEqual([]);
  });

  test('of one of several services go by the one that was made least lately, and stay while one has none', () => {
    const adopting = { ...conditions, adopt: true };
    const wanted = (...owners: readonly (readonly RecoveryPoint[])[]): unknown =>
      removed(decide(all.slice(0, 3), nightly(9, 7 * 86_400), { ...adopting, owners }));
    expect(wanted([day(16)], [day(2), day(17)])).toEqual(['05-01']);
    expect(wanted([day(17)], [day(18)])).toEqual(['05-01', '05-09']);
    expect(wanted([day(25)], [day(28)])).toEqual(['05-01', '05-09', '05-15']);
    expect(wanted([day(25)], [day(7)])).toEqual([]);
    expect(wanted([day(25)], [])).toEqual([]);
    expect(wanted([day(25)], [day(25, { outcome: 'partial' })])).toEqual([]);
    expect(wanted()).toEqual([]);
  });

  test('stay while there is no point of our own', () => {
    const adopting = { ...conditions, adopt: true };
    expect(removed(decide(all.slice(0, 3), nightly(9, 86_400), adopting))).toEqual([]);
  });
});

describe('orphaned plans and points made by hand', () => {
  const orphaned: PruneScope = { kind: 'orphaned', plan: 'nightly' };

  test('all points of a plan that is gone go, except what nothing else proves better, and that is asked', () => {
    const answer = decide(many(4), orphaned, conditions);
    expect(removed(answer)).toEqual(['05-01', '05-02', '05-03']);
    expect(answer.question).toContain('3 of 4');
    const others = [day(9, { plan: 'weekly', evidence: 'sound' })];
    expect(removed(decide([...many(2), ...others], orphaned, conditions))).toEqual(['05-01', '05-02']);
  });

  test('points made by hand go by the age that was given, and held ones stay', () => {
    const scope: PruneScope = { kind: 'manual', olderThanSeconds: 7 * 86_400 };
    const byHand = many(30, { plan: null });
    byHand[0] = day(1, { plan: null, held: heldBy('user', '2026-05-01T12:00:00Z') });
    const answer = decide([...byHand, day(31, { plan: 'weekly' })], scope, conditions);
    expect(removed(answer)).toHaveLength(23);
    expect(removed(answer)).not.toContain('05-01');
    expect(removed(answer).at(-1)).toBe('05-24');
  });

  test('points made by hand that are all old leave the newest of the best proved', () => {
    const scope: PruneScope = { kind: 'manual', olderThanSeconds: 1 };
    const all = [day(1, { plan: null, evidence: 'sound' }), day(2, { plan: null }), day(3, { plan: null })];
    expect(removed(decide(all, scope, conditions))).toEqual(['05-02', '05-03']);
  });
});

describe('refusals', () => {
  test('a point more than ten minutes in the future refuses the service', () => {
    const now = at('2026-05-04T11:45:00Z');
    expect(decide(many(4), nightly(1), { ...conditions, now }).refused).toContain('clock');
  });

  test('another machine may be a little ahead', () => {
    const all = [...many(3), day(4, { origin: 'there' })];
    expect(decide(all, nightly(1), { ...conditions, now: at('2026-05-04T11:55:00Z') }).refused).toBeNull();
    expect(decide(all, nightly(1), { ...conditions, now: at('2026-05-04T11:45:00Z') }).refused).toContain('clock');
  });

  test('a clock that is earlier than our newest point refuses the service, by a minute too', () => {
    expect(decide(many(4), nightly(1), { ...conditions, now: at('2026-05-04T11:59:00Z') }).refused).toContain('clock');
  });

  test('a point of a wrong clock that a person holds refuses nothing any more', () => {
    const future = day(20, { held: heldBy('user', '2026-05-04T00:00:00Z') });
    const now = at('2026-05-05T00:00:00Z');
    expect(decide([...many(4), future], nightly(2), { ...conditions, now }).refused).toBeNull();
    const nobodys = day(20, { held: heldBy('anomaly', '2026-05-04T00:00:00Z') });
    expect(decide([...many(4), nobodys], nightly(2), { ...conditions, now }).refused).toContain(`hold ${nobodys.id}`);
  });

  test('a removal of every point refuses', () => {
    const all = [day(1, { type: 'safety', plan: null }), day(2, { type: 'safety', plan: null })];
    const later = { ...conditions, now: at('2026-09-01T00:00:00Z') };
    expect(decide(all, nightly(1), later).refused).toContain('every point');
    expect(decide([...all, day(3)], nightly(1), later).refused).toBeNull();
  });
});

describe('a changed policy', () => {
  const configuration = (latest: number): unknown => ({ plans: { nightly: { retention: { latest, daily: 1 } } } });
  const madeUnder = (latest: number): Partial<RecoveryPoint> => ({
    manifest: { configuration: configuration(latest) } as Manifest,
  });
  const scope: PruneScope = {
    ...{ kind: 'plan', plan: 'nightly', retention: { latest: 2 }, timezone: 'UTC' },
    configuration: { plans: { nightly: { retention: { daily: 1, latest: 2 } } } },
  };

  test('that removes over half of the points has to be confirmed, also after a new point was made under it', () => {
    const all = [...many(5, madeUnder(30)), day(6, madeUnder(2))];
    expect(decide(all, scope, conditions).question).toContain('4 of 6');
  });

  test('that removes half or less has not', () => {
    expect(decide(many(4, madeUnder(30)), scope, conditions).question).toBeNull();
  });

  test('is none when the points were made under the same one, however many go', () => {
    expect(decide(many(9, madeUnder(2)), scope, conditions).question).toBeNull();
  });
});
