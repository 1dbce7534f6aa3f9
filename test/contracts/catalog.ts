import { expect, test } from 'vitest';
import type { Manifest } from '../../src/domain/manifest.ts';
import { type RecoveryPoint, summaryOf } from '../../src/domain/recovery-point.ts';
import type { Catalog, KeptDatabase, Recovery, Run, Sample, Snapshot, SnapshotQuery } from '../../src/ports/catalog.ts';

export interface CatalogFixture extends AsyncDisposable {
  readonly catalog: Catalog;
  /** What another process would see: the same store, opened anew. */
  reopen(): Promise<Catalog>;
}

/** Nanoseconds, since a catalog that rounds would disagree with the manifests. */
const noon = Temporal.Instant.from('2025-12-02T12:00:00.123456789Z');
const hour = (hours: number): Temporal.Instant => noon.add({ hours });

/** A point of the service `mealie` in `local`, made `hours` after noon. */
export function aPoint(id: string, hours: number, differing: Partial<RecoveryPoint> = {}): RecoveryPoint {
  const manifest = aManifest(id, hours);
  return {
    id,
    repository: 'local',
    service: 'mealie',
    location: `mealie/${id}`,
    timestamp: hour(hours),
    outcome: 'passed',
    totalSize: 2 ** 41 + 1,
    evidence: 'stored',
    evidenceAt: hour(hours),
    held: null,
    foreign: false,
    ...summaryOf(manifest),
    manifest,
    ...differing,
  };
}

const aManifest = (id: string, hours: number): Manifest => ({
  format: 1,
  id,
  service: 'mealie',
  plan: 'nightly',
  type: 'regular',
  host: 'backup',
  origin: '0123456789abcdef0123456789abcdef',
  timestamp: hour(hours).toString(),
  completedAt: hour(hours).toString(),
  durationMs: 843.5,
  outcome: 'passed',
  holdfast: '0.1.0',
  counts: { succeeded: 1, failed: 0 },
  totalSize: 2 ** 41 + 1,
  items: [
    {
      name: 'sqlite_notes',
      source: 'notes',
      kind: 'sqlite',
      file: 'sqlite_notes.db.zst',
      size: 2 ** 41 + 1,
      originalSize: 2 ** 42,
      sha256: 'a'.repeat(64),
      originalSha256: 'b'.repeat(64),
      durationMs: 543,
      outcome: 'passed',
      error: null,
      warnings: ['a name with a newline:\n, and ünïcödé'],
      facts: { tables: { 'main.users': 120 } },
      tool: { name: 'sqlite', version: '3.50.4' },
      compression: 'zstd',
      encryption: null,
      readAt: hour(hours).toString(),
    },
  ],
  configuration: { version: 1, services: { mealie: {} } },
});

const aForeign = (id: string, hours: number): RecoveryPoint =>
  aPoint(id, hours, { foreign: true, manifest: null, ...summaryOf(null), location: `${id}.tar.gz` });
const aHold = { reason: 'files_data shrank by 80 %', at: hour(1), by: 'anomaly' } as const;
const ids = (points: readonly { readonly id: string }[]): string[] => points.map(({ id }) => id);

const aRun = (id: string, hours: number, differing: Partial<Run> = {}): Run => ({
  id,
  verb: 'backup',
  plan: null,
  services: ['mealie', 'notes'],
  startedAt: hour(hours),
  durationMs: 1234.5,
  outcome: 'partial',
  detail: { points: [{ id: '01' }] },
  ...differing,
});
const aRecovery = (id: string, hours: number, paths: readonly string[]): Recovery => ({
  id,
  subject: { kind: 'service', name: 'mealie' },
  restored: '01A',
  reason: 'manual-recovery',
  startedAt: hour(hours),
  durationMs: 12_000,
  outcome: 'success',
  kept: paths.map((path) => ({ host: 'local', path, until: hour(hours + 720) })),
});
const aSnapshot = (name: string, hours: number, differing: Partial<Snapshot> = {}): Snapshot => ({
  pool: 'main',
  name,
  subvolume: 'subvol7-containers',
  type: 'pre-operation',
  operation: 'Deploy Immich!',
  madeAt: hour(hours),
  outcome: 'pending',
  sizeBytes: null,
  ...differing,
});
const aSample = (hours: number, value: number, series = 'load', subject = ''): Sample => ({
  at: hour(hours),
  series,
  subject,
  value,
});

/** What every catalog owes: run by the real ones and by the one that operations are tested with. */
export function catalogContract(name: string, fixture: () => Promise<CatalogFixture>): void {
  const owes = (promise: string, proof: (made: CatalogFixture) => Promise<void>): void =>
    test(`${name}: ${promise}`, async () => {
      await using made = await fixture();
      await proof(made);
    });

  owes('a point reads back as it was remembered, and a list has it without its manifest', async ({ catalog }) => {
    const point = aPoint('01A', 0, { held: aHold, outcome: 'partial', evidence: 'failed' });
    await catalog.remember([point]);
    const { manifest: _, ...summary } = point;
    expect(await catalog.points({})).toEqual([summary]);
    expect(await catalog.load(point)).toEqual(point);
  });

  owes('a foreign archive has no manifest, plan or origin', async ({ catalog }) => {
    await catalog.remember([aForeign('01F', 0)]);
    expect(await catalog.points({})).toMatchObject([{ foreign: true, plan: null, origin: null, items: [] }]);
    expect(await catalog.load(aForeign('01F', 0))).toEqual(aForeign('01F', 0));
  });

  owes('points are listed newest first, and by id when they are of the same time', async ({ catalog }) => {
    await catalog.remember([aPoint('01B', 1), aPoint('01D', 0), aPoint('01C', 2), aPoint('01A', 0)]);
    expect(ids(await catalog.points({}))).toEqual(['01C', '01B', '01A', '01D']);
  });

  owes('points are listed in the order of their times, however these are written', async ({ catalog }) => {
    const times = ['2025-12-02T12:00:00Z', '2025-12-02T12:00:00.5Z', '2025-12-02T12:00:00.123456789Z'];
    await catalog.remember(
      times.map((time, index) => aPoint(`0${index}`, 0, { timestamp: Temporal.Instant.from(time) })),
    );
    expect(ids(await catalog.points({}))).toEqual(['01', '02', '00']);
  });

  owes('a list can be narrowed to a service and to a repository', async ({ catalog }) => {
    await catalog.remember([
      aPoint('01A', 0),
      aPoint('01A', 0, { repository: 'offsite' }),
      aPoint('01B', 1, { service: 'notes', location: 'notes/01B' }),
    ]);
    expect(ids(await catalog.points({ service: 'notes' }))).toEqual(['01B']);
    expect(await catalog.points({ service: 'mealie', repository: 'offsite' })).toMatchObject([{ id: '01A' }]);
    expect(await catalog.points({ repository: 'nowhere' })).toEqual([]);
  });

  owes('a point is found by the beginning of its id, in upper or lower case', async ({ catalog }) => {
    await catalog.remember([aPoint('01JDAA', 0), aPoint('01JDAB', 1), aPoint('01JDAA', 0, { repository: 'offsite' })]);
    expect(ids(await catalog.pointsById('01jda'))).toEqual(['01JDAB', '01JDAA', '01JDAA']);
    expect(ids(await catalog.pointsById('01JDAB'))).toEqual(['01JDAB']);
    for (const none of ['JDA', '01JDA_', '01%', '%', '\\', "'"])
      expect(await catalog.pointsById(none), none).toEqual([]);
  });

  owes('a folder that was copied by hand is a second point with the same id', async ({ catalog }) => {
    const [point, copy] = [aPoint('01A', 0), aPoint('01A', 0, { location: 'mealie/copy' })];
    await catalog.remember([point, copy]);
    await catalog.setEvidence(copy, 'failed', hour(1));
    await catalog.forget([copy]);
    expect(await catalog.points({})).toMatchObject([{ location: 'mealie/01A', evidence: 'stored' }]);
  });

  owes('what is remembered again replaces what was known', async ({ catalog }) => {
    await catalog.remember([aPoint('01A', 0, { held: aHold })]);
    const changed = aPoint('01A', 3, { evidence: 'sound', evidenceAt: hour(4), outcome: 'partial' });
    await catalog.remember([changed]);
    expect(await catalog.load(changed)).toEqual(changed);
    expect(await catalog.points({})).toHaveLength(1);
    await catalog.remember([{ ...changed, manifest: null, foreign: true }]);
    expect(await catalog.load(changed)).toMatchObject({ manifest: null, foreign: true });
  });

  owes('a point that is forgotten is gone with all that was known of it', async ({ catalog }) => {
    await catalog.remember([aPoint('01A', 0), aPoint('01B', 1)]);
    await catalog.forget([aPoint('01A', 0), aPoint('never known', 0)]);
    expect(ids(await catalog.points({}))).toEqual(['01B']);
    expect(await catalog.load(aPoint('01A', 0))).toBeNull();
    expect(await catalog.evidenceOf(aPoint('01A', 0))).toEqual([]);
  });

  owes('a point that went missing is in no list, and is remembered with the first time', async ({ catalog }) => {
    const point = aPoint('01A', 0);
    await catalog.remember([point, aPoint('01B', 1)]);
    await catalog.markMissing([point, aPoint('never known', 0)], hour(5));
    await catalog.markMissing([point], hour(6));
    expect(ids(await catalog.points({}))).toEqual(['01B']);
    expect(await catalog.pointsById('01A')).toEqual([]);
    expect(await catalog.load(point)).toBeNull();
    const { id, repository, service, location } = point;
    expect(await catalog.missing()).toEqual([{ id, repository, service, location, since: hour(5) }]);
  });

  owes('a point that was missing and is there again is in the lists', async ({ catalog }) => {
    await catalog.remember([aPoint('01A', 0)]);
    await catalog.markMissing([aPoint('01A', 0)], hour(5));
    await catalog.remember([aPoint('01A', 0)]);
    expect(await catalog.missing()).toEqual([]);
    expect(ids(await catalog.points({}))).toEqual(['01A']);
  });

  owes('evidence is replaced, and its history kept', async ({ catalog }) => {
    const point = aPoint('01A', 0);
    await catalog.remember([point]);
    await catalog.setEvidence(point, 'sound', hour(1));
    await catalog.setEvidence(point, 'failed', hour(2));
    await catalog.remember([{ ...point, evidence: 'failed', evidenceAt: hour(2) }]);
    expect(await catalog.points({})).toMatchObject([{ evidence: 'failed', evidenceAt: hour(2) }]);
    expect(await catalog.evidenceOf(point)).toEqual([
      { evidence: 'failed', at: hour(2) },
      { evidence: 'sound', at: hour(1) },
      { evidence: 'stored', at: hour(0) },
    ]);
  });

  owes('a hold is set and taken away', async ({ catalog }) => {
    const point = aPoint('01A', 0);
    await catalog.remember([point]);
    await catalog.setHold(point, aHold);
    expect(await catalog.points({})).toMatchObject([{ held: aHold }]);
    await catalog.setHold(point, null);
    expect(await catalog.points({})).toMatchObject([{ held: null }]);
  });

  owes('nothing is said of a point that is not known or missing', async ({ catalog }) => {
    await catalog.remember([aPoint('01A', 0)]);
    await catalog.markMissing([aPoint('01A', 0)], hour(1));
    for (const point of [aPoint('01A', 0), aPoint('01B', 0)]) {
      await expect(catalog.setEvidence(point, 'sound', hour(1))).rejects.toMatchObject({ code: 'PointNotFound' });
      await expect(catalog.setHold(point, aHold)).rejects.toMatchObject({ code: 'PointNotFound' });
      expect((await catalog.evidenceOf(point)).map(({ evidence }) => evidence)).not.toContain('sound');
    }
  });

  owes('a rebuild makes its points all that is known of a repository, and no other', async ({ catalog }) => {
    const stays = aPoint('01A', 0);
    await catalog.remember([stays, aPoint('01B', 1), aPoint('01C', 2), aPoint('01B', 1, { repository: 'offsite' })]);
    await catalog.setEvidence(stays, 'sound', hour(1));
    await catalog.markMissing([aPoint('01C', 2)], hour(5));
    await catalog.replaceRepository('local', [
      { ...stays, evidence: 'readable', evidenceAt: hour(3) },
      aPoint('01D', 4),
    ]);
    expect(ids(await catalog.points({ repository: 'local' }))).toEqual(['01D', '01A']);
    expect(ids(await catalog.points({ repository: 'offsite' }))).toEqual(['01B']);
    expect(await catalog.missing()).toEqual([]);
    expect((await catalog.evidenceOf(stays)).map(({ evidence }) => evidence)).toEqual(['readable', 'sound', 'stored']);
  });

  owes('a call that fails in the middle changes nothing', async ({ catalog }) => {
    await catalog.remember([aPoint('01A', 0)]);
    const broken = aPoint('01C', 2);
    Object.defineProperty(broken, 'items', {
      get: () => {
        throw new Error('broken');
      },
    });
    const many = Array.from({ length: 1200 }, (_, index) => aPoint(`02${index}`, index));
    await expect(catalog.remember([...many, broken])).rejects.toThrow('broken');
    await expect(catalog.replaceRepository('local', [...many, broken])).rejects.toThrow('broken');
    expect(ids(await catalog.points({}))).toEqual(['01A']);
  });

  owes('calls that are made at once do not mix', async ({ catalog }) => {
    const batches = Array.from({ length: 8 }, (_, batch) =>
      Array.from({ length: 20 }, (_, index) => aPoint(`0${batch}-${index}`, index)),
    );
    const listed: number[] = [];
    await Promise.all(
      batches.flatMap((batch) => [
        catalog.remember(batch),
        catalog.points({}).then((points) => void listed.push(points.length)),
      ]),
    );
    expect(await catalog.points({})).toHaveLength(160);
    expect(listed.every((count) => count % 20 === 0)).toBe(true);
  });

  owes('ten thousand points are remembered in one call', async ({ catalog }) => {
    const points = Array.from({ length: 10_000 }, (_, index) => aPoint(`0${index}`, index));
    await catalog.replaceRepository('local', points);
    const listed = await catalog.points({ service: 'mealie' });
    expect(listed).toHaveLength(10_000);
    expect(ids(listed).slice(0, 2)).toEqual(['09999', '09998']);
  });

  owes('runs are listed newest first, some of them, of one verb', async ({ catalog }) => {
    await catalog.recordRun(aRun('1', 0));
    await catalog.recordRun(aRun('2', 2, { verb: 'prune', plan: 'nightly', detail: null }));
    await catalog.recordRun(aRun('3', 1));
    expect(await catalog.runs({ limit: 2 })).toEqual([
      aRun('2', 2, { verb: 'prune', plan: 'nightly', detail: null }),
      aRun('3', 1),
    ]);
    expect(ids(await catalog.runs({ verb: 'backup', limit: 10 }))).toEqual(['3', '1']);
    await catalog.recordRun(aRun('3', 1, { outcome: 'failed' }));
    expect(await catalog.runs({ verb: 'backup', limit: 1 })).toEqual([aRun('3', 1, { outcome: 'failed' })]);
  });

  owes('a state that a recovery kept is told when its time is over, until it is removed', async ({ catalog }) => {
    await catalog.recordRecovery(aRecovery('1', 0, ['/opt/b', '/opt/a']));
    await catalog.recordRecovery(aRecovery('2', 10, ['/opt/c']));
    expect(await catalog.keptStates({ endedBy: hour(719) })).toEqual([]);
    expect(await catalog.keptStates({ endedBy: hour(720) })).toMatchObject([{ path: '/opt/a' }, { path: '/opt/b' }]);
    await catalog.forgetKeptState({ host: 'local', path: '/opt/a' });
    await catalog.forgetKeptState({ host: 'other', path: '/opt/b' });
    expect(await catalog.recoveries({ limit: 5 })).toEqual([
      aRecovery('2', 10, ['/opt/c']),
      aRecovery('1', 0, ['/opt/b']),
    ]);
    expect(await catalog.recoveries({ limit: 1 })).toHaveLength(1);
  });

  owes(
    'a database that a recovery kept is told beside paths, until it is removed or takes its place again',
    async ({ catalog }) => {
      const database = (name: string, hours: number, source = 'db'): KeptDatabase => ({
        ...{ service: 'mealie', source, database: name, original: 'wiki', until: hour(hours) },
      });
      const first = {
        ...aRecovery('1', 0, ['/opt/a']),
        kept: [database('wiki_1', 720), database('wiki_1', 720, 'other')],
      };
      await catalog.recordRecovery(first);
      await catalog.recordRecovery(aRecovery('2', 0, ['/opt/b']));
      expect(await catalog.keptStates({ endedBy: hour(719) })).toEqual([]);
      const listed = await catalog.keptStates({ endedBy: hour(720) });
      expect(listed).toMatchObject([{ path: '/opt/b' }, { database: 'wiki_1' }, { database: 'wiki_1' }]);
      await catalog.forgetKeptState({ service: 'mealie', source: 'other', database: 'wiki_1' });
      expect((await catalog.recoveries({ limit: 2 })).at(-1)).toEqual({ ...first, kept: [database('wiki_1', 720)] });
      await catalog.recordRecovery(aRecovery('0', 0, []));
      const ids = async (limit: number) => (await catalog.recoveries({ limit, keeping: true })).map(({ id }) => id);
      expect([await ids(9), await ids(1)]).toEqual([['2', '1'], ['2']]);
      const back = { ...aRecovery('3', 1, []), restored: 'wiki_1', kept: [database('wiki_2', 721)] };
      await catalog.recordRecovery({ ...back, id: '4', outcome: 'failed', kept: [] });
      expect(await catalog.keptStates({})).toContainEqual(database('wiki_1', 720));
      await catalog.recordRecovery(back);
      expect(await catalog.keptStates({})).toEqual([
        expect.objectContaining({ path: '/opt/b' }),
        database('wiki_2', 721),
      ]);
    },
  );

  owes('snapshots are listed newest first, with the outcome that came later', async ({ catalog }) => {
    await catalog.recordSnapshot(aSnapshot('a', 0));
    await catalog.recordSnapshot(aSnapshot('b', 1, { subvolume: 'other', sizeBytes: 2 ** 40 }));
    await catalog.recordSnapshot(aSnapshot('a', 0, { outcome: 'rolled_back' }));
    await catalog.recordSnapshot(aSnapshot('a', 2, { pool: 'second' }));
    expect(await catalog.snapshots({ subvolume: 'subvol7-containers' })).toEqual([
      aSnapshot('a', 2, { pool: 'second' }),
      aSnapshot('a', 0, { outcome: 'rolled_back' }),
    ]);
    await catalog.forgetSnapshot({ pool: 'main', name: 'a' });
    expect((await catalog.snapshots({})).map(({ pool, name }) => [pool, name])).toEqual([
      ['second', 'a'],
      ['main', 'b'],
    ]);
  });

  owes('snapshots are looked up by their names, however many, each once and newest first', async ({ catalog }) => {
    await catalog.recordSnapshot(aSnapshot('a', 0));
    await catalog.recordSnapshot(aSnapshot('b', 1, { subvolume: 'other' }));
    await catalog.recordSnapshot(aSnapshot('a', 2, { pool: 'second' }));
    await catalog.recordSnapshot(aSnapshot('c', 3));
    const many = Array.from({ length: 5000 }, (_, index) => `absent-${index}`);
    const names = ['a', 'b', ...many, 'c'];
    const shown = async (query: SnapshotQuery): Promise<string[]> =>
      (await catalog.snapshots(query)).map(({ pool, name }) => `${pool}/${name}`);
    expect(await shown({ names })).toEqual(['main/c', 'second/a', 'main/b', 'main/a']);
    expect(await shown({ pool: 'main', names })).toEqual(['main/c', 'main/b', 'main/a']);
    expect(await shown({ pool: 'main', subvolume: 'subvol7-containers', names: ['a', 'b'] })).toEqual(['main/a']);
    expect(await shown({ pool: 'second' })).toEqual(['second/a']);
    expect(await shown({ names: [] })).toEqual([]);
  });

  owes('samples are listed oldest first from a time on, and forgotten before one', async ({ catalog }) => {
    await catalog.recordSamples([
      aSample(2, 0.75),
      aSample(0, 1),
      aSample(1, 0.5),
      aSample(1, 9, 'repository-bytes', 'local'),
    ]);
    await catalog.recordSamples([aSample(0, 1.5)]);
    expect(await catalog.samples({ series: 'load', since: hour(1) })).toEqual([aSample(1, 0.5), aSample(2, 0.75)]);
    await catalog.forgetSamples(hour(1));
    expect(await catalog.samples({ series: 'load', since: hour(-9) })).toEqual([aSample(1, 0.5), aSample(2, 0.75)]);
    expect(await catalog.samples({ series: 'repository-bytes', since: hour(0) })).toHaveLength(1);
  });

  owes('another process sees what was said, at once', async ({ catalog, reopen }) => {
    await using second = await reopen();
    const point = aPoint('01A', 0);
    await catalog.remember([point]);
    expect(await second.load(point)).toEqual(point);
    await second.setEvidence(point, 'restored', hour(1));
    expect(await catalog.points({})).toMatchObject([{ evidence: 'restored' }]);
  });
}
