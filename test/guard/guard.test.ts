import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { guard } from '../../src/operations/guard.ts';
import type { CommandEnd } from '../../src/operations/guard-command.ts';
import type { GuardRequest } from '../../src/operations/guard-request.ts';
import type { Validator } from '../../src/ports/validator.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

const NAME = 'media-pre-deploy-20261121-143000';
const KEPT = 'media.recovery-backup-20261121-143000';

/** A check that looks at the files of the subvolume: good as long as `good` is there. */
const fileCheck = ({ pool }: GuardHouse): Validator => ({
  ...{ name: 'command test -e good', settles: true, mustStay: false },
  baseline: async () => ({ observed: null, good: pool.files('media')?.good !== undefined, detail: '' }),
  verdict: async (baseline) => {
    const good = pool.files('media')?.good !== undefined || baseline?.good === false;
    return { outcome: good ? 'passed' : 'failed', detail: good ? 'there' : 'missing' };
  },
});

function house(options: Parameters<typeof guardHouse>[0] = {}): GuardHouse {
  const made = guardHouse(options);
  made.pool.addSubvolume('media', { good: '1' });
  made.validators.push(fileCheck(made));
  return made;
}

const ended = (exitCode: number, interrupted: CommandEnd['interrupted'] = null) => ({ exitCode, interrupted });

/** Guards a change, and says whether its command was started. */
async function guarded(made: GuardHouse, change: () => CommandEnd, request: Partial<GuardRequest> = {}) {
  let started = false;
  const wanted = {
    subvolume: 'media',
    operation: 'Deploy',
    autoRollback: false,
    when: null,
    execute: true,
    ...request,
  };
  const run = async (): Promise<CommandEnd> => {
    started = true;
    return change();
  };
  try {
    return { report: await guard(wanted, run, made.context, signal), started: () => started, error: null };
  } catch (error) {
    return { report: null, started: () => started, error: error as HoldfastError };
  }
}

const outcomeIn = async ({ catalog }: GuardHouse) => (await catalog.snapshots({})).map(({ outcome }) => outcome);

describe('a guarded command', () => {
  test('that works and keeps everything good is a success, with the snapshot from before it', async () => {
    using made = house();
    const { report } = await guarded(made, () => {
      made.pool.write('media', 'new', '1');
      return ended(0);
    });
    expect(report).toMatchObject({
      outcome: 'success',
      exitCode: 0,
      snapshot: NAME,
      rolledBack: false,
      commandExit: 0,
    });
    expect(made.pool.files(NAME)).toEqual({ good: '1' });
    expect(await outcomeIn(made)).toEqual(['success']);
    expect(made.journal.open()).toEqual([]);
  });

  test('that fails is not validated, and without --auto-rollback its changes stay', async () => {
    using made = house();
    const { report } = await guarded(made, () => {
      made.pool.write('media', 'half', '1');
      return ended(7);
    });
    expect(report).toMatchObject({ outcome: 'command_failed', exitCode: 1, commandExit: 7, validation: null });
    expect(made.pool.files('media')).toEqual({ good: '1', half: '1' });
    expect(await outcomeIn(made)).toEqual(['command_failed']);
  });

  test('that fails is taken back with --auto-rollback, and the failed state is kept', async () => {
    using made = house();
    const change = () => {
      made.pool.write('media', 'half', '1');
      return ended(7);
    };
    const { report } = await guarded(made, change, { autoRollback: true });
    expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2, rolledBack: true, commandExit: 7 });
    expect(made.pool.files('media')).toEqual({ good: '1' });
    expect(made.pool.files(KEPT)).toEqual({ good: '1', half: '1' });
    const [recovery] = await made.catalog.recoveries({ limit: 9 });
    expect(recovery).toMatchObject({ reason: 'command-failed', outcome: 'success', restored: NAME });
    expect(recovery?.kept).toMatchObject([{ path: `/pool/${KEPT}` }]);
    expect(report?.rollback?.replaced[0]?.written).toMatchObject({ added: 1, bytes: 1 });
  });

  test('that cannot be started has failed, and says why', async () => {
    using made = house();
    const { report } = await guarded(made, () => {
      throw new Error('spawn nowhere ENOENT');
    });
    expect(report).toMatchObject({
      outcome: 'command_failed',
      exitCode: 1,
      commandError: expect.stringMatching(/ENOENT/),
    });
  });

  test('that breaks something is told after the settle time, and taken back when that was asked for', async () => {
    for (const autoRollback of [false, true]) {
      using made = house();
      const change = () => {
        made.pool.removeFile('media', 'good');
        return ended(0);
      };
      const { report } = await guarded(made, change, { autoRollback });
      const outcome = autoRollback ? 'rolled_back' : 'validation_failed';
      expect(report).toMatchObject({ outcome, exitCode: 2, rolledBack: autoRollback });
      expect(made.pool.files('media')).toEqual(autoRollback ? { good: '1' } : {});
      expect(await outcomeIn(made)).toEqual([outcome]);
      expect(made.clock.monotonicMs()).toBeGreaterThanOrEqual(30_000);
    }
  });

  test('is no reason for a rollback when what is bad was bad before', async () => {
    using made = house();
    made.pool.removeFile('media', 'good');
    const { report } = await guarded(made, () => ended(0), { autoRollback: true });
    expect(report).toMatchObject({ outcome: 'success', exitCode: 0 });
  });

  test('whose checks cannot be told is inconclusive: nothing is taken back, and its outcome stays open', async () => {
    using made = house();
    made.validators.push({
      ...{ name: 'blind', settles: false, mustStay: false },
      baseline: async () => ({ observed: null, good: true, detail: '' }),
      verdict: async () => ({ outcome: 'inconclusive', detail: 'cannot look' }),
    });
    const { report } = await guarded(made, () => ended(0), { autoRollback: true });
    expect(report).toMatchObject({ outcome: 'pending', exitCode: 5, rolledBack: false });
  });

  test('that was interrupted ends with 130, or is taken back', async () => {
    using made = house();
    const { report } = await guarded(made, () => ended(130, 'SIGINT'));
    expect(report).toMatchObject({ outcome: 'command_failed', exitCode: 130 });
    const back = await guarded(made, () => ended(130, 'SIGINT'), { autoRollback: true });
    expect(back.report).toMatchObject({ outcome: 'rolled_back', exitCode: 2 });
  });

  test('that a second Ctrl-C cuts short while it is validated is taken back all the same', async () => {
    using made = house();
    const interrupt = new AbortController();
    const request = { subvolume: 'media', operation: 'x', autoRollback: true, when: null, execute: true } as const;
    const run = async () => {
      made.pool.removeFile('media', 'good');
      interrupt.abort(new HoldfastError('Interrupted', 'Ctrl-C', 'guard'));
      return ended(0);
    };
    const report = await guard(request, run, made.context, interrupt.signal);
    expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2 });
    expect(made.pool.files('media')).toEqual({ good: '1' });
  });

  test('finds out what it works on by its environment', async () => {
    using made = house();
    let seen: unknown;
    const request = {
      subvolume: 'media',
      operation: 'Deploy',
      autoRollback: false,
      when: null,
      execute: true,
    } as const;
    const run = async (environment: unknown) => {
      seen = environment;
      return ended(0);
    };
    await guard(request, run, made.context, signal);
    expect(seen).toMatchObject({ HOLDFAST_SNAPSHOT: NAME, HOLDFAST_OPERATION: 'Deploy' });
  });
});

describe('a rollback of guard that fails', () => {
  test('before the exchange leaves all as the command left it, with units running, and is told as 3', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'media.service' }] });
    made.unit('media.service');
    const change = () => {
      made.pool.write('media', 'half', '1');
      made.pool.failNext('exchange', new HoldfastError('PoolUnusable', 'The disk is gone.', 'main'));
      return ended(1);
    };
    const { report } = await guarded(made, change, { autoRollback: true });
    expect(report).toMatchObject({ outcome: 'rollback_failed', exitCode: 3, rolledBack: false });
    expect(report?.rollbackError).toMatch(/disk is gone/);
    expect(made.pool.files('media')).toEqual({ good: '1', half: '1' });
    expect(made.calls).toEqual(['stop media.service', 'start media.service: media.service']);
    expect(made.pool.changes.filter((one) => one.startsWith('remove '))).toEqual([
      expect.stringMatching(/\.holdfast-/),
    ]);
  });

  test('after the exchange because a unit does not start says what to do by hand', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'media.service' }] });
    const unit = made.unit('media.service');
    const change = () => {
      unit.before = (method) => {
        if (method === 'start') throw new HoldfastError('UnitFailed', 'media.service ended at once.', 'media.service');
      };
      return ended(1);
    };
    const { report } = await guarded(made, change, { autoRollback: true });
    expect(report).toMatchObject({ outcome: 'rollback_failed', exitCode: 3 });
    expect(report?.rollback?.problems).toEqual([expect.stringMatching(/By hand: systemctl start media.service/)]);
    expect(await made.catalog.recoveries({ limit: 1 })).toMatchObject([{ outcome: 'failed' }]);
    expect(made.journal.open()).toEqual([]);
  });

  test('because something still uses the old data is told as 3', async () => {
    using made = house();
    const change = () => {
      made.mounts.at.set(`/pool/${KEPT}`, { occupants: [{ pid: 7, name: 'stale' }] });
      return ended(1);
    };
    const { report } = await guarded(made, change, { autoRollback: true });
    expect(report).toMatchObject({ exitCode: 3 });
    expect(report?.rollback?.problems).toEqual([expect.stringMatching(/process 7 \(stale\) still uses/)]);
  });
});

test('a unit that the failing command stopped runs again after the rollback, and what was down stays down', async () => {
  using made = house();
  made.declare('media', { units: [{ systemd: 'up.service' }, { systemd: 'down.service' }] });
  const [up, down] = [made.unit('up.service'), made.unit('down.service')];
  down.members.set('down.service', false);
  const change = () => {
    up.members.set('up.service', false);
    down.members.set('down.service', true);
    return ended(1);
  };
  const { report } = await guarded(made, change, { autoRollback: true });
  expect(report).toMatchObject({ outcome: 'rolled_back' });
  expect([await up.state(signal), await down.state(signal)]).toEqual(['active', 'inactive']);
});

test('a pool without an exchange is swapped by two renames', async () => {
  using made = house({ atomic: false });
  made.pool.write('media', 'old', '1');
  const change = () => {
    made.pool.removeFile('media', 'old');
    return ended(1);
  };
  const { report } = await guarded(made, change, { autoRollback: true });
  expect(report).toMatchObject({ outcome: 'rolled_back' });
  expect(made.pool.files('media')).toEqual({ good: '1', old: '1' });
  expect(made.pool.files(KEPT)).toEqual({ good: '1' });
});

describe('nothing is started', () => {
  const refusals: readonly [string, (made: GuardHouse) => void, Partial<GuardRequest>, string][] = [
    ['without such a subvolume', () => {}, { subvolume: 'nowhere' }, 'SubvolumeMissing'],
    ['for a name with a path in it', () => {}, { subvolume: '../media' }, 'Usage'],
    ['on a read-only pool', ({ pool }) => Object.assign(pool.disk, { readOnly: true }), {}, 'PoolUnusable'],
    ['with too little free', ({ pool }) => Object.assign(pool.disk, { freeShare: 0.01 }), {}, 'NoSpace'],
    ['on a full disk', ({ pool }) => Object.assign(pool.disk, { freeBytes: 0 }), {}, 'NoSpace'],
    ['with a nested subvolume', ({ pool }) => pool.addNested('media', 'inner'), {}, 'NestedSubvolumes'],
    [
      'when the snapshot fails',
      ({ pool }) => pool.failNext('snapshot', new HoldfastError('ProcessFailed', 'btrfs: exit 1', 'btrfs')),
      {},
      'ProcessFailed',
    ],
    [
      'when a process that no unit owns has something open',
      ({ mounts }) => void mounts.at.set('/pool/media', { occupants: [{ pid: 42, name: 'vim' }] }),
      { autoRollback: true },
      'TargetBusy',
    ],
    [
      'when a container that no unit owns has mounted it',
      ({ mounts }) =>
        void mounts.at.set('/pool/media', { foreign: [{ point: '/data', occupants: [{ pid: 43, name: 'plex' }] }] }),
      { autoRollback: true },
      'TargetBusy',
    ],
    [
      'when another file system is mounted inside',
      ({ mounts }) => void mounts.at.set('/pool/media', { inner: ['/pool/media/tmp'] }),
      { autoRollback: true },
      'TargetBusy',
    ],
  ];
  test.each(refusals)('%s', async (_, prepare, request, code) => {
    using made = house();
    prepare(made);
    const { error, started } = await guarded(made, () => ended(0), request);
    expect(error).toMatchObject({ code });
    expect(started()).toBe(false);
    expect(await made.catalog.snapshots({})).toEqual([]);
    expect(made.journal.open()).toEqual([]);
  });

  test('and the process in the way is named, unless a declared unit owns it', async () => {
    using made = house();
    made.declare('media', { units: [{ systemd: 'media.service' }] });
    made.unit('media.service').processesNow = [42];
    made.mounts.at.set('/pool/media', { occupants: [{ pid: 42, name: 'media' }] });
    expect((await guarded(made, () => ended(0), { autoRollback: true })).report).toMatchObject({ exitCode: 0 });
    made.mounts.at.set('/pool/media', { occupants: [{ pid: 43, name: 'vim' }] });
    expect((await guarded(made, () => ended(0), { autoRollback: true })).error?.message).toMatch(/process 43 \(vim\)/);
  });
});

test("who only passes through is in nobody's way, before the command or after the rollback", async () => {
  using made = house();
  const looks = new Map<string, number>();
  const { occupancy } = made.mounts;
  // a container that starts sees all mounts of the machine for a moment; one comes after the other, for longer than one may stay
  const passing = (pid: number) => ({ foreign: [{ point: '/srv', occupants: [{ pid, name: 'runc:[2:INIT]' }] }] });
  const mounts = {
    ...made.mounts,
    occupancy: async (...args: Parameters<typeof occupancy>) => {
      const look = (looks.get(args[0]) ?? 0) + 1;
      looks.set(args[0], look);
      return { ...(await occupancy(...args)), ...(look % 20 === 0 ? {} : passing(Math.ceil(look / 3))) };
    },
  };
  Object.assign(made.context, { mounts });
  const { report } = await guarded(made, () => ended(1), { autoRollback: true });
  expect(report).toMatchObject({ outcome: 'rolled_back', rollback: { problems: [] } });
  const kept = expect.stringMatching(/^\/pool\/media\.recovery-backup-/);
  expect([...looks.keys()]).toEqual(['/pool/media', kept]);
});

test('--no-execute makes the snapshot, runs nothing, and leaves its outcome open', async () => {
  using made = house();
  const { report, started } = await guarded(made, () => ended(0), { execute: false });
  expect(report).toMatchObject({ outcome: 'pending', exitCode: 0, snapshot: NAME, commandExit: null });
  expect(started()).toBe(false);
  expect(await outcomeIn(made)).toEqual(['pending']);
});

test('--when auto passes over what is fresh, and never with --auto-rollback', async () => {
  using made = house();
  await guarded(made, () => ended(0));
  made.clock.advance({ minutes: 59 });
  const { report } = await guarded(made, () => ended(3), { when: 'auto' });
  expect(report).toMatchObject({ outcome: 'unprotected', snapshot: null, exitCode: 1 });
  expect(report?.decision.reason).toMatch(/fresh/);
  const back = await guarded(made, () => ended(0), { when: 'auto', autoRollback: true });
  expect(back.report?.snapshot).not.toBeNull();
  made.clock.advance({ minutes: 61 });
  expect((await guarded(made, () => ended(0), { when: 'auto' })).report?.snapshot).not.toBeNull();
});

test('--when auto takes no snapshot of a subvolume that is gone for a fresh one of another', async () => {
  using made = house();
  const gone = { pool: 'main', name: 'media-old-manual-20261121-143000', subvolume: 'media-old' } as const;
  made.pool.addSnapshot(gone.name);
  const record = { type: 'manual', operation: null, outcome: 'success', sizeBytes: null } as const;
  await made.catalog.recordSnapshot({ ...gone, ...record, madeAt: made.clock.now() });
  expect((await guarded(made, () => ended(0), { when: 'auto' })).report?.snapshot).toBe(NAME);
});

test('two guards in one second on one subvolume have a snapshot each', async () => {
  using made = house();
  const both = await Promise.all([guarded(made, () => ended(0)), guarded(made, () => ended(0))]);
  const names = both.map(({ report, error }) => report?.snapshot ?? error).toSorted();
  expect(names).toEqual([NAME, `${NAME}-2`]);
});

test.each(['guarded command', 'rollback'])(
  'a rollback of guard waits until the %s of another one has ended, and gives up after the limit',
  async (verb) => {
    using made = house();
    made.settings({ limit: 60 });
    const open = await made.journal.begin({
      ...{ verb, subject: 'media' },
      detail: { pool: 'main', subvolumes: ['media'], snapshot: 'other' },
    });
    const { report } = await guarded(made, () => ended(1), { autoRollback: true });
    expect(report).toMatchObject({ exitCode: 3, rollbackError: expect.stringMatching(/still runs/) });
    expect(await made.catalog.recoveries({ limit: 9 })).toMatchObject([{ outcome: 'failed', kept: [] }]);
    await open.done();
    expect((await guarded(made, () => ended(1), { autoRollback: true })).report).toMatchObject({ exitCode: 2 });
  },
);

test('old snapshots that ended well go, those nobody settled stay', async () => {
  using made = house();
  made.settings({ keep: { latest: 1, within: 60 } });
  for (const code of [1, 0, 0, 0]) {
    await guarded(made, () => ended(code));
    made.clock.advance({ minutes: 5 });
  }
  const left = (await made.pool.list(signal)).map(({ name }) => name).toSorted();
  expect(left).toEqual([NAME, 'media-pre-deploy-20261121-144500']);
  expect(await outcomeIn(made)).toHaveLength(4);
});
