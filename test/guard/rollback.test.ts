import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback, type RollbackRequest } from '../../src/operations/rollback-plan.ts';
import { writtenSince } from '../../src/operations/rollback-written.ts';
import { createSnapshots } from '../../src/operations/snapshot.ts';
import { memoryValidator } from '../fakes/validator.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

const plan = (made: GuardHouse, what: RollbackRequest['what'], withDependencies = false) =>
  planRollback({ what, withDependencies }, made.context, signal);

async function takeBack(made: GuardHouse, what: RollbackRequest['what'], withDependencies = false) {
  const options = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
  return rollback(await plan(made, what, withDependencies), options, made.context, signal);
}

async function snapshotOf(made: GuardHouse, ...subvolumes: string[]): Promise<string> {
  const [first] = await createSnapshots({ subvolumes, label: null }, made.context, signal);
  made.clock.advance({ minutes: 1 });
  return first?.name ?? '';
}

function house(options: Parameters<typeof guardHouse>[0] = {}): GuardHouse {
  const made = guardHouse(options);
  made.pool.addSubvolume('media', { file: 'then' });
  return made;
}

test('the preview tells what stops, what is replaced, and what was written since, and touches nothing', async () => {
  using made = house();
  made.declare('media', { units: [{ systemd: 'a.service' }, { systemd: 'b.service' }], dependsOn: ['config'] });
  made.pool.addSubvolume('config');
  made.unit('a.service').members.set('a.service', false);
  made.unit('b.service');
  const snapshot = await snapshotOf(made, 'media');
  made.pool.write('media', 'file', 'now!');
  const before = [...made.pool.changes];
  const found = await plan(made, { snapshot });
  expect(found.units.map(({ unit, running }) => [unit.name, running])).toEqual([
    ['a.service', false],
    ['b.service', true],
  ]);
  expect(found.replacements).toMatchObject([{ subvolume: 'media', kept: 'media.recovery-backup-20261121-143100' }]);
  expect(await writtenSince(found, signal)).toMatchObject([{ modified: 1, bytes: 4 }]);
  expect(found.leftAlone).toEqual([{ subvolume: 'config', reason: 'only with --with-dependencies' }]);
  expect([made.pool.changes, made.calls]).toEqual([before, []]);
});

test('units stop in reverse and start as declared, and mounts of the machine follow in between', async () => {
  using made = house();
  made.declare('media', { units: [{ systemd: 'a.service' }, { systemd: 'b.service' }] });
  made.unit('a.service');
  made.unit('b.service');
  made.mounts.at.set('/pool/media', { own: [{ point: '/srv/media', inside: 'file', options: ['ro'] }] });
  const snapshot = await snapshotOf(made, 'media');
  made.pool.write('media', 'file', 'now');
  const report = await takeBack(made, { snapshot });
  expect(report).toMatchObject({ outcome: 'success', problems: [] });
  expect(made.calls).toEqual([
    ...['stop b.service', 'stop a.service', 'hide /srv/media', 'show /srv/media'],
    ...['start a.service: a.service', 'start b.service: b.service'],
  ]);
  expect(made.pool.files('media')).toEqual({ file: 'then' });
});

test('what was written since is told of the kept state; where it cannot be, that is a warning and no failure', async () => {
  using made = house();
  const snapshot = await snapshotOf(made, 'media');
  made.pool.write('media', 'file', 'now!');
  const { diff } = made.pool;
  const told = await takeBack(made, { snapshot });
  expect(told.replaced).toMatchObject([{ written: { modified: 1, bytes: 4 } }]);
  const failing: typeof diff = () => {
    throw new HoldfastError('ProcessFailed', 'btrfs failed.', 'media');
  };
  Object.assign(made.pool, { diff: failing });
  const report = await takeBack(made, { snapshot });
  expect(report).toMatchObject({ outcome: 'success', replaced: [{ written: null }] });
  expect(made.pool.files('media')).toEqual({ file: 'then' });
});

test('a rollback can itself be rolled back, by the name of the kept state', async () => {
  using made = house();
  const snapshot = await snapshotOf(made, 'media');
  made.pool.write('media', 'file', 'now');
  const first = await takeBack(made, { snapshot });
  const kept = first.replaced[0]?.kept?.split('/').at(-1) ?? '';
  const second = await takeBack(made, { snapshot: kept });
  expect(made.pool.files('media')).toEqual({ file: 'now' });
  expect(made.pool.files(second.replaced[0]?.kept?.split('/').at(-1) ?? '')).toEqual({ file: 'then' });
});

test.each([{ atomic: true }, { atomic: false }])(
  'a subvolume that is gone is made again, $atomic; when that fails nothing is left behind and units run',
  async ({ atomic }) => {
    using made = house({ atomic });
    made.declare('media', { units: [{ systemd: 'a.service' }] });
    made.unit('a.service');
    const snapshot = await snapshotOf(made, 'media');
    await made.pool.rename('media', 'elsewhere', signal);
    const before = await made.pool.subvolumes(signal);
    made.pool.failNext('rename', new HoldfastError('PoolUnusable', 'The disk is gone.', 'main'));
    await expect(takeBack(made, { snapshot })).rejects.toMatchObject({ code: 'PoolUnusable' });
    expect([await made.pool.subvolumes(signal), made.journal.open()]).toEqual([before, []]);
    expect(made.calls).toEqual(['stop a.service', 'start a.service: a.service']);
    const report = await takeBack(made, { subvolume: 'media', lastGood: false });
    expect(report).toMatchObject({ outcome: 'success', replaced: [{ kept: null, written: null }] });
    expect(made.pool.files('media')).toEqual({ file: 'then' });
  },
);

test('a rollback with its dependencies is rolled back with them, to the states that it kept', async () => {
  using made = house();
  made.declare('media', { dependsOn: ['config'] });
  made.pool.addSubvolume('config', { file: 'then' });
  const snapshot = await snapshotOf(made, 'media', 'config');
  for (const name of ['media', 'config']) made.pool.write(name, 'file', 'now');
  const { replaced } = await takeBack(made, { snapshot }, true);
  made.clock.advance({ minutes: 1 });
  await takeBack(made, { snapshot: replaced[0]?.kept?.split('/').at(-1) ?? '' }, true);
  expect(['media', 'config'].map((name) => made.pool.files(name))).toEqual([{ file: 'now' }, { file: 'now' }]);
});

test('a snapshot that was made by hand can be taken back', async () => {
  using made = house();
  made.pool.addSnapshot('media-before-i-broke-it', { file: 'by hand' });
  await takeBack(made, { snapshot: 'media-before-i-broke-it' });
  expect(made.pool.files('media')).toEqual({ file: 'by hand' });
});

test('a snapshot whose name tells nobody is refused', async () => {
  using made = house();
  made.pool.addSnapshot('something');
  await expect(plan(made, { snapshot: 'something' })).rejects.toMatchObject({ code: 'SubvolumeMissing' });
});

test('the last good one is the newest whose operation ended well', async () => {
  using made = house();
  const good = await snapshotOf(made, 'media');
  const bad = await snapshotOf(made, 'media');
  const [record] = await made.catalog.snapshots({ subvolume: 'media' });
  expect(record?.name).toBe(bad);
  if (record) await made.catalog.recordSnapshot({ ...record, outcome: 'validation_failed' });
  const newest = await plan(made, { subvolume: 'media', lastGood: false });
  expect(newest.replacements[0]?.snapshot.name).toBe(bad);
  const lastGood = await plan(made, { subvolume: 'media', lastGood: true });
  expect(lastGood.replacements[0]?.snapshot.name).toBe(good);
});

test('dependencies are taken back to their closest earlier snapshot, and none is left alone silently', async () => {
  using made = house();
  made.declare('media', { dependsOn: ['config', 'cache'] });
  made.declare('config');
  made.pool.addSubvolume('config', { file: 'config then' });
  made.pool.addSubvolume('cache');
  await snapshotOf(made, 'config');
  const snapshot = await snapshotOf(made, 'media');
  made.pool.write('config', 'file', 'config later');
  await snapshotOf(made, 'config');
  made.pool.write('config', 'file', 'config now');
  const found = await plan(made, { snapshot }, true);
  expect(found.leftAlone).toEqual([{ subvolume: 'cache', reason: 'it has no snapshot that early' }]);
  await takeBack(made, { snapshot }, true);
  expect(made.pool.files('config')).toEqual({ file: 'config then' });
});

test('what was made together in one command is taken back together, in whatever order it was named', async () => {
  using made = house();
  made.pool.addSubvolume('config', { version: '1' });
  made.declare('media', { dependsOn: ['config'] });
  let now = made.clock.now();
  // time goes on between two snapshots
  const clock = { ...made.clock, now: () => (now = now.add({ milliseconds: 40 })) };
  const wanted = { subvolumes: ['media', 'config'], label: null };
  const [media, config] = await createSnapshots(wanted, { ...made.context, clock }, signal);
  const found = await plan(made, { snapshot: media?.name ?? '' }, true);
  expect(found.leftAlone).toEqual([]);
  expect(found.replacements.map(({ snapshot }) => snapshot.name)).toEqual([media?.name, config?.name]);
});

test('of snapshots made in the same second the newest is the one that was made last', async () => {
  using made = house();
  made.declare('media', { dependsOn: ['config'] });
  made.pool.addSubvolume('config');
  const make = async (subvolume: string, label: string): Promise<string> => {
    const [done] = await createSnapshots({ subvolumes: [subvolume], label }, made.context, signal);
    made.clock.advance({ milliseconds: 100 });
    return done?.name ?? '';
  };
  await make('media', 'z');
  const [config, media] = [await make('config', 'm'), await make('media', 'a')];
  await make('config', 'z');
  const found = await plan(made, { subvolume: 'media', lastGood: false }, true);
  expect(found.replacements.map(({ snapshot }) => snapshot.name)).toEqual([media, config]);
});

test("a snapshot of a subvolume that is gone is nobody else's, whatever its name looks like", async () => {
  using made = house();
  made.declare('media', { dependsOn: ['config'] });
  made.pool.addSubvolume('config');
  const at = made.clock.now();
  const gone = {
    pool: 'main',
    name: 'config-old-manual-20261121-143000',
    subvolume: 'config-old',
    madeAt: at,
  } as const;
  made.pool.addSnapshot(gone.name, { file: 'of another' });
  await made.catalog.recordSnapshot({ ...gone, type: 'manual', operation: null, outcome: 'success', sizeBytes: null });
  const found = await plan(made, { snapshot: await snapshotOf(made, 'media') }, true);
  expect(found.leftAlone).toEqual([{ subvolume: 'config', reason: 'it has no snapshot that early' }]);
});

describe('a rollback by hand', () => {
  test('wants all to be good afterwards, also what was bad before', async () => {
    using made = house();
    made.validators.push(memoryValidator({ now: 'bad' }));
    const snapshot = await snapshotOf(made, 'media');
    const report = await takeBack(made, { snapshot });
    expect(report).toMatchObject({ outcome: 'failed', validation: { outcome: 'invalid' } });
    expect(made.pool.files('media')).toEqual({ file: 'then' });
    expect(await made.catalog.recoveries({ limit: 1 })).toMatchObject([
      { outcome: 'failed', reason: 'manual-recovery' },
    ]);
  });

  test('says by hand what to do about a unit that starts and does not stay up', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'a.service' }] });
    const unit = made.unit('a.service');
    let started = false;
    unit.before = (method) => {
      if (started) unit.members.set('a.service', false);
      started ||= method === 'start';
    };
    made.validators.push(memoryValidator({ now: 'bad' }));
    const report = await takeBack(made, { snapshot: await snapshotOf(made, 'media') });
    expect(report).toMatchObject({
      outcome: 'failed',
      problems: ['a.service does not stay up. By hand: systemctl start a.service'],
    });
  });

  test('asks nothing of checks when the units are down by intent', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'a.service' }] });
    made.unit('a.service').members.set('a.service', false);
    made.validators.push(memoryValidator({ now: 'bad' }));
    const report = await takeBack(made, { snapshot: await snapshotOf(made, 'media') });
    expect(report.outcome).toBe('success');
    expect(made.calls).toEqual([]);
  });
});

describe('a rollback changes nothing', () => {
  const untouched = async (made: GuardHouse, code: string): Promise<void> => {
    const snapshot = await snapshotOf(made, 'media');
    made.pool.write('media', 'file', 'now');
    await expect(takeBack(made, { snapshot })).rejects.toMatchObject({ code });
    expect(made.pool.files('media')).toEqual({ file: 'now' });
    expect((await made.pool.list(signal)).map(({ kind }) => kind)).toEqual(['snapshot']);
    expect(made.journal.open()).toEqual([]);
  };

  test('when a process that no unit owns holds the data', async () => {
    using made = house();
    made.mounts.at.set('/pool/media', { occupants: [{ pid: 42, name: 'vim' }] });
    await untouched(made, 'TargetBusy');
  });

  test('when a process stays although its unit was stopped, which then runs again', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'a.service' }] });
    const unit = made.unit('a.service');
    unit.processesNow = [42];
    made.mounts.at.set('/pool/media', { occupants: [{ pid: 42, name: 'stubborn' }] });
    await untouched(made, 'TargetBusy');
    expect(made.calls).toEqual(['stop a.service', 'start a.service: a.service']);
  });

  test('when a mount cannot be taken away', async () => {
    using made = house();
    made.mounts.at.set('/pool/media', { own: [{ point: '/srv', inside: '', options: [] }] });
    made.mounts.hide = async () => Promise.reject(new HoldfastError('TargetBusy', 'busy', '/srv'));
    await untouched(made, 'TargetBusy');
  });

  test('while another rollback runs, or was cut short', async () => {
    using made = house();
    await using other = await made.journal.begin({
      ...{ verb: 'rollback', subject: 'media' },
      detail: { pool: 'main', subvolumes: ['media'], snapshot: 'x' },
    });
    const snapshot = await snapshotOf(made, 'media');
    await expect(takeBack(made, { snapshot })).rejects.toMatchObject({ code: 'StateBusy' });
    await other.done();
  });
});

test('nested subvolumes refuse, unless they are to be moved along', async () => {
  using made = house();
  const snapshot = await snapshotOf(made, 'media');
  made.pool.addNested('media', 'inner', { deep: '1' });
  await expect(plan(made, { snapshot })).rejects.toMatchObject({ code: 'NestedSubvolumes' });
  made.declare('media', { nested: 'move' });
  await takeBack(made, { snapshot });
  expect((await made.pool.examine('media', signal)).nested).toEqual(['inner']);
});
