import { expect, test } from 'vitest';
import { hold, release } from '../../src/operations/hold.ts';
import { list } from '../../src/operations/list.ts';
import { verify } from '../../src/operations/verify.ts';
import { memoryCatalog } from '../fakes/catalog.ts';
import { type House, house, signal } from './house.ts';

/** Points of these sizes, one a day; from the third on they are judged. */
async function ofSizes(sizes: readonly number[]): Promise<House> {
  const made = await house();
  const source = made.source('data');
  for (const size of sizes) {
    source.content = 'x'.repeat(size);
    await made.backUp({ repositories: ['first'] });
    made.clock.advance({ hours: 24 });
  }
  return made;
}
/** Oldest first. */
const holds = async (made: House) => {
  const { points } = await made.first.list({}, signal);
  return points.map(({ held }) => held?.by ?? '-').toReversed();
};

test('a point is held and released in every repository that has it', async () => {
  using made = await house();
  made.source('data');
  const { points } = await made.backUp();
  const what = `${points[0]?.id}`;
  const report = await hold({ what, repository: null, reason: 'before the upgrade' }, made.context, signal);
  expect(report.points.map(({ repository }) => repository).toSorted()).toEqual(['first', 'second']);
  for (const repository of [made.first, made.second])
    expect((await repository.list({}, signal)).points[0]?.held).toMatchObject({
      by: 'user',
      reason: 'before the upgrade',
    });
  expect(await made.context.catalog.points({})).toMatchObject([{ held: { by: 'user' } }, { held: { by: 'user' } }]);
  await release({ what, repository: 'first' }, made.context, signal);
  expect((await made.first.list({}, signal)).points[0]?.held).toBeNull();
  expect((await made.second.list({}, signal)).points[0]?.held).not.toBeNull();
  await expect(hold({ what: '0000', repository: null, reason: null }, made.context, signal)).rejects.toMatchObject({
    code: 'PointNotFound',
  });
});

test('releasing a suspicious point releases the later ones that are within bounds of it', async () => {
  using made = await ofSizes([1000, 1000, 100, 110, 120, 9]);
  expect(await holds(made)).toEqual(['-', '-', 'anomaly', 'anomaly', 'anomaly', 'anomaly']);
  const third = (await made.first.list({}, signal)).points.toReversed()[2];
  const report = await release({ what: `${third?.id}`, repository: null }, made.context, signal);
  expect(report.released).toHaveLength(2);
  expect(await holds(made)).toEqual(['-', '-', '-', '-', '-', 'anomaly']);
  expect((await made.context.catalog.points({})).map(({ held }) => held === null)).toEqual([
    false,
    true,
    true,
    true,
    true,
    true,
  ]);
});

test('what comes after a released point is compared with it', async () => {
  using made = await ofSizes([1000, 1000, 100]);
  const newest = (await made.first.list({}, signal)).points[0];
  await release({ what: `${newest?.id}`, repository: null }, made.context, signal);
  const source = await made.backUp({ repositories: ['first'] });
  expect(source.points[0]?.held).toBeNull();
});

test('a release leaves another series, and what a person holds, as they are', async () => {
  using made = await ofSizes([1000, 1000, 100, 100, 1000, 100]);
  expect(await holds(made)).toEqual(['-', '-', 'anomaly', 'anomaly', '-', 'anomaly']);
  const all = (await made.first.list({}, signal)).points.toReversed();
  await hold({ what: `${all[3]?.id}`, repository: null, reason: 'mine' }, made.context, signal);
  const report = await release({ what: `${all[2]?.id}`, repository: null }, made.context, signal);
  expect(report.released).toEqual([]);
  expect(await holds(made)).toEqual(['-', '-', '-', 'user', '-', 'anomaly']);
});

test('a second hold keeps why the point was held before, and without a reason what was said', async () => {
  using made = await ofSizes([1000, 1000, 100]);
  const newest = (await made.first.list({}, signal)).points[0];
  const found = `${newest?.held?.reason}`;
  const holding = async (reason: string | null) => {
    const { points } = await hold({ what: `${newest?.id}`, repository: null, reason }, made.context, signal);
    return points[0]?.held?.reason;
  };
  expect(await holding('mine')).toBe(`mine; held by itself: ${found}`);
  expect(await holding(null)).toBe(`mine; held by itself: ${found}`);
  expect(await holding('ours')).toBe(`ours; held by itself: ${found}`);
  expect((await made.first.list({}, signal)).points[0]?.held).toMatchObject({
    by: 'user',
    reason: `ours; held by itself: ${found}`,
  });
});

test('a release says of a point that was not held that it was not', async () => {
  using made = await ofSizes([1000]);
  const [point] = (await made.first.list({}, signal)).points;
  const report = await release({ what: `${point?.id}`, repository: null }, made.context, signal);
  expect(report).toMatchObject({ points: [{ id: point?.id, held: null }], released: [], wasNotHeld: ['first'] });
});

test('a list shows what another machine held, released and proved since, and keeps what could not be written beside a point', async () => {
  using made = await house();
  made.source('data');
  const [first] = (await made.backUp({ repositories: ['first'] })).points;
  const there = { ...made.context, origin: 'there', catalog: memoryCatalog() };
  const request = { service: null, repositories: ['first'] };
  const seen = async (context: typeof there) =>
    (await list(request, context, signal)).points.map(({ held, evidence }) => [held?.reason ?? null, evidence]);
  expect(await seen(there)).toEqual([[null, 'stored']]);

  await hold({ what: `${first?.id}`, repository: null, reason: 'mine' }, made.context, signal);
  expect(await seen(there)).toEqual([['mine', 'stored']]);
  made.clock.advance({ hours: 1 });
  await verify(
    { what: [], repositories: [], level: 'readable', maxAgeSeconds: null, sample: null },
    made.context,
    signal,
  );
  expect(await seen(there)).toEqual([['mine', 'readable']]);
  await release({ what: `${first?.id}`, repository: null }, made.context, signal);
  expect(await seen(there)).toEqual([[null, 'readable']]);

  const [known] = await there.catalog.points({});
  if (known !== undefined) await there.catalog.setEvidence(known, 'failed', made.clock.now().add({ hours: 1 }));
  expect(await seen(there)).toEqual([[null, 'failed']]);
});
