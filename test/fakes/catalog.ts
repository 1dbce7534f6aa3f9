import { HoldfastError } from '../../src/domain/errors.ts';
import type { Evidence, PointReference, PointSummary, RecoveryPoint } from '../../src/domain/recovery-point.ts';
import type {
  Catalog,
  EvidenceRecord,
  KeptPlace,
  KeptState,
  MissingPoint,
  Recovery,
  Run,
  Sample,
  Snapshot,
} from '../../src/ports/catalog.ts';

interface Known {
  point: RecoveryPoint;
  missingSince: Temporal.Instant | null;
  /** Newest first. */
  evidence: EvidenceRecord[];
}

const keyOf = ({ repository, location }: PointReference): string => JSON.stringify([repository, location]);
const referenceOf = ({ id, repository, service, location }: PointReference): PointReference => ({
  id,
  repository,
  service,
  location,
});
const placeOf = (kept: KeptPlace): string =>
  JSON.stringify('path' in kept ? [kept.host, kept.path] : [kept.service, kept.source, kept.database]);
const samePlace = (one: KeptPlace, other: KeptPlace): boolean => placeOf(one) === placeOf(other);
const nameOf = (kept: KeptState): string => ('path' in kept ? kept.path : kept.database);
const byText = (one: string, other: string): number => Number(one > other) - Number(one < other);
const newestFirst = (one: PointSummary, other: PointSummary): number =>
  Temporal.Instant.compare(other.timestamp, one.timestamp) || byText(one.id, other.id);
/** All of them before any is taken in: a call is atomic. */
const copied = (points: readonly RecoveryPoint[]): RecoveryPoint[] => points.map((point) => ({ ...point }));
const withoutManifest = ({ manifest: _, ...summary }: RecoveryPoint): PointSummary => summary;

/** What is recorded already is recorded once. */
function withRecord(history: readonly EvidenceRecord[], evidence: Evidence, at: Temporal.Instant): EvidenceRecord[] {
  const others = history.filter((record) => record.evidence !== evidence || !record.at.equals(at));
  return [...others, { evidence, at }].toSorted((a, b) => Temporal.Instant.compare(b.at, a.at));
}

/** A catalog in memory, for the tests of operations. It passes the suite of the real one. */
export function memoryCatalog(): Catalog {
  const known = new Map<string, Known>();
  const runs = new Map<string, Run>();
  const recoveries = new Map<string, Recovery>();
  let kept: KeptState[] = [];
  const snapshots = new Map<string, Snapshot>();
  let samples: Sample[] = [];

  const present = (): RecoveryPoint[] =>
    [...known.values()].filter(({ missingSince }) => missingSince === null).map(({ point }) => point);
  const summaries = (wanted: (point: RecoveryPoint) => boolean): PointSummary[] =>
    present().filter(wanted).map(withoutManifest).toSorted(newestFirst);

  function remember(point: RecoveryPoint): void {
    const evidence = withRecord(known.get(keyOf(point))?.evidence ?? [], point.evidence, point.evidenceAt);
    known.set(keyOf(point), { point, missingSince: null, evidence });
  }
  function find(point: PointReference): Known {
    const found = known.get(keyOf(point));
    if (found && found.missingSince === null) return found;
    throw new HoldfastError('PointNotFound', `The catalog does not know the point ${point.location}.`, point.id);
  }

  return {
    points: async ({ service, repository }) =>
      summaries(
        (point) =>
          (service === undefined || point.service === service) &&
          (repository === undefined || point.repository === repository),
      ),
    pointsById: async (prefix) => summaries(({ id }) => id.startsWith(prefix.toUpperCase())),
    load: async (point) => {
      const found = known.get(keyOf(point));
      return found && found.missingSince === null ? found.point : null;
    },
    remember: async (points) => copied(points).forEach(remember),
    forget: async (points) => {
      for (const point of points) known.delete(keyOf(point));
    },
    markMissing: async (points, since) => {
      for (const point of points) {
        const found = known.get(keyOf(point));
        if (found) found.missingSince ??= since;
      }
    },
    missing: async () =>
      [...known.values()].flatMap(({ point, missingSince }): MissingPoint[] =>
        missingSince === null ? [] : [{ ...referenceOf(point), since: missingSince }],
      ),
    setEvidence: async (reference, evidence, at) => {
      const found = find(reference);
      found.point = { ...found.point, evidence, evidenceAt: at };
      found.evidence = withRecord(found.evidence, evidence, at);
    },
    evidenceOf: async (point) => known.get(keyOf(point))?.evidence ?? [],
    setHold: async (reference, hold) => {
      const found = find(reference);
      found.point = { ...found.point, held: hold };
    },
    replaceRepository: async (repository, points) => {
      const copies = copied(points);
      const kept = new Set(copies.map(keyOf));
      for (const [key, { point }] of known) if (point.repository === repository && !kept.has(key)) known.delete(key);
      copies.forEach(remember);
    },

    recordRun: async (run) => void runs.set(run.id, run),
    runs: async ({ verb, limit }) =>
      [...runs.values()]
        .filter((run) => verb === undefined || run.verb === verb)
        .toSorted((a, b) => Temporal.Instant.compare(b.startedAt, a.startedAt) || byText(b.id, a.id))
        .slice(0, limit),

    recordRecovery: async (recovery) => {
      const { restored, outcome, subject } = recovery;
      const isBack = (state: KeptState): boolean =>
        'database' in state && outcome === 'success' && state.service === subject.name && state.database === restored;
      const others = kept.filter((state) => !isBack(state) && !recovery.kept.some((other) => samePlace(state, other)));
      kept = [...others, ...recovery.kept];
      recoveries.set(recovery.id, recovery);
    },
    recoveries: async ({ limit, keeping = false }) =>
      [...recoveries.values()]
        .map((recovery) => ({ ...recovery, kept: kept.filter((state) => recovery.kept.includes(state)) }))
        .filter((recovery) => !keeping || recovery.kept.length > 0)
        .toSorted((a, b) => Temporal.Instant.compare(b.startedAt, a.startedAt) || byText(b.id, a.id))
        .slice(0, limit),
    keptStates: async ({ endedBy }) =>
      kept
        .filter(({ until }) => endedBy === undefined || Temporal.Instant.compare(until, endedBy) <= 0)
        .toSorted(
          (a, b) =>
            Temporal.Instant.compare(a.until, b.until) ||
            Number('database' in a) - Number('database' in b) ||
            byText(nameOf(a), nameOf(b)),
        ),
    forgetKeptState: async (place) => {
      kept = kept.filter((state) => !samePlace(state, place));
    },

    recordSnapshot: async (snapshot) => void snapshots.set(JSON.stringify([snapshot.pool, snapshot.name]), snapshot),
    forgetSnapshot: async ({ pool, name }) => void snapshots.delete(JSON.stringify([pool, name])),
    snapshots: async ({ subvolume, pool, names }) =>
      [...snapshots.values()]
        .filter((snapshot) => subvolume === undefined || snapshot.subvolume === subvolume)
        .filter((snapshot) => pool === undefined || snapshot.pool === pool)
        .filter((snapshot) => names === undefined || names.includes(snapshot.name))
        .toSorted((a, b) => Temporal.Instant.compare(b.madeAt, a.madeAt) || byText(a.name, b.name)),

    recordSamples: async (more) => {
      samples = [...samples, ...more];
    },
    samples: async ({ series, since }) =>
      samples
        .filter((sample) => sample.series === series && Temporal.Instant.compare(sample.at, since) >= 0)
        .toSorted((a, b) => Temporal.Instant.compare(a.at, b.at) || byText(a.subject, b.subject)),
    forgetSamples: async (before) => {
      samples = samples.filter(({ at }) => Temporal.Instant.compare(at, before) >= 0);
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
