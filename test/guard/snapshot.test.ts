import { expect, test } from 'vitest';
import { diff, totalsOf } from '../../src/operations/diff.ts';
import { history, recordUnguarded } from '../../src/operations/history.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback } from '../../src/operations/rollback-plan.ts';
import { createSnapshots, listSnapshots, markSnapshot } from '../../src/operations/snapshot.ts';
import { removeSnapshot } from '../../src/operations/snapshot-removal.ts';
import { guardHouse, signal } from './house.ts';

const create = (made: ReturnType<typeof guardHouse>, ...subvolumes: string[]) =>
  createSnapshots({ subvolumes, label: null }, made.context, signal);

test('two snapshots in one second get different names, and both are recorded', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media', { a: '1' });
  await create(made, 'media');
  await create(made, 'media');
  const listed = await listSnapshots({}, made.context, signal);
  expect(listed.map(({ name }) => name).toSorted()).toEqual([
    'media-manual-20261121-143000',
    'media-manual-20261121-143000-2',
  ]);
  expect(listed.map(({ type, outcome }) => [type, outcome])).toEqual([
    ['manual', 'success'],
    ['manual', 'success'],
  ]);
});

test('nothing is made when one of several subvolumes is missing, and a path is no name', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media');
  await expect(create(made, 'media', 'nowhere')).rejects.toMatchObject({ code: 'SubvolumeMissing' });
  await expect(create(made, '../media')).rejects.toMatchObject({ code: 'Usage' });
  expect(made.pool.changes).toEqual([]);
});

test('a pool that is read-only, too full, or holds nested subvolumes makes no snapshot', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media');
  made.pool.disk.freeShare = 0.09;
  await expect(create(made, 'media')).rejects.toMatchObject({ code: 'NoSpace' });
  made.pool.disk.freeShare = 0.5;
  made.pool.disk.readOnly = true;
  await expect(create(made, 'media')).rejects.toMatchObject({ code: 'PoolUnusable' });
  made.pool.disk.readOnly = false;
  made.pool.addNested('media', 'inner');
  await expect(create(made, 'media')).rejects.toMatchObject({ code: 'NestedSubvolumes' });
  expect(made.pool.changes).toEqual([]);
});

test('of one second, the state that a rollback kept is newer than the snapshot that took its place', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media', { file: 'then' });
  made.clock.advance({ milliseconds: 300 });
  const [snapshot] = await create(made, 'media');
  made.clock.advance({ milliseconds: 300 });
  const what = { snapshot: snapshot?.name ?? '' };
  const plan = await planRollback({ what, withDependencies: false }, made.context, signal);
  await rollback(plan, { reason: 'manual-recovery', expected: null, startAgain: null }, made.context, signal);
  const listed = await listSnapshots({ subvolume: 'media' }, made.context, signal);
  expect(listed.map(({ type }) => type)).toEqual(['kept-state', 'manual']);
});

test('a snapshot made by hand is listed beside the recorded ones, and only recorded ones can be marked', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media');
  made.pool.addSnapshot('media-byhand');
  const [first] = await create(made, 'media');
  await markSnapshot({ name: first?.name ?? '', outcome: 'validation_failed' }, made.context);
  const listed = await listSnapshots({ subvolume: 'media' }, made.context, signal);
  expect(listed.find(({ type }) => type === 'by-hand')).toMatchObject({ name: 'media-byhand', outcome: null });
  expect(listed.find(({ type }) => type === 'manual')).toMatchObject({ outcome: 'validation_failed' });
  const marked = markSnapshot({ name: 'media-byhand', outcome: 'success' }, made.context);
  await expect(marked).rejects.toMatchObject({ code: 'SnapshotMissing' });
});

test('a removed snapshot stays in the history', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media');
  const [first] = await create(made, 'media');
  await removeSnapshot({ name: first?.name ?? '', yes: false }, made.context, signal);
  expect(await listSnapshots({}, made.context, signal)).toEqual([]);
  expect((await history(made.context, signal)).snapshots).toHaveLength(1);
  const gone = removeSnapshot({ name: first?.name ?? '', yes: false }, made.context, signal);
  await expect(gone).rejects.toMatchObject({ code: 'SnapshotMissing' });
});

test('a subvolume is no snapshot: it is never removed', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media');
  await expect(removeSnapshot({ name: 'media', yes: false }, made.context, signal)).rejects.toMatchObject({
    code: 'SnapshotMissing',
  });
  expect(made.pool.files('media')).toEqual({});
});

test('a diff tells what changed since a snapshot, and its totals', async () => {
  using made = guardHouse();
  made.pool.addSubvolume('media', { a: '1', b: '22' });
  const [first] = await create(made, 'media');
  made.pool.write('media', 'c', '333');
  made.pool.removeFile('media', 'a');
  const { changes, subvolume } = await diff({ from: first?.name ?? '', to: null }, made.context, signal);
  expect(subvolume).toBe('media');
  expect(await totalsOf(changes)).toEqual({ added: 1, removed: 1, modified: 0, bytes: 4 });
});

test('changes that were made without guard are counted against the guarded ones', async () => {
  using made = guardHouse();
  await recordUnguarded({ operation: 'deploy' }, made.context);
  expect((await history(made.context, signal)).figures.deployments).toEqual({ total: 1, guarded: 0, ratio: 0 });
});
