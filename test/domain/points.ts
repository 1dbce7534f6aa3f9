import fc from 'fast-check';
import type { Retention } from '../../src/domain/definitions.ts';
import type { Manifest } from '../../src/domain/manifest.ts';
import type { Evidence, Hold, PointSummary, RecoveryPoint } from '../../src/domain/recovery-point.ts';

export const at = (text: string): Temporal.Instant => Temporal.Instant.from(text);

/** A passed point of plan `nightly` that this machine made: source `data` with one item. */
export function aPoint(timestamp: string, options: Partial<RecoveryPoint> = {}): RecoveryPoint {
  return {
    id: `01${timestamp.replace(/\D/g, '')}`,
    repository: 'local',
    service: 'mealie',
    location: `mealie/${timestamp}`,
    timestamp: at(timestamp),
    outcome: 'passed',
    totalSize: 10,
    evidence: 'stored',
    evidenceAt: at(timestamp),
    held: null,
    foreign: false,
    plan: 'nightly',
    type: 'regular',
    origin: 'here',
    items: [{ name: 'files_data', source: 'data', outcome: 'passed', size: 10 }],
    manifest: { configuration: {} } as Manifest,
    ...options,
  };
}

export const heldBy = (by: Hold['by'], since: string): Hold => ({ by, at: at(since), reason: `${by} of a test` });

const SOURCES = ['data', 'db'] as const;
const start = at('2026-01-01T00:00:00Z');

/** Points over about five months, of all outcomes, evidences and holds, at most one a second. */
export const points: fc.Arbitrary<readonly PointSummary[]> = fc
  .uniqueArray(
    fc.record({
      seconds: fc.integer({ min: 0, max: 150 * 86_400 }),
      evidence: fc.constantFrom<Evidence>('stored', 'readable', 'sound', 'restored', 'failed'),
      outcomes: fc.tuple(
        ...SOURCES.map(() => fc.constantFrom('passed' as const, 'passed' as const, 'failed' as const)),
      ),
      by: fc.constantFrom<Hold['by'] | null>(null, null, null, null, 'user', 'anomaly', 'clock'),
    }),
    { selector: ({ seconds }) => seconds, maxLength: 40 },
  )
  .map((rows) =>
    rows
      .filter(({ outcomes }) => outcomes.includes('passed'))
      .map(({ seconds, evidence, outcomes, by }) => {
        const timestamp = start.add({ seconds }).toString();
        return aPoint(timestamp, {
          evidence,
          outcome: outcomes.every((outcome) => outcome === 'passed') ? 'passed' : 'partial',
          items: SOURCES.map((source, index) => ({
            ...{ name: `files_${source}`, source, size: 1 },
            outcome: outcomes[index] ?? 'failed',
          })),
          held: by === null ? null : heldBy(by, timestamp),
        });
      }),
  );

const number = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });

/** Policies with and without each rule; `within` up to ten days. */
export const policies: fc.Arbitrary<Retention> = fc
  .record({
    ...{ latest: number, hourly: number, daily: number, weekly: number, monthly: number, yearly: number },
    within: fc.option(fc.integer({ min: 0, max: 10 * 86_400 }), { nil: undefined }),
  })
  .map((policy) => JSON.parse(JSON.stringify(policy)) as Retention);
