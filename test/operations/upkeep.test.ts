import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { catalogRebuild } from '../../src/operations/catalog-rebuild.ts';
import { copy } from '../../src/operations/copy.ts';
import { doctor, isOlder } from '../../src/operations/doctor.ts';
import { list } from '../../src/operations/list.ts';
import { repositoryCheck, repositoryInit } from '../../src/operations/repository-check.ts';
import { repositoryList } from '../../src/operations/repository-list.ts';
import { unlock } from '../../src/operations/unlock.ts';
import { verify } from '../../src/operations/verify.ts';
import { type House, house, signal } from './house.ts';

async function withPoints(count: number): Promise<House> {
  const made = await house();
  made.source('data');
  for (let day = 0; day < count; day++) {
    await made.backUp({ repositories: ['first'] });
    made.clock.advance({ hours: 24 });
  }
  return made;
}
const noMarker = new HoldfastError('RepositoryNotFound', 'No marker in /srv: its disk may not be mounted.', 'second');

describe('list', () => {
  const all = (made: House, request: Partial<Parameters<typeof list>[0]> = {}) =>
    list({ service: null, repositories: [], ...request }, made.context, signal);

  test('shows what is in the repositories, also what another machine made since', async () => {
    using made = await withPoints(2);
    await made.context.catalog.forget(await made.context.catalog.points({}));
    expect((await all(made)).points).toHaveLength(2);
    expect(await made.context.catalog.points({})).toHaveLength(2);
  });

  test('reads no manifest that it knows', async () => {
    using made = await withPoints(2);
    const known: number[] = [];
    const read = made.first.list.bind(made.first);
    made.first.list = (query, current) => {
      known.push(query.known?.size ?? 0);
      return read(query, current);
    };
    await all(made);
    expect(known).toEqual([2]);
  });

  test('a point that is gone though nobody removed it is out of the list and remembered as missing', async () => {
    using made = await withPoints(2);
    const [newest, oldest] = (await all(made)).points;
    made.first.lose(`${oldest?.location}`);
    expect((await all(made)).points.map(({ id }) => id)).toEqual([newest?.id]);
    expect(await made.context.catalog.missing()).toMatchObject([{ id: oldest?.id, since: made.clock.now() }]);
    expect(made.events.at(-1)).toMatchObject({
      ...{ type: 'warning', subject: 'first' },
      text: expect.stringMatching(/nobody removed it with Holdfast: 1 recovery point\. Which: holdfast doctor$/),
    });
    made.events.length = 0;
    await all(made, { service: 'other' }).catch(() => {});
    expect(made.events).toEqual([]);
  });

  test('a point that another machine removed is forgotten, and nobody is warned of it', async () => {
    using made = await withPoints(2);
    const [, oldest] = (await all(made)).points;
    made.first.lose(`${oldest?.location}`);
    const elsewhere = { ...made.context, origin: 'elsewhere' };
    expect((await list({ service: null, repositories: [] }, elsewhere, signal)).points).toHaveLength(1);
    expect(await made.context.catalog.missing()).toEqual([]);
    expect(made.events.filter(({ type }) => type === 'warning')).toEqual([]);
    expect(await made.context.catalog.load(oldest ?? expect.fail('two points were made'))).toBeNull();
  });

  test('a repository out of reach hides no other, and is an error when it was asked for', async () => {
    using made = await withPoints(2);
    made.unreachable.set('second', noMarker);
    const { points, failures } = await all(made);
    expect(points).toHaveLength(2);
    expect(failures).toMatchObject([{ repository: 'second', code: 'RepositoryNotFound' }]);
    await expect(all(made, { repositories: ['second'] })).rejects.toBe(noMarker);
  });

  test('an unreadable manifest is a row, and an unknown service an error', async () => {
    using made = await withPoints(1);
    made.first.addUnreadable('mealie/20260101_000000', 'mealie', 'The manifest is no JSON.');
    expect(await all(made, { service: 'mealie' })).toMatchObject({
      points: [{}],
      unreadable: [{ repository: 'first' }],
    });
    await expect(all(made, { service: 'nobody' })).rejects.toMatchObject({ code: 'ServiceNotFound' });
  });
});

describe('copy', () => {
  const toSecond = (made: House, what = 'mealie') =>
    copy({ what, from: null, to: 'second', lockWaitMs: 0 }, made.context, signal);

  test('puts a point under its id into another repository, and a second time finds it there', async () => {
    using made = await withPoints(1);
    const report = await toSecond(made);
    expect(report).toMatchObject({ outcome: 'passed', from: 'first', copied: true, point: { repository: 'second' } });
    const [original] = (await made.first.list({}, signal)).points;
    expect(report.point.manifest).toEqual(original?.manifest);
    expect((await toSecond(made)).copied).toBe(false);
    expect((await made.second.list({}, signal)).locations.size).toBe(1);
  });

  test('of a damaged point makes nothing', async () => {
    using made = await withPoints(1);
    const [point] = (await made.first.list({}, signal)).points;
    made.first.damage(`${point?.location}`, 'files_data');
    await expect(toSecond(made)).rejects.toMatchObject({ code: 'Damaged' });
    expect((await made.second.list({}, signal)).locations.size).toBe(0);
  });

  test('of a partial point is as partial, and keeps the row of what failed', async () => {
    using made = await house();
    made.source('data');
    made.source('db').dies = new Error('died');
    const { points } = await made.backUp({ repositories: ['first'] });
    const report = await toSecond(made, `${points[0]?.id}`);
    expect(report.point.manifest).toMatchObject({
      outcome: 'partial',
      items: [{}, { outcome: 'failed', error: 'died' }],
    });
  });

  test('to where the point is already changes nothing, whichever repository is looked at first', async () => {
    using made = await withPoints(1);
    const request = { what: 'mealie', from: null, to: 'first', lockWaitMs: 0 };
    expect(await copy(request, made.context, signal)).toMatchObject({ from: 'first', copied: false });
    expect((await made.first.list({ service: 'mealie' }, signal)).points).toHaveLength(1);
  });

  test('of an archive that another tool made, or onto itself, is refused', async () => {
    using made = await withPoints(1);
    made.first.addForeign('mealie/old.tar', 'mealie', made.clock.now(), Buffer.from('tar'));
    await expect(toSecond(made, 'mealie/old.tar')).rejects.toMatchObject({ code: 'Unsupported' });
    const request = { what: 'mealie', from: 'first', to: 'first', lockWaitMs: 0 };
    await expect(copy(request, made.context, signal)).rejects.toMatchObject({ code: 'Usage' });
  });
});

describe('catalog rebuild', () => {
  test('takes points, holds and evidence from the repositories alone', async () => {
    using made = await withPoints(2);
    const request = { what: [], repositories: [], level: 'readable', maxAgeSeconds: null, sample: null } as const;
    await verify(request, made.context, signal);
    const [newest] = (await made.first.list({}, signal)).points;
    if (newest) await made.first.hold(newest, { by: 'user', at: made.clock.now(), reason: 'mine' }, signal);
    await made.context.catalog.forget(await made.context.catalog.points({}));
    expect(await catalogRebuild({ repositories: [] }, made.context, signal)).toMatchObject({
      outcome: 'passed',
      repositories: [
        { name: 'first', points: 2 },
        { name: 'second', points: 0 },
      ],
    });
    expect(await made.context.catalog.points({})).toMatchObject([
      { evidence: 'readable', held: { by: 'user' } },
      { evidence: 'readable', held: null },
    ]);
  });

  test('keeps what was known of a repository that cannot be reached, and is partial', async () => {
    using made = await withPoints(1);
    await copy({ what: 'mealie', from: null, to: 'second', lockWaitMs: 0 }, made.context, signal);
    made.unreachable.set('second', noMarker);
    const report = await catalogRebuild({ repositories: [] }, made.context, signal);
    expect(report).toMatchObject({ outcome: 'partial', failures: [{ repository: 'second' }] });
    expect((await made.context.catalog.points({})).map(({ repository }) => repository).toSorted()).toEqual([
      'first',
      'second',
    ]);
  });

  test('of a name that is no repository is an error', async () => {
    using made = await withPoints(1);
    const wanted = { repositories: ['nobody'] };
    const missing = new HoldfastError('RepositoryNotFound', 'No repository is called "nobody".', 'nobody');
    made.unreachable.set('nobody', missing);
    await expect(catalogRebuild(wanted, made.context, signal)).rejects.toBe(missing);
  });

  test('forgets points that are gone', async () => {
    using made = await withPoints(2);
    const [, oldest] = (await made.first.list({}, signal)).points;
    made.first.lose(`${oldest?.location}`);
    await list({ service: null, repositories: [] }, made.context, signal);
    await catalogRebuild({ repositories: [] }, made.context, signal);
    expect(await made.context.catalog.missing()).toEqual([]);
    expect(await made.context.catalog.points({})).toHaveLength(1);
  });
});

describe('unlock', () => {
  test('removes what is left over, says so, and goes on past a repository out of reach', async () => {
    using made = await withPoints(1);
    await made.second.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal);
    made.unreachable.set('first', new HoldfastError('RepositoryNotFound', 'No marker.', 'first'));
    const report = await unlock({ repositories: [], force: true }, made.context, signal);
    expect(report).toMatchObject({
      outcome: 'failed',
      repositories: [{ name: 'second', removed: ['exclusive lock of service mealie'] }],
      failures: [{ repository: 'first' }],
    });
  });

  test('leaves alone what a running process holds', async () => {
    using made = await withPoints(1);
    await using _ = await made.first.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal);
    await using entry = await (await made.context.journal()).begin({ verb: 'restore', subject: 'mealie' });
    const report = await unlock({ repositories: [], force: false }, made.context, signal);
    expect(report).toMatchObject({ outcome: 'passed', repairs: [{ outcome: 'skipped', entry: { id: entry.id } }] });
    expect(report.repositories.flatMap(({ removed }) => removed)).toEqual([]);
  });
});

describe('repositories', () => {
  test('a check tells every problem once', async () => {
    using made = await withPoints(1);
    expect(await repositoryCheck('first', made.context, signal)).toMatchObject({
      outcome: 'passed',
      points: 1,
      problems: [],
    });
    made.first.addUnreadable('mealie/20260101_000000', 'mealie', 'The manifest is no JSON.');
    expect(await repositoryCheck('first', made.context, signal)).toMatchObject({
      outcome: 'failed',
      problems: [{ subject: 'mealie/20260101_000000', detail: 'The manifest is no JSON.' }],
    });
  });

  test('one that exists is not made again', async () => {
    using made = await withPoints(1);
    await expect(repositoryInit('first', made.context, signal)).rejects.toMatchObject({ code: 'Refused' });
  });

  test('a list has a row for each, also for one out of reach', async () => {
    using made = await withPoints(2);
    made.unreachable.set('second', noMarker);
    expect(await repositoryList(made.context, signal)).toMatchObject([
      { name: 'first', engine: 'memory', points: 2, totalSize: 30, freeBytes: null, problem: null },
      { name: 'second', engine: null, points: null, problem: noMarker.message },
    ]);
  });
});

describe('doctor', () => {
  const examine = (made: House, tools: Parameters<typeof doctor>[0]['tools'] = []) =>
    doctor({ tools, repair: false }, made.context, signal);
  const bad = async (made: House) => (await examine(made)).rows.filter(({ outcome }) => outcome !== 'ok');

  test('finds nothing wrong with a machine that has all it needs', async () => {
    using made = await withPoints(1);
    const tools = [{ program: 'tar', neededBy: 'files of mealie', minimum: '1.29' }];
    const report = await examine(made, tools);
    expect(report).toMatchObject({ outcome: 'passed' });
    expect(report.rows.map(({ subject }) => subject)).toEqual([
      ...['program tar', 'state folder', 'journal', 'service mealie', 'repository first', 'repository second'],
    ]);
  });

  test('names a source that is not there, and leaves what only a backup can tell to that', async () => {
    using made = await withPoints(1);
    const { source: open } = made.context;
    let error = new HoldfastError('SourceMissing', 'The engine has no volume data.', 'data');
    const context = {
      ...made.context,
      source: async (...given: Parameters<typeof open>) => {
        const opened = await open(...given);
        return { ...opened, snapshotRoots: () => Promise.reject(error) };
      },
    };
    const examined = async () => (await doctor({ tools: [], repair: false }, context, signal)).rows;
    expect(await examined()).toContainEqual(
      expect.objectContaining({ subject: 'service mealie', outcome: 'failed', detail: error.message }),
    );
    error = new HoldfastError('Unsupported', 'Volume data is in memory.', 'data');
    expect(await examined()).toContainEqual(expect.objectContaining({ subject: 'service mealie', outcome: 'ok' }));
  });

  test('names a program that is missing or too old, and who needs it', async () => {
    using made = await withPoints(0);
    const tools = [
      { program: 'no-such-program', neededBy: 'files of mealie', minimum: null },
      { program: 'tar', neededBy: 'files of mealie', minimum: '99' },
    ];
    const { outcome, rows } = await examine(made, tools);
    expect(outcome).toBe('failed');
    expect(rows.slice(0, 2)).toMatchObject([
      { outcome: 'failed', detail: expect.stringContaining('files of mealie') },
      { outcome: 'failed', detail: expect.stringContaining('older than 99') },
    ]);
  });

  test('compares versions number by number', () => {
    expect([isOlder('1.9', '1.34'), isOlder('1.34', '1.9'), isOlder('2', '1.99'), isOlder('1.34', '1.34')]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });

  test('names what is wrong with repositories, services, points and clocks, and what to do', async () => {
    using made = await withPoints(2);
    made.unreachable.set('second', noMarker);
    const [, oldest] = (await made.first.list({}, signal)).points;
    made.first.lose(`${oldest?.location}`);
    const mealie = made.services.get('mealie');
    const postgres = { name: 'pg', kind: 'postgres', settings: {} };
    if (mealie) made.services.set('mealie', { ...mealie, sources: [...mealie.sources, postgres] });
    made.clock.set('2026-01-01T00:00:00Z');
    const rows = await bad(made);
    expect(rows.map(({ subject }) => subject)).toEqual([
      ...['service mealie', 'repository first: clock', 'repository second', `repository first: ${oldest?.location}`],
    ]);
    for (const { advice } of rows) expect(advice).not.toBe('');
  });

  test('names a journal that is open', async () => {
    using made = await withPoints(0);
    await using _ = await (await made.context.journal()).begin({ verb: 'restore', subject: 'mealie' });
    const { rows } = await examine(made);
    expect(rows).toContainEqual(expect.objectContaining({ subject: 'journal: restore mealie', outcome: 'ok' }));
  });
});
