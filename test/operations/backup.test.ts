import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { backup } from '../../src/operations/backup.ts';
import { aPlan, type House, house, signal } from './house.ts';

const everything = { service: 'mealie' } as const;

describe('items', () => {
  test('a failed item stops no other, keeps its row without a file, and makes the point partial', async () => {
    using made = await house();
    made.source('data').content = 'whole';
    made.source('db').dies = new HoldfastError('SourceFailed', 'pg_dump ended with 1.', 'db');
    const report = await made.backUp({ repositories: ['first'] });
    expect(report.outcome).toBe('partial');
    const [point] = report.points;
    expect(point?.manifest).toMatchObject({ outcome: 'partial', counts: { succeeded: 1, failed: 1 }, totalSize: 5 });
    const [data, db] = point?.manifest?.items ?? [];
    expect(data).toMatchObject({ name: 'files_data', outcome: 'passed', size: 5, error: null, facts: { files: 10 } });
    expect(data?.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(db).toMatchObject({ name: 'files_db', outcome: 'failed', error: 'pg_dump ended with 1.', sha256: null });
    expect(db).not.toHaveProperty('file');
    expect(db).not.toHaveProperty('roots');
    expect(made.first.stored(`${point?.location}`, 'files_db')).toBeUndefined();
  });

  test('of two servers with a database of one name the one declared first keeps it, though it is slower', async () => {
    using made = await house();
    const [first, second] = [made.source('a'), made.source('b')];
    const asked = Promise.withResolvers<void>();
    for (const source of [first, second]) {
      const { capture } = source;
      Object.assign(source, { databases: { server: { sockets: [] } } });
      source.capture = async (...wanted) => {
        if (source === first) await asked.promise;
        const captured = await capture(...wanted);
        asked.resolve();
        return { ...captured, items: captured.items.map((item) => ({ ...item, name: 'files_wiki' })) };
      };
    }
    const { points, outcome } = await made.backUp({ repositories: ['first'] });
    expect(outcome).toBe('partial');
    expect(points[0]?.manifest?.items).toMatchObject([
      { name: 'files_wiki', source: 'a', outcome: 'passed' },
      { name: 'files_wiki%20of%20b', source: 'b', outcome: 'failed', error: expect.stringContaining('a has the item') },
    ]);
    expect(second.reads).toBe(0);
    expect(second.open).toBe(0);
  });

  test('a source that is missing fails its items under their names', async () => {
    using made = await house();
    made.source('data');
    made.source('gone').missing = new HoldfastError('SourceMissing', '/srv/gone is not there.', '/srv/gone');
    const { points } = await made.backUp({ repositories: ['first'] });
    expect(points[0]?.manifest?.items[1]).toMatchObject({
      name: 'files_gone',
      source: 'gone',
      outcome: 'failed',
      size: 0,
    });
  });

  test('what could not be read makes an item partial and is named, and a warning does not', async () => {
    using made = await house();
    made.source('data').unreadable = ['/srv/data/secret'];
    made.source('other').warnings = ['/srv/other/log changed while it was read'];
    const { outcome, points } = await made.backUp({ repositories: ['first'] });
    expect(outcome).toBe('partial');
    expect(points[0]?.manifest?.items).toMatchObject([
      { outcome: 'partial', error: 'Not readable: /srv/data/secret' },
      { outcome: 'passed', error: null, warnings: ['/srv/other/log changed while it was read'] },
    ]);
  });

  test('a point of which nothing could be stored is not made, and says why', async () => {
    using made = await house();
    made.source('data').dies = new Error('The disk went away.');
    const report = await made.backUp({ repositories: ['first', 'second'] });
    expect(report).toMatchObject({ outcome: 'failed', points: [] });
    expect(report.failures).toMatchObject([
      {
        service: 'mealie',
        repository: 'first',
        code: 'NothingDone',
        message: expect.stringContaining('disk went away'),
      },
    ]);
    expect((await made.first.list(everything, signal)).locations.size).toBe(0);
    expect(await made.context.catalog.points({})).toEqual([]);
  });

  test('every capture is disposed of, also after a failure', async () => {
    using made = await house();
    const [data, db] = [made.source('data'), made.source('db')];
    db.dies = new Error('died');
    await made.backUp();
    expect([data.open, db.open]).toEqual([0, 0]);
  });

  test('the sources are given the paths that they must leave out', async () => {
    using made = await house();
    const source = made.source('data');
    const context = { ...made.context, forbiddenPaths: ['/srv/backups'] };
    await backup({ services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 }, context, signal);
    expect(source.contexts[0]).toMatchObject({ forbidden: ['/srv/backups'], quiescent: false });
  });

  test('states that a recovery moved aside on the host are left out, however long they are kept', async () => {
    using made = await house();
    const source = made.source('data');
    const until = made.clock.now().add({ hours: 24 * 365 });
    const here = { host: 'local', path: '/srv/data/.recovery-backup-20260501-020000', until };
    await made.context.catalog.recordRecovery({
      ...{ id: '01', subject: { kind: 'service', name: 'mealie' }, restored: '02', reason: 'manual-recovery' },
      ...{ startedAt: made.clock.now(), durationMs: 1, outcome: 'success' },
      kept: [here, { ...here, host: 'far', path: '/srv/far.recovery-backup-20260501-020000' }],
    });
    await made.backUp({ repositories: ['first'] });
    expect(source.contexts[0]?.forbidden).toEqual([here.path]);
  });
});

describe('a path that had files and has none', () => {
  test('fails its item, whatever else the item holds, and nothing of it is stored', async () => {
    using made = await house();
    const source = made.source('data');
    made.source('other');
    source.roots = [root('/srv/a', 5), root('/srv/b', 5)];
    await made.backUp({ repositories: ['first'] });
    made.clock.advance({ hours: 1 });
    source.roots = [root('/srv/a', 50), root('/srv/b', 0)];
    const { points } = await made.backUp({ repositories: ['first'] });
    expect(points[0]?.manifest?.items[0]).toMatchObject({
      outcome: 'failed',
      error: expect.stringMatching(/^\/srv\/b had files and has none\..*--accept-loss/),
    });
    expect(made.first.stored(`${points[0]?.location}`, 'files_data')).toBeUndefined();
  });

  test('fails its item when only the counted bytes tell', async () => {
    using made = await house();
    const source = made.source('data');
    made.source('other');
    await made.backUp({ repositories: ['first'] });
    made.clock.advance({ hours: 1 });
    source.facts = { files: 0, directories: 1 };
    const { points } = await made.backUp({ repositories: ['first'] });
    expect(points[0]?.manifest?.items[0]).toMatchObject({
      outcome: 'failed',
      error: expect.stringContaining('files_data had 10 files and has none.'),
    });
    expect(made.first.stored(`${points[0]?.location}`, 'files_data')).toBeUndefined();
  });

  test('still fails after it failed once, and is taken once when the loss is accepted', async () => {
    using made = await house();
    const source = made.source('data');
    made.source('other');
    for (const files of [10, 0, 0]) {
      source.facts = { files };
      await made.backUp({ repositories: ['first'] });
      made.clock.advance({ hours: 1 });
    }
    const { points: refused } = await made.first.list(everything, signal);
    expect(refused.map(({ outcome }) => outcome)).toEqual(['partial', 'partial', 'passed']);
    const report = await made.backUp({ repositories: ['first'], acceptLoss: ['mealie'] });
    expect(report).toMatchObject({ outcome: 'passed', points: [{ held: null }] });
  });

  const root = (path: string, files: number) => ({ path, stored: path.slice(1), files });
});

describe('several repositories', () => {
  test('the source is read once, and the other repository has the same point under its id', async () => {
    using made = await house();
    const source = made.source('data');
    const { outcome, points } = await made.backUp();
    expect(outcome).toBe('passed');
    expect(points.map(({ repository }) => repository)).toEqual(['first', 'second']);
    expect(points[0]?.id).toBe(points[1]?.id);
    expect(points[0]?.manifest).toEqual(points[1]?.manifest);
    expect(source.reads).toBe(1);
    expect(`${made.second.stored(`${points[1]?.location}`, 'files_data')}`).toBe('content of data');
  });

  test('the source is read for the next one when the first cannot be reached', async () => {
    using made = await house();
    made.source('data');
    made.unreachable.set('first', new HoldfastError('RepositoryNotFound', 'No marker in /srv.', 'first'));
    const report = await made.backUp();
    expect(report).toMatchObject({ outcome: 'partial', points: [{ repository: 'second', outcome: 'passed' }] });
    expect(report.failures).toMatchObject([{ repository: 'first', code: 'RepositoryNotFound' }]);
  });

  test('a first repository that fails while it is written gives the point up, and the next one takes it whole', async () => {
    using made = await house();
    made.source('data');
    made.source('db');
    made.first.failNext('putTree', new HoldfastError('NoSpace', 'The disk is full.', 'first'));
    const report = await made.backUp();
    expect(report).toMatchObject({ outcome: 'partial', points: [{ repository: 'second', outcome: 'passed' }] });
    expect((await made.first.list(everything, signal)).locations.size).toBe(0);
  });

  test('the only repository keeps what it could store when it failed for one item', async () => {
    using made = await house();
    made.source('data');
    made.source('db');
    made.first.failNext('putTree', new HoldfastError('NoSpace', 'The disk is full.', 'first'));
    const { points } = await made.backUp({ repositories: ['first'] });
    expect(points[0]?.items.map(({ outcome }) => outcome)).toEqual(['failed', 'passed']);
  });

  test('a second repository that fails leaves the point of the first', async () => {
    using made = await house();
    made.source('data');
    made.second.failNext('commit', new HoldfastError('NoSpace', 'The disk is full.', 'second'));
    const report = await made.backUp();
    expect(report).toMatchObject({ outcome: 'partial', points: [{ repository: 'first' }] });
    expect((await made.second.list(everything, signal)).locations.size).toBe(0);
  });

  test('a point whose bytes do not prove while they are read is not copied', async () => {
    using made = await house();
    made.source('data');
    made.first.failNext('open', new HoldfastError('Damaged', 'files_data is not what was stored.', 'files_data'));
    const report = await made.backUp();
    expect(report.failures).toMatchObject([{ repository: 'second', code: 'Damaged' }]);
    expect((await made.second.list(everything, signal)).locations.size).toBe(0);
  });
});

describe('services', () => {
  test('one whose kind is not built fails alone, before anything of it is read', async () => {
    using made = await house();
    const source = made.source('data', 'broken');
    const broken = made.services.get('broken');
    if (broken)
      made.services.set('broken', {
        ...broken,
        sources: [...broken.sources, { name: 'pg', kind: 'postgres', settings: {} }],
      });
    made.source('data');
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{ service: 'mealie' }] });
    expect(report.failures).toMatchObject([{ service: 'broken', repository: null, code: 'Unsupported' }]);
    expect(source.reads).toBe(0);
  });

  test('unknown names are said before anything is done', async () => {
    using made = await house();
    made.configure(aPlan());
    const source = made.source('data');
    made.source('data', 'other');
    await expect(made.backUp({ services: ['nobody'] })).rejects.toMatchObject({ code: 'ServiceNotFound' });
    await expect(made.backUp({ plan: 'nobody' })).rejects.toMatchObject({ code: 'PlanNotFound' });
    await expect(made.backUp({ services: ['other'], plan: 'nightly' })).rejects.toMatchObject({ code: 'Usage' });
    await expect(made.backUp({ repositories: ['nobody'] })).rejects.toMatchObject({ code: 'RepositoryNotFound' });
    expect(source.reads).toBe(0);
  });

  test('without a plan the repositories are those of the plans that have the service', async () => {
    using made = await house();
    made.source('data');
    made.configure(aPlan({ repositories: ['second'] }));
    const { points } = await made.backUp();
    expect(points).toMatchObject([{ repository: 'second', plan: null }]);
  });
});

describe('no point at all', () => {
  test.each(['RepositoryNotFound', 'WrongPassword', 'RepositoryLocked'] as const)(
    'ends as %s when that is all there is to say',
    async (code) => {
      using made = await house();
      made.source('data');
      for (const name of ['first', 'second']) made.unreachable.set(name, new HoldfastError(code, 'No.', name));
      await expect(made.backUp()).rejects.toMatchObject({ code });
      expect(await made.context.catalog.runs({ limit: 1 })).toMatchObject([{ verb: 'backup', outcome: 'failed' }]);
    },
  );
});

describe('space', () => {
  /** The first repository lies on a disk with this much space. */
  const backUpWith = async (made: House, free: number) => {
    Object.assign(made.first.capabilities, { local: '/srv/backups' });
    const host = await made.context.host('local');
    const small = { ...host, files: { ...host.files, freeBytes: async () => free } };
    const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
    return backup(request, { ...made.context, host: async () => small }, signal);
  };

  test('an item that cannot fit, as it packed before, is not even read', async () => {
    using made = await house();
    const [large, small] = [made.source('large'), made.source('small')];
    large.content = 'x'.repeat(1000);
    await made.backUp({ repositories: ['first'] });
    const find = made.first.find.bind(made.first);
    made.first.find = async (reference, current) => {
      const point = await find(reference, current);
      const item = point.manifest?.items[0];
      if (item) item.originalSize = 4000; // it was packed to a quarter
      return point;
    };
    made.clock.advance({ hours: 1 });
    large.estimatedBytes = 8000;
    const report = await backUpWith(made, 1999);
    expect(report.points[0]?.manifest?.items).toMatchObject([
      { outcome: 'failed', error: expect.stringContaining('2000 bytes are expected, and first has 1999 left') },
      { outcome: 'passed' },
    ]);
    expect([large.reads, small.reads]).toEqual([1, 2]);
    made.clock.advance({ hours: 1 });
    expect((await backUpWith(made, 2000)).points[0]?.outcome).toBe('passed');
  });

  test('an item of which nothing is known yet is tried, with a warning', async () => {
    using made = await house();
    made.source('data').estimatedBytes = 5000;
    expect((await backUpWith(made, 100)).outcome).toBe('passed');
    expect(made.events).toContainEqual(
      expect.objectContaining({ type: 'warning', subject: 'files_data', text: expect.stringContaining('may not fit') }),
    );
  });
});

test('no point for several reasons is a failed backup that names them all', async () => {
  using made = await house();
  made.source('data');
  made.unreachable.set('first', new HoldfastError('RepositoryNotFound', 'No marker.', 'first'));
  made.unreachable.set('second', new HoldfastError('WrongPassword', 'No identity opens it.', 'second'));
  const report = await made.backUp();
  expect(report).toMatchObject({ outcome: 'failed', points: [] });
  expect(report.failures.map(({ code }) => code)).toEqual(['RepositoryNotFound', 'WrongPassword']);
});

describe('locks', () => {
  test('another run on the same service is an error at once, and is waited for when asked', async () => {
    using made = await house();
    made.source('data');
    const lock = await made.first.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal);
    await expect(made.backUp({ repositories: ['first'] })).rejects.toMatchObject({ code: 'RepositoryLocked' });
    const waiting = made.backUp({ repositories: ['first'], lockWaitMs: 3_600_000 });
    await new Promise<void>((resolve) => setImmediate(resolve));
    made.clock.advance({ minutes: 1 });
    await lock[Symbol.asyncDispose]();
    const { points } = await waiting;
    // A point is not older than the run that it waited for.
    expect(`${points[0]?.timestamp}`).toMatch(/^2026-05-01T02:01:/);
  });

  test('services do not wait for each other', async () => {
    using made = await house();
    made.source('data');
    made.source('data', 'other');
    await using _ = await made.first.lock({ kind: 'service', service: 'other' }, 'exclusive', 0, signal);
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{ service: 'mealie' }] });
    expect(report.failures).toMatchObject([{ service: 'other', code: 'RepositoryLocked' }]);
  });
});

test('an abort ends the backup with its reason, leaves no point, and is in the history', async () => {
  using made = await house();
  const controller = new AbortController();
  const reason = new HoldfastError('Interrupted', 'Ctrl-C.', 'backup');
  made.source('data').onRead = () => controller.abort(reason);
  const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
  await expect(backup(request, made.context, controller.signal)).rejects.toBe(reason);
  expect((await made.first.list(everything, signal)).locations.size).toBe(0);
  expect(await made.context.catalog.runs({ limit: 1 })).toMatchObject([
    { outcome: 'failed', detail: { error: 'Ctrl-C.' } },
  ]);
});

test('the catalog knows a point once it is made, and a catalog that fails is a failure, not the loss of the point', async () => {
  using made = await house();
  made.source('data');
  const { points } = await made.backUp({ repositories: ['first'] });
  expect(await made.context.catalog.points({})).toMatchObject([{ id: points[0]?.id, evidence: 'stored' }]);
  made.clock.advance({ hours: 1 });
  let calls = 0;
  const catalog = {
    ...made.context.catalog,
    remember: async () => {
      calls += 1;
      throw new HoldfastError('StateUnusable', 'The catalog cannot be written.', 'catalog');
    },
  };
  const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
  const report = await backup(request, { ...made.context, catalog }, signal);
  expect(calls).toBe(1);
  expect(report).toMatchObject({
    outcome: 'partial',
    points: [{ repository: 'first' }],
    failures: [{ code: 'StateUnusable' }],
  });
});

test('a point says what it was made with, and when, whatever the clock does meanwhile', async () => {
  using made = await house();
  made.configure(aPlan());
  made.source('data').onRead = () => {
    made.clock.advance({ seconds: 90 });
    made.clock.set('2020-01-01T00:00:00Z');
  };
  const { points } = await made.backUp({ plan: 'nightly' });
  expect(points[0]?.manifest).toMatchObject({
    ...{ timestamp: '2026-05-01T02:00:00Z', completedAt: '2026-05-01T02:01:30Z', durationMs: 90_000, plan: 'nightly' },
    ...{ origin: 'here', holdfast: '0', host: 'backup', configuration: { plans: { nightly: { retention: {} } } } },
  });
});
