import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { history } from '../../src/operations/history.ts';
import { run } from '../../src/operations/run.ts';
import { planRun } from '../../src/operations/run-plan.ts';
import { aPlan, type House, house, signal } from './house.ts';

const runNightly = (made: House) => run({ plan: 'nightly', lockWaitMs: 0 }, made.context, signal);
const count = async (made: House): Promise<number> => (await made.first.list({}, signal)).locations.size;

async function prepared(days: number): Promise<House> {
  const made = await house();
  made.source('data');
  made.configure(aPlan({ retention: { latest: 2 } }));
  for (let day = 0; day < days; day++) {
    await made.backUp({ plan: 'nightly' });
    made.clock.advance({ hours: 24 });
  }
  return made;
}

test('a run makes a point, proves it, then removes what retention lets go', async () => {
  using made = await prepared(3);
  const report = await runNightly(made);
  expect(report).toMatchObject({ outcome: 'passed', verify: { level: 'readable' }, prune: { outcome: 'passed' } });
  expect(await count(made)).toBe(2);
  expect(await made.context.catalog.points({})).toMatchObject([{ evidence: 'readable' }, { evidence: 'stored' }]);
  expect((await made.context.catalog.runs({ limit: 9 })).map(({ verb }) => verb).toSorted()).toEqual([
    'backup',
    'backup',
    'backup',
    'backup',
    'prune',
    'run',
    'verify',
  ]);
});

test('the dry run tells what the run then removes, and changes nothing', async () => {
  using made = await prepared(3);
  const planned = await planRun({ plan: 'nightly', lockWaitMs: 0 }, made.context, signal);
  expect(planned).toMatchObject({
    backup: [{ service: 'mealie', repositories: ['first'], items: ['files_data'], stops: [] }],
    ...{ verify: 'readable', prune: { failures: [], services: [{ refused: null, question: null }] } },
  });
  const decisions = planned.prune.services.flatMap((one) => one.decisions);
  expect(decisions).toHaveLength(3); // the point to come is not one of them
  expect(await count(made)).toBe(3);
  const going = decisions.flatMap(({ action, point }) => (action === 'remove' ? [point.id] : []));
  const { prune } = await runNightly(made);
  expect(going).toHaveLength(2);
  expect(prune?.removed.map(({ id }) => id).toSorted()).toEqual(going.toSorted());
});

test('a run looks as far as its plan says', async () => {
  using made = await prepared(0);
  made.findings.set('files', () => [{ name: 'members', outcome: 'passed', detail: '' }]);
  made.configure(aPlan({ verify: { level: 'sound' } }));
  expect((await runNightly(made)).verify.points).toMatchObject([{ evidence: 'sound' }]);
});

test('what would have been lost over the time is told of points, too, that retention removed since', async () => {
  using made = await prepared(0);
  made.findings.set('files', () => [{ name: 'members', outcome: 'passed', detail: '' }]);
  made.configure(aPlan({ verify: { level: 'sound' }, retention: { latest: 1 } }));
  for (const hours of [24, 48, 6]) {
    await runNightly(made);
    made.clock.advance({ hours });
  }
  expect(await count(made)).toBe(1);
  const { kept } = await history({ ...made.context, pools: new Map() }, signal);
  const { rpo, rto, series } = kept.get('mealie') ?? {};
  expect([rpo, rto]).toEqual([
    { target: 24 * 3600, actual: 6 * 3600 },
    { target: 4 * 3600, actual: null },
  ]);
  expect(series?.rpo.map(({ before, seconds }) => [before, seconds])).toEqual([
    [null, 0],
    [24 * 3600, 0],
    [48 * 3600, 0],
  ]);
});

test('without proof of the new point nothing is removed', async () => {
  using made = await prepared(3);
  made.first.failNext('open', new HoldfastError('Damaged', 'It is not what was stored.', 'files_data'));
  const report = await runNightly(made);
  expect(report).toMatchObject({
    outcome: 'partial',
    prune: null,
    unproved: [{ service: 'mealie', repository: 'first' }],
  });
  expect(await count(made)).toBe(4);
});

test('without a new point nothing is removed', async () => {
  using made = await prepared(3);
  made.first.failNext('commit', new HoldfastError('NoSpace', 'The disk is full.', 'first'));
  expect(await runNightly(made)).toMatchObject({ outcome: 'failed', prune: null });
  expect(await count(made)).toBe(3);
});

test('a service without proof keeps all its points while another one is pruned', async () => {
  using made = await prepared(0);
  made.source('data', 'other');
  made.configure(aPlan({ retention: { latest: 2 }, services: ['mealie', 'other'] }));
  for (let day = 0; day < 3; day++) {
    await made.backUp({ plan: 'nightly' });
    made.clock.advance({ hours: 24 });
  }
  made.first.failNext('open', new HoldfastError('Damaged', 'It is not what was stored.', 'files_data'));
  const report = await runNightly(made);
  expect(report.unproved).toEqual([{ service: 'mealie', repository: 'first' }]);
  expect(report.prune?.removed.map(({ service }) => service)).toEqual(['other', 'other']);
  expect((await made.first.list({ service: 'mealie' }, signal)).locations.size).toBe(4);
});

test('a run never answers a question: what has to be confirmed stays, and the run is partial', async () => {
  using made = await prepared(6);
  made.configure(aPlan({ retention: { latest: 1 } }));
  const report = await runNightly(made);
  expect(report).toMatchObject({ outcome: 'partial', prune: { failures: [{ code: 'AnswerNeeded' }] } });
  expect(await count(made)).toBe(7);
});

test('a suspicious point pushes no good one out, however long the series is', async () => {
  using made = await prepared(3);
  const source = made.source('more');
  source.content = 'x'.repeat(1000);
  for (const content of ['x'.repeat(1000), 'x'.repeat(1000), 'x', 'x', 'x']) {
    source.content = content;
    const report = await runNightly(made);
    expect(report.outcome).toBe(content === 'x' ? 'partial' : 'passed');
    made.clock.advance({ hours: 24 });
  }
  const { points } = await made.first.list({}, signal);
  const good = points.filter(({ held }) => held === null);
  expect(good.map(({ items }) => items.find(({ name }) => name === 'files_more')?.size)).toEqual([1000, 1000]);
});
