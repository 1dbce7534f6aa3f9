import { mkdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { hold } from '../../src/operations/hold.ts';
import { list } from '../../src/operations/list.ts';
import { performPrune, prune } from '../../src/operations/prune.ts';
import { type PrunePlan, type PruneRequest, planPrune } from '../../src/operations/prune-plan.ts';
import { aPlan, type House, house, signal } from './house.ts';

const plan = (made: House, request: Partial<PruneRequest> = {}): Promise<PrunePlan> =>
  planPrune(
    { plan: 'nightly', repositories: [], services: [], manualOlderThanSeconds: null, lockWaitMs: 0, ...request },
    made.context,
    signal,
  );
const perform = (made: House, planned: PrunePlan, confirmed = false) =>
  performPrune(planned, { confirmed }, made.context, signal);

const locations = async (made: House): Promise<readonly string[]> =>
  (await made.first.list({}, signal)).points.map(({ location }) => location);

/** Daily points of plan `nightly`, which keeps the newest two. */
async function withPoints(count: number): Promise<House> {
  const made = await house();
  made.source('data');
  made.configure(aPlan({ retention: { latest: 2 } }));
  await backUpDaily(made, count);
  return made;
}

async function backUpDaily(made: House, count: number): Promise<void> {
  for (let day = 0; day < count; day++) {
    await made.backUp({ plan: 'nightly' });
    made.clock.advance({ hours: 24 });
  }
}

describe('a plan', () => {
  test('explains every point and changes nothing', async () => {
    using made = await withPoints(4);
    const planned = await plan(made);
    expect(planned.services).toHaveLength(1);
    expect(planned.services[0]?.decisions.map(({ action, reasons }) => `${action}: ${reasons[0]}`)).toEqual([
      ...['keep: latest', 'keep: latest'],
      ...['remove: latest: beyond the newest 2', 'remove: latest: beyond the newest 2'],
    ]);
    expect(await locations(made)).toHaveLength(4);
  });

  test('is made from the repository, not from the catalog', async () => {
    using made = await withPoints(3);
    const [, , oldest] = await made.context.catalog.points({});
    if (oldest)
      await made.first.hold(oldest, { by: 'user', at: made.clock.now(), reason: 'by another machine' }, signal);
    const { services } = await plan(made);
    expect(services[0]?.decisions.map(({ action }) => action)).toEqual(['keep', 'keep', 'keep']);
  });

  test('an unknown plan is an error beside archives that no plan made, whatever else is damaged', async () => {
    using made = await withPoints(3);
    made.first.addUnreadable('mealie/20260101_000000', 'mealie', 'The manifest is no JSON.');
    made.first.addForeign('old.tar', 'mealie', made.clock.now(), Buffer.alloc(1024));
    await expect(plan(made, { plan: 'nobody' })).rejects.toMatchObject({ code: 'PlanNotFound' });
  });

  test('an unknown plan is an error, a repository out of reach is a row unless it was named', async () => {
    using made = await withPoints(3);
    await expect(plan(made, { plan: 'nobody' })).rejects.toMatchObject({ code: 'PlanNotFound' });
    made.configure(aPlan({ retention: { latest: 2 }, repositories: ['first', 'second'] }));
    made.unreachable.set('second', new HoldfastError('RepositoryNotFound', 'No marker.', 'second'));
    expect(await plan(made)).toMatchObject({
      services: [{ repository: 'first' }],
      failures: [{ repository: 'second', code: 'RepositoryNotFound' }],
    });
    await expect(plan(made, { repositories: ['second'] })).rejects.toMatchObject({ code: 'RepositoryNotFound' });
  });

  test('a point whose manifest cannot be read is left alone, and said', async () => {
    using made = await withPoints(3);
    made.first.addUnreadable('mealie/20260101_000000', 'mealie', 'The manifest is no JSON.');
    expect((await plan(made)).failures).toMatchObject([{ service: 'mealie', code: 'Damaged' }]);
  });

  test('points made by hand are not of any plan', async () => {
    using made = await withPoints(3);
    for (let day = 0; day < 3; day++) {
      await made.backUp({ repositories: ['first'] });
      made.clock.advance({ hours: 24 });
    }
    const report = await perform(made, await plan(made, { plan: null }));
    expect(report.removed).toHaveLength(1);
    const manual = await plan(made, { plan: null, manualOlderThanSeconds: 36 * 3600 });
    expect((await perform(made, manual)).removed).toHaveLength(2);
    expect(await locations(made)).toHaveLength(3);
  });
});

describe('a removal', () => {
  test('takes the oldest first, by id, out of the repository and the catalog', async () => {
    using made = await withPoints(4);
    const [newest, newer, older, oldest] = await locations(made);
    const report = await perform(made, await plan(made));
    expect(report).toMatchObject({ outcome: 'passed', removed: [{ location: oldest }, { location: older }] });
    expect(await locations(made)).toEqual([newest, newer]);
    expect((await made.context.catalog.points({})).map(({ location }) => location)).toEqual([newest, newer]);
    expect(await made.context.catalog.missing()).toEqual([]);
  });

  test('passes over a point that is being read, and says so', async () => {
    using made = await withPoints(4);
    const [, , older, oldest] = await made.context.catalog.points({});
    await using _ = await made.first.lock({ kind: 'point', id: `${oldest?.id}` }, 'shared', 0, signal);
    const report = await perform(made, await plan(made));
    expect(report).toMatchObject({
      outcome: 'passed',
      removed: [{ id: older?.id }],
      passedOver: [{ point: { id: oldest?.id } }],
    });
    expect(await locations(made)).toContain(oldest?.location);
  });

  test('keeps readers off a point while it is removed', async () => {
    using made = await withPoints(3);
    const readers: unknown[] = [];
    const remove = made.first.remove.bind(made.first);
    made.first.remove = async (point, current) => {
      const reader = made.first.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
      readers.push(
        await reader.then(
          () => 'reads',
          (error) => error.code,
        ),
      );
      await remove(point, current);
    };
    await perform(made, await plan(made));
    expect(readers).toEqual(['RepositoryLocked']);
  });

  test('decides again under its lock: what was held since the plan was printed stays', async () => {
    using made = await withPoints(4);
    const planned = await plan(made);
    const [, , , oldest] = await made.context.catalog.points({});
    await hold({ what: `${oldest?.id}`, repository: null, reason: 'wait' }, made.context, signal);
    const report = await perform(made, planned);
    expect(report.removed).toHaveLength(1);
    expect(report.passedOver).toMatchObject([{ point: { id: oldest?.id } }]);
    expect(await locations(made)).toContain(oldest?.location);
  });

  test('leaves a point that was held while others were removed', async () => {
    using made = await withPoints(4);
    const [, , older] = await made.context.catalog.points({});
    const remove = made.first.remove.bind(made.first);
    made.first.remove = async (...args) => {
      await remove(...args);
      await hold({ what: `${older?.id}`, repository: null, reason: 'wait' }, made.context, signal);
    };
    const report = await perform(made, await plan(made));
    expect(report.removed).toHaveLength(1);
    expect(report.passedOver).toMatchObject([{ point: { id: older?.id }, reason: 'held: wait' }]);
    expect(await locations(made)).toContain(older?.location);
  });

  test('lets nobody hold the point that it is about to take away', async () => {
    using made = await withPoints(3);
    const remove = made.first.remove.bind(made.first);
    const holding: Promise<unknown>[] = [];
    made.first.remove = async (point, current) => {
      const [what, repository, reason] = [point.location, null, 'too late'];
      holding.push(hold({ what, repository, reason }, made.context, signal).catch(({ code }) => code));
      await holding[0];
      await remove(point, current);
    };
    await perform(made, await plan(made));
    expect(await Promise.all(holding)).toEqual(['RepositoryLocked']);
  });

  test('that is killed after it took a point away leaves no point that seems to be lost', async () => {
    using made = await withPoints(3);
    const remove = made.first.remove.bind(made.first);
    made.first.remove = async (...args) => {
      await remove(...args);
      throw new Error('killed');
    };
    await perform(made, await plan(made));
    await list({ service: null, repositories: [] }, made.context, signal);
    expect(await made.context.catalog.points({})).toHaveLength(2);
    expect(await made.context.catalog.missing()).toEqual([]);
  });

  test('removes nothing that was not in the plan, though it may go by now', async () => {
    using made = await withPoints(3);
    const planned = await plan(made);
    await backUpDaily(made, 3);
    expect((await perform(made, planned)).removed).toHaveLength(1);
  });

  test('stops when its lock was taken over', async () => {
    using made = await withPoints(4);
    const planned = await plan(made);
    const remove = made.first.remove.bind(made.first);
    made.first.remove = async (...args) => {
      await remove(...args);
      await made.first.unlock({ force: true }, signal);
    };
    const report = await perform(made, planned);
    expect(report.failures).toMatchObject([{ code: 'RepositoryLocked' }]);
    expect(await locations(made)).toHaveLength(3);
  });

  test('waits for no backup of the service, and ends as locked', async () => {
    using made = await withPoints(4);
    const planned = await plan(made);
    await using _ = await made.first.lock({ kind: 'service', service: 'mealie' }, 'exclusive', 0, signal);
    await expect(prune(planned, { confirmed: true }, made.context, signal)).rejects.toMatchObject({
      code: 'RepositoryLocked',
    });
    expect(await locations(made)).toHaveLength(4);
  });

  test('is refused for a service whose clock went back', async () => {
    using made = await withPoints(4);
    made.clock.set('2026-04-01T00:00:00Z');
    const report = await perform(made, await plan(made), true);
    expect(report).toMatchObject({ outcome: 'failed', removed: [], failures: [{ code: 'Refused' }] });
    expect(await locations(made)).toHaveLength(4);
  });

  test('is refused when the clock goes back between the plan and its performance', async () => {
    using made = await withPoints(4);
    const planned = await plan(made);
    made.clock.set('2026-04-01T00:00:00Z');
    expect((await perform(made, planned, true)).removed).toEqual([]);
  });

  test('of over half of the points after the policy was changed is not performed without an answer', async () => {
    using made = await withPoints(6);
    made.configure(aPlan({ retention: { latest: 1 } }));
    const planned = await plan(made);
    expect(planned.services[0]?.question).toContain('5 of 6');
    expect(await perform(made, planned)).toMatchObject({ outcome: 'failed', failures: [{ code: 'AnswerNeeded' }] });
    expect(await locations(made)).toHaveLength(6);
    expect((await perform(made, planned, true)).removed).toHaveLength(5);
  });

  test('of an orphaned plan asks, and leaves the last proved point', async () => {
    using made = await withPoints(3);
    const orphaned = async () =>
      (await list({ service: null, repositories: [] }, made.context, signal)).points.map((point) => point.orphaned);
    expect(await orphaned()).toEqual([false, false, false]);
    made.plans.clear();
    expect(await orphaned()).toEqual([true, true, true]);
    const unconfigured = { ...made.context, configuration: null };
    expect((await list({ service: null, repositories: [] }, unconfigured, signal)).points).toMatchObject([
      { orphaned: false },
      { orphaned: false },
      { orphaned: false },
    ]);
    const planned = await plan(made);
    expect(planned.services[0]?.question).toContain('no longer configured');
    await perform(made, planned, true);
    expect(await locations(made)).toHaveLength(1);
  });

  test('that fails in one service goes on with the others', async () => {
    using made = await withPoints(3);
    made.source('data', 'other');
    made.configure(aPlan({ retention: { latest: 2 }, services: ['mealie', 'other'] }));
    await backUpDaily(made, 3);
    made.first.failNext('remove', new HoldfastError('RepositoryUnusable', 'Not permitted.', 'first'));
    const report = await perform(made, await plan(made), true);
    expect(report.outcome).toBe('partial');
    expect(report.failures).toHaveLength(1);
    expect(report.removed.length).toBeGreaterThan(0);
  });
});

test('states that were moved aside are removed by their record when their time is over', async () => {
  using made = await withPoints(1);
  const path = `${made.context.stateFolder}/data.recovery-backup-20260501-020000`;
  const young = `${made.context.stateFolder}/data.recovery-backup-20260502-020000`;
  for (const folder of [path, young]) mkdirSync(folder);
  const kept = [
    { host: 'local', path, until: Temporal.Instant.from('2026-05-02T00:00:00Z') },
    { host: 'local', path: young, until: Temporal.Instant.from('2026-06-02T00:00:00Z') },
  ];
  await made.context.catalog.recordRecovery({
    ...{ id: 'r', subject: { kind: 'service', name: 'mealie' }, restored: 'p', reason: 'manual-recovery' },
    ...{ startedAt: made.clock.now(), durationMs: 1, outcome: 'success', kept },
  });
  const report = await perform(made, await plan(made));
  expect(report.removedStates).toMatchObject([{ path }]);
  const { files } = await made.context.host('local');
  expect([await files.status(path, signal), (await files.status(young, signal))?.type]).toEqual([null, 'directory']);
  expect((await plan(made)).keptStates).toEqual([]);
});
