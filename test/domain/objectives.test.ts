import { expect, test } from 'vitest';
import { isRelied, lossNow, lossSeries } from '../../src/domain/objectives.ts';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import { aPoint, at, heldBy } from './points.ts';

const point = (timestamp: string, options: Partial<RecoveryPoint> = {}): RecoveryPoint =>
  aPoint(timestamp, { evidence: 'sound', ...options });

test('what would be lost now is the age of the newest point that is whole, proved and not held', () => {
  const points = [
    point('2026-03-29T00:30:00Z'),
    point('2026-03-29T02:00:00Z', { evidence: 'readable' }),
    point('2026-03-29T02:30:00Z', { held: heldBy('user', '2026-03-29T02:40:00Z') }),
    point('2026-03-29T02:45:00Z', { outcome: 'partial' }),
    point('2026-03-29T02:50:00Z', { evidence: 'failed' }),
    point('2026-03-28T00:00:00Z', { evidence: 'restored' }),
  ];
  expect(points.map(isRelied)).toEqual([true, false, false, false, false, true]);
  // the clocks of Berlin went forward in between: an age is no difference of local times
  expect(lossNow(points, Temporal.ZonedDateTime.from('2026-03-29T05:00:00[Europe/Berlin]').toInstant())).toBe(9000);
  expect(lossNow([], at('2026-03-29T03:00:00Z'))).toBeNull();
  expect(lossNow([point('2026-03-29T03:00:01Z')], at('2026-03-29T03:00:00Z'))).toBe(0);
});

test('the series has what would have been lost just before and just after each later point was proved', () => {
  const proved = (timestamp: string, provedAt: string) => ({ timestamp: at(timestamp), provedAt: at(provedAt) });
  const series = lossSeries([
    proved('2026-03-03T02:00:00Z', '2026-03-03T02:10:00Z'),
    proved('2026-03-01T02:00:00Z', '2026-03-01T02:10:00Z'),
    proved('2026-03-02T02:00:00Z', '2026-03-04T00:00:00Z'), // earlier than what was proved by then
  ]);
  expect(series.map(({ at: when, before, seconds }) => [`${when}`, before, seconds])).toEqual([
    ['2026-03-01T02:10:00Z', null, 600],
    ['2026-03-03T02:10:00Z', 2 * 86_400 + 600, 600],
  ]);
});
