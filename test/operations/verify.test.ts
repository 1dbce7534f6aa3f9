import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import type { PointSummary } from '../../src/domain/recovery-point.ts';
import type { VerifyRequest } from '../../src/operations/verify.ts';
import { verify } from '../../src/operations/verify.ts';
import { type House, house, signal } from './house.ts';

const run = (made: House, request: Partial<VerifyRequest> = {}) =>
  verify(
    { what: [], repositories: ['first'], level: 'readable', maxAgeSeconds: null, sample: null, ...request },
    made.context,
    signal,
  );

/** A house with `count` daily points in the first repository, newest first. */
async function withPoints(count = 1): Promise<{ made: House; points: readonly PointSummary[] }> {
  const made = await house();
  made.source('data');
  made.source('db');
  for (let day = 0; day < count; day++) {
    await made.backUp({ repositories: ['first'] });
    made.clock.advance({ hours: 24 });
  }
  return { made, points: await made.context.catalog.points({}) };
}

const evidenceOf = async (made: House, point: PointSummary | undefined) =>
  point && [(await made.first.find(point, signal)).evidence, (await made.context.catalog.points({}))[0]?.evidence];

describe('readable', () => {
  test('reads items of a point side by side, and tells them in the order of the point', async () => {
    const { made } = await withPoints();
    using _ = made;
    const { promise: both, resolve: bothRead } = Promise.withResolvers<void>();
    let reading = 0;
    const open = made.first.open.bind(made.first);
    Object.assign(made.first, {
      async *open(...asked: Parameters<typeof open>) {
        reading += 1;
        if (reading === 2) bothRead();
        await both; // one after the other they would wait for ever
        yield* open(...asked);
      },
    });
    const report = await run(made);
    expect(report.points[0]?.checks.map(({ name }) => name)).toEqual([
      ...['manifest', 'files_data: size', 'files_data: hash', 'files_db: size', 'files_db: hash'],
    ]);
  });

  test('reads every byte, and the point is readable from then on, in the repository and in the catalog', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    const report = await run(made);
    expect(report.outcome).toBe('passed');
    expect(report.points[0]?.checks.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      ...['manifest passed', 'files_data: size passed', 'files_data: hash passed'],
      ...['files_db: size passed', 'files_db: hash passed'],
    ]);
    expect(await evidenceOf(made, points[0])).toEqual(['readable', 'readable']);
  });

  test('one flipped bit fails the point and takes all its evidence away', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => [{ name: 'structure', outcome: 'passed', detail: '' }]);
    await run(made, { level: 'sound' });
    expect(await evidenceOf(made, points[0])).toEqual(['sound', 'sound']);
    made.first.damage(`${points[0]?.location}`, 'files_db');
    const report = await run(made);
    expect(report.outcome).toBe('failed');
    expect(report.points[0]?.checks.filter(({ outcome }) => outcome !== 'passed')).toMatchObject([
      { name: 'files_db: hash', outcome: 'failed', detail: expect.stringContaining('not what was stored') },
    ]);
    expect(await evidenceOf(made, points[0])).toEqual(['failed', 'failed']);
  });

  test('a key that is not there is no failure of the point, and lowers nothing', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    await run(made);
    made.first.failNext('open', new HoldfastError('WrongPassword', 'No identity opens it.', 'first'));
    const report = await run(made);
    expect(report.outcome).toBe('inconclusive');
    expect(await evidenceOf(made, points[0])).toEqual(['readable', 'readable']);
  });

  test('does not lower what was proved better before', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => [{ name: 'structure', outcome: 'passed', detail: '' }]);
    await run(made, { level: 'sound' });
    const since = made.clock.now();
    made.clock.advance({ hours: 1 });
    await run(made);
    expect(await made.first.find(points[0] as PointSummary, signal)).toMatchObject({
      evidence: 'sound',
      evidenceAt: since,
    });
  });

  test('holds the lock of the point while it reads', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    const id = `${points[0]?.id}`;
    const taken: unknown[] = [];
    const open = made.first.open.bind(made.first);
    made.first.open = async function* (...args) {
      const removal = made.first.lock({ kind: 'point', id }, 'exclusive', 0, signal);
      taken.push(
        await removal.then(
          () => 'taken',
          (error) => error.code,
        ),
      );
      yield* open(...args);
    };
    await run(made);
    expect(taken).toEqual(['RepositoryLocked', 'RepositoryLocked']);
  });
});

describe('sound', () => {
  test('looks at the structure of each item in the same pass', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => [{ name: 'members', outcome: 'passed', detail: '10 files, as recorded' }]);
    const report = await run(made, { level: 'sound' });
    expect(report.points[0]?.checks).toContainEqual(
      expect.objectContaining({ name: 'files_db: members', outcome: 'passed' }),
    );
    expect(await evidenceOf(made, points[0])).toEqual(['sound', 'sound']);
  });

  test('a structure that is wrong fails the point though every hash is right', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => [{ name: 'members', outcome: 'failed', detail: '9 files, 10 were recorded' }]);
    expect((await run(made, { level: 'sound' })).outcome).toBe('failed');
    expect(await evidenceOf(made, points[0])).toEqual(['failed', 'failed']);
  });

  test('a kind that is not built is inconclusive, and the point is readable all the same', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    const report = await run(made, { level: 'sound' });
    expect(report.outcome).toBe('inconclusive');
    expect(await evidenceOf(made, points[0])).toEqual(['readable', 'readable']);
  });

  test('damaged bytes are told once, as damage', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => [{ name: 'members', outcome: 'passed', detail: '' }]);
    made.first.damage(`${points[0]?.location}`, 'files_data');
    const report = await run(made, { level: 'sound' });
    const bad = report.points[0]?.checks.filter(({ outcome }) => outcome !== 'passed');
    expect(bad).toMatchObject([{ name: 'files_data: hash', outcome: 'failed' }]);
  });

  test('an inspection that stops early or finds nothing proves nothing by itself', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    made.findings.set('files', () => []);
    expect((await run(made, { level: 'sound' })).outcome).toBe('inconclusive');
    const format = { kind: 'files', tree: true, facts: async () => ({}) };
    const early = { ...format, inspect: async () => [{ name: 'members', outcome: 'passed' as const, detail: '' }] };
    made.first.damage(`${points[0]?.location}`, 'files_data');
    const request = { what: [], repositories: ['first'], level: 'sound', maxAgeSeconds: null, sample: null } as const;
    const report = await verify(request, { ...made.context, format: async () => early }, signal);
    expect(report.points[0]?.checks).toContainEqual(
      expect.objectContaining({ name: 'files_data: hash', outcome: 'failed' }),
    );
  });

  test('leaves no workspace behind and no journal open, also after a failure', async () => {
    const { made } = await withPoints();
    using _ = made;
    made.findings.set('files', () => {
      throw new Error('The inspection broke.');
    });
    expect((await run(made, { level: 'sound' })).outcome).toBe('inconclusive');
    expect(readdirSync(made.context.stateFolder).filter((name) => name.startsWith('workspace'))).toEqual([]);
    expect((await made.context.journal()).open()).toEqual([]);
  });
});

describe('what a point must be', () => {
  test('a partial point is proved for what it holds, and says what it does not hold', async () => {
    using made = await house();
    made.source('data');
    made.source('db').dies = new Error('died');
    await made.backUp({ repositories: ['first'] });
    const report = await run(made);
    expect(report.outcome).toBe('passed');
    expect(report.points[0]?.checks[0]?.detail).toContain('failed when it was made: files_db');
    expect(report.points[0]?.checks.some(({ name }) => name.startsWith('files_db'))).toBe(false);
  });

  test('an empty item fails', async () => {
    using made = await house();
    made.source('data').content = '';
    await made.backUp({ repositories: ['first'] });
    const report = await run(made);
    expect(report.points[0]?.checks).toContainEqual(
      expect.objectContaining({ name: 'files_data: size', outcome: 'failed' }),
    );
  });

  test('a manifest whose counts are not those of its items fails', async () => {
    const { made, points } = await withPoints();
    using _ = made;
    const find = made.first.find.bind(made.first);
    made.first.find = async (reference, current) => {
      const point = await find(reference, current);
      if (point.manifest) point.manifest.items.pop();
      return point;
    };
    const report = await run(made);
    expect(report.points[0]?.checks[0]).toMatchObject({ name: 'manifest', outcome: 'failed' });
    expect(points).toHaveLength(1);
  });

  test('only the newest point of a service must be young, and age takes no evidence away', async () => {
    const { made, points } = await withPoints(2);
    using _ = made;
    expect((await run(made, { maxAgeSeconds: 36 * 3600 })).outcome).toBe('passed');
    made.clock.advance({ hours: 24 });
    const report = await run(made, { maxAgeSeconds: 36 * 3600 });
    expect(report.points.map(({ outcome }) => outcome)).toEqual(['failed', 'passed']);
    expect(await evidenceOf(made, points[0])).toEqual(['readable', 'readable']);
  });

  test('a point of the future is not young', async () => {
    const { made } = await withPoints();
    using _ = made;
    made.clock.set('2026-04-01T00:00:00Z');
    const checks = (await run(made, { maxAgeSeconds: 36 * 3600 })).points[0]?.checks;
    expect(checks?.at(-1)).toMatchObject({ name: 'age', outcome: 'failed' });
  });
});

describe('which points', () => {
  test('a service is all of its points, an id is one, and a name that nothing has is an error', async () => {
    const { made, points } = await withPoints(3);
    using _ = made;
    expect((await run(made, { what: ['mealie'] })).points).toHaveLength(3);
    expect((await run(made, { what: [`${points[1]?.id}`] })).points).toMatchObject([{ point: { id: points[1]?.id } }]);
    await expect(run(made, { what: ['nobody'] })).rejects.toMatchObject({ code: 'PointNotFound' });
  });

  test('a sample has the newest of each service in it', async () => {
    const { made, points } = await withPoints(5);
    using _ = made;
    const { points: verdicts } = await run(made, { sample: 2 });
    expect(verdicts).toHaveLength(2);
    expect(verdicts[0]?.point.id).toBe(points[0]?.id);
  });

  test('a service without a point, a repository out of reach and an unreadable manifest leave it inconclusive', async () => {
    const { made } = await withPoints();
    using _ = made;
    expect((await run(made, { repositories: [] })).outcome).toBe('passed');
    made.first.addUnreadable('mealie/20260101_000000', 'mealie', 'The manifest is no JSON.');
    expect((await run(made, { repositories: [] })).outcome).toBe('inconclusive');
    made.unreachable.set('second', new HoldfastError('RepositoryNotFound', 'No marker.', 'second'));
    made.source('data', 'never');
    const { outcome, warnings } = await run(made, { repositories: [] });
    expect(outcome).toBe('inconclusive');
    expect(warnings.map(({ subject }) => subject)).toEqual(['second', 'first: mealie/20260101_000000', 'never']);
    await expect(run(made, { repositories: ['second'] })).rejects.toMatchObject({ code: 'RepositoryNotFound' });
  });

  test('a foreign archive is read by its id only, and never counted as proved', async () => {
    const { made } = await withPoints();
    using _ = made;
    made.first.addForeign('mealie/old.tar', 'mealie', made.clock.now(), Buffer.from('tar'));
    expect((await run(made)).points).toHaveLength(1);
    const report = await run(made, { what: ['mealie/old.tar'] });
    expect(report.points).toMatchObject([{ outcome: 'passed', evidence: 'stored' }]);
    expect(made.first.report('mealie/old.tar', 'verification-report')).toBeUndefined();
  });
});

test('the report beside the point says in text and JSON what was checked, and when', async () => {
  const { made, points } = await withPoints();
  using _ = made;
  made.first.damage(`${points[0]?.location}`, 'files_db');
  await run(made);
  const report = made.first.report(`${points[0]?.location}`, 'verification-report');
  expect(report?.json).toMatchObject({
    ...{ outcome: 'failed', point: points[0]?.id, service: 'mealie', level: 'readable', evidence: 'failed' },
    ...{ at: '2026-05-02T02:00:00Z', evidenceAt: '2026-05-02T02:00:00Z' },
  });
  expect(report?.text).toMatch(/^Outcome {3}failed$/m);
  expect(report?.text).toMatch(/^ {2}failed {8}files_db: hash {3,}.*not what was stored/m);
});

test('a report that cannot be written leaves it inconclusive, and what was found is known here', async () => {
  const { made, points } = await withPoints();
  using _ = made;
  made.first.failNext('writeReport', new HoldfastError('RepositoryUnusable', 'It is read-only.', 'first'));
  const report = await run(made);
  expect(report).toMatchObject({ outcome: 'inconclusive', points: [{ evidence: 'readable' }] });
  expect(await evidenceOf(made, points[0])).toEqual(['stored', 'readable']);
});

test('a point whose manifest cannot be read is failed here, whatever was proved before', async () => {
  const { made } = await withPoints();
  using _ = made;
  await run(made);
  made.first.failNext('find', new HoldfastError('Damaged', 'The manifest is no JSON.', 'mealie'));
  expect((await run(made)).outcome).toBe('failed');
  expect(await made.context.catalog.points({})).toMatchObject([{ evidence: 'failed' }]);
});
