import { existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { aMachineOn, aPoolMachine, type PoolMachine } from '../services/pool-machine.ts';
import { type Json, tool } from './holdfast.ts';

const words = (subvolume: string, line: string, ...options: readonly string[]): readonly string[] => [
  ...['guard', '--subvolume', subvolume, '--operation', 'deploy', ...options, '--command', line],
];

/** Guard must end with 4 and this error, and its command must never have been started. */
function refused({ machine }: PoolMachine, subvolume: string, code: string, ...options: readonly string[]): string {
  const witness = machine.path('witness');
  const ended = machine.run(['--json', ...words(subvolume, `touch ${witness}`, ...options)]);
  expect(ended.exitCode, ended.stderr + ended.stdout).toBe(4);
  const { error } = JSON.parse(ended.stdout);
  expect(error).toMatchObject({ code, exitCode: 4 });
  expect(existsSync(witness)).toBe(false);
  return error.message;
}

describe.runIf(hasBtrfs())('guard starts nothing and ends with 4', () => {
  test('on a pool that is nearly full, or has less free than minFree, before anything is made there', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    const large = join(pool.path, 'large');
    const available = Number(tool('df', '--output=avail', '-B1', pool.path).split('\n')[1]);
    tool('fallocate', '--length', `${available - 2 ** 20}`, large);
    tool('btrfs', 'filesystem', 'sync', pool.path);
    expect(refused(made, 'media', 'NoSpace')).toMatch(/of the pool main are free, and 10 % must be/);
    truncateSync(large, 0);
    tool('btrfs', 'filesystem', 'sync', pool.path);
    machine.configure(`pools: { main: { path: ${pool.path} } }\nguard: { minFree: 99% }\n`);
    refused(made, 'media', 'NoSpace');
    expect(readdirSync(join(pool.path, 'snapshots'))).toEqual([]);
    machine.configure(`pools: { main: { path: ${pool.path} } }\n`);
    expect(machine.run(words('media', 'true')).exitCode).toBe(0);
  });

  test('when its state, its catalog or a repository lies on the subvolume, also through a bind mount', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    const inside = join(pool.path, 'media');
    const pools = `pools: { main: { path: ${pool.path} } }\n`;
    machine.configure(`${pools}catalog: 'sqlite:${inside}/catalog.db'\n`);
    expect(refused(made, 'media', 'Refused')).toContain(`${inside}/catalog.db`);
    machine.configure(`${pools}repositories: { disk: { engine: archive, path: ${inside}/not/yet/made } }\n`);
    expect(refused(made, 'media', 'Refused')).toContain(`${inside}/not/yet/made`);

    machine.configure(pools);
    const [state, witness] = [join(inside, 'state'), machine.path('witness')];
    const through = machine.path('through');
    for (const folder of [state, through]) mkdirSync(folder);
    tool('mount', '--bind', state, through);
    try {
      for (const STATE_DIRECTORY of [state, through]) {
        const environment = { STATE_DIRECTORY };
        const ended = machine.run(['--json', ...words('media', `touch ${witness}`)], { environment });
        expect(ended.exitCode, ended.stderr + ended.stdout).toBe(4);
        expect(JSON.parse(ended.stdout).error).toMatchObject({ code: 'Refused', subject: STATE_DIRECTORY });
        expect(existsSync(witness)).toBe(false);
      }
    } finally {
      tool('umount', through);
    }
  });

  test('when the pool is not there, and with 64 when several pools have a subvolume of that name', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    using other = btrfsPool();
    other.makeSubvolume('media');
    machine.configure(`pools: { main: { path: ${pool.path} }, other: { path: ${other.path} } }\n`);
    const ended = machine.run(['--json', ...words('media', 'true')]);
    expect([ended.exitCode, JSON.parse(ended.stdout).error.message]).toEqual([
      64,
      'Several pools have a subvolume media: main, other.',
    ]);
    for (const { path } of [pool, other]) {
      const copy = join(path, 'snapshots', 'media-by-hand');
      mkdirSync(join(path, 'snapshots'), { recursive: true });
      tool('btrfs', '-q', 'subvolume', 'snapshot', '-r', join(path, 'media'), copy);
    }
    const rollback = ['--dry-run', 'rollback', '--snapshot', 'media-by-hand'];
    expect(machine.json(64, ...rollback).error.message).toContain('Several pools have a snapshot media-by-hand');
    const both = `main: { path: ${pool.path} }, other: { path: ${other.path}, subvolumes: { media: {} } }`;
    machine.configure(`pools: { ${both} }\n`);
    expect(machine.json(0, ...rollback).replaced[0].kept).toContain(other.path);
    machine.configure(`pools: { main: { path: ${machine.path('nowhere')} } }\n`);
    refused(made, 'media', 'PoolUnusable');
  });
});

describe.runIf(hasBtrfs())('guard', () => {
  let pool: BtrfsPool;
  beforeAll(() => {
    pool = btrfsPool();
  });
  afterAll(() => pool?.[Symbol.dispose]());

  const state = (name: string): string => readFileSync(join(pool.path, name, 'state.txt'), 'utf8').trim();
  const change = (name: string, then = 'true'): string => `echo after > ${pool.path}/${name}/state.txt; ${then}`;
  function made(name: string, definition?: string, more?: string): PoolMachine {
    const machine = aMachineOn(pool, name, definition, more);
    machine.write('state.txt', 'before\n');
    return machine;
  }
  function guarded({ machine }: PoolMachine, exitCode: number, ...args: Parameters<typeof words>): Json {
    const ended = machine.run(['--json', ...words(...args)]);
    expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode);
    return JSON.parse(ended.stdout);
  }
  const snapshotsOf = (name: string): readonly string[] =>
    readdirSync(join(pool.path, 'snapshots')).filter((each) => each.startsWith(`${name}-`));
  const keptOf = (name: string): readonly string[] =>
    readdirSync(pool.path).filter((each) => each.startsWith(`${name}.recovery-backup-`));

  test('--when auto makes no snapshot where none is needed and says why; --auto-rollback always has one', () => {
    const operations = 'operations: { logs: { persistent: false }, flag: { reversible: true } }';
    const machine = made('auto', '{}', `guard: { when: auto, ${operations} }\n`);
    const why = (operation: string, exitCode: number, ...options: readonly string[]): Json => {
      const args = ['--json', 'guard', '--subvolume', 'auto', '--operation', operation, ...options];
      const ended = machine.machine.run([...args, '--command', `exit ${exitCode}`]);
      const failed = options.length === 0 ? 1 : 2;
      expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode === 0 ? 0 : failed);
      return JSON.parse(ended.stdout);
    };
    expect(why('logs', 0)).toMatchObject({ outcome: 'unprotected', decision: { reason: /no data/ } });
    expect(why('flag', 3)).toMatchObject({
      outcome: 'unprotected',
      commandExit: 3,
      decision: { reason: /reversible/ },
    });
    expect(snapshotsOf('auto')).toEqual([]);
    expect(why('flag', 3, '--auto-rollback')).toMatchObject({ outcome: 'rolled_back', decision: { protect: true } });
    expect(why('other', 0)).toMatchObject({ outcome: 'unprotected', decision: { reason: /fresh/ } });
    expect(snapshotsOf('auto')).toHaveLength(1);
    const { figures } = machine.machine.json(0, 'history');
    expect(figures.deployments).toEqual({ total: 4, guarded: 1, ratio: 0.25 });
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const)(
    '%s reaches the command: %d and the snapshot stays, or rolled back with --auto-rollback',
    async (signal, code) => {
      const name = signal.toLowerCase();
      const { machine } = made(name);
      for (const [options, exitCode, left] of [
        [[], code, 'after'],
        [['--auto-rollback'], 2, 'before'],
      ] as const) {
        writeFileSync(join(pool.path, name, 'state.txt'), 'before\n');
        const [ready, told] = [machine.path('ready'), machine.path('told')];
        const waits = `trap "touch ${told}; exit 9" ${signal.slice(3)}; touch ${ready}; while :; do sleep 0.05; done`;
        const args = ['--json', ...words(name, change(name, waits), ...options)];
        const running = machine.start(args, { withoutTerminal: true });
        await expect.poll(() => existsSync(ready), { timeout: 20_000 }).toBe(true);
        running.kill(signal);
        const ended = await running.ended;
        expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode);
        expect(JSON.parse(ended.stdout)).toMatchObject({ commandExit: 9, rolledBack: exitCode === 2, exitCode });
        expect([existsSync(told), state(name)]).toEqual([true, left]);
        tool('rm', ready, told);
      }
      expect(snapshotsOf(name)).toHaveLength(2);
    },
  );

  test('may run side by side with another one; a rollback waits until the command of the other has ended', async () => {
    const { machine } = made('shared');
    const [ready, go] = [machine.path('ready'), machine.path('go')];
    const long = `touch ${ready}; while [ ! -e ${go} ]; do sleep 0.05; done`;
    const first = machine.start(['--json', ...words('shared', long)]);
    await expect.poll(() => existsSync(ready), { timeout: 20_000 }).toBe(true);
    const failed = machine.path('failed');
    const second = machine.start([
      ...['--json', '--verbose', ...words('shared', change('shared', `touch ${failed}; exit 1`), '--auto-rollback')],
    ]);
    await expect.poll(() => existsSync(failed), { timeout: 20_000 }).toBe(true);
    // only its own end is missing: the snapshots are there, and the data are still those of the command
    await expect
      .poll(() => machine.json(0, 'doctor').rows.map(({ subject }: Json) => subject))
      .toContain('journal: guarded command shared');
    expect([state('shared'), keptOf('shared')]).toEqual(['after', []]);
    writeFileSync(go, '');
    const ended = [await first.ended, await second.ended];
    expect(ended.map(({ exitCode }) => exitCode)).toEqual([0, 2]);
    expect(ended[1]?.stderr).toContain('waiting for the command of another guard');
    expect([state('shared'), keptOf('shared').length]).toEqual(['before', 1]);
    expect(
      machine
        .json(0, 'history')
        .snapshots.map(({ outcome }: Json) => outcome)
        .toSorted(),
    ).toEqual(['rolled_back', 'success']);
  });

  test('a rollback does not wait longer than the limit for the command of a guard: 11, and nothing is changed', async () => {
    const { machine } = made('limited', '{}', 'guard: { limit: 1s }\n');
    const name = machine.passes('snapshot', 'create', 'limited').trim();
    const ready = machine.path('ready');
    const running = machine.start(words('limited', `touch ${ready}; exec sleep 600`));
    await expect.poll(() => existsSync(ready), { timeout: 20_000 }).toBe(true);
    const busy = machine.json(11, 'rollback', '--snapshot', name, '--auto-confirm');
    expect(busy.error).toMatchObject({ code: 'StateBusy', message: expect.stringContaining('still runs') });
    running.kill('SIGTERM');
    expect([(await running.ended).exitCode, keptOf('limited')]).toEqual([143, []]);
  });

  test('with `nested: move` protects a subvolume in a subvolume, which follows into the restored data', () => {
    const machine = made('outer', '{ nested: move }');
    const inner = join(pool.path, 'outer', 'inner');
    tool('btrfs', '-q', 'subvolume', 'create', inner);
    writeFileSync(join(inner, 'file'), 'not in the snapshot');
    expect(guarded(machine, 2, 'outer', change('outer', 'exit 1'), '--auto-rollback')).toMatchObject({
      rolledBack: true,
    });
    expect([state('outer'), readFileSync(join(inner, 'file'), 'utf8')]).toEqual(['before', 'not in the snapshot']);
    expect(tool('stat', '--format', '%i', inner).trim()).toBe('256'); // still a subvolume
    const deleting = `btrfs -q subvolume delete ${inner}; false`;
    const words = ['guard', '--subvolume', 'outer', '--operation', 'clean', '--auto-rollback', '--command', deleting];
    const lost = machine.machine.run(words);
    expect([lost.exitCode, state('outer')]).toEqual([3, 'before']);
    expect(lost.stderr).toContain(`${inner} was a subvolume of its own and is gone`);
    tool('btrfs', '-q', 'subvolume', 'create', join(pool.path, 'outer', 'later'));
    expect(machine.machine.passes('--dry-run', 'rollback', '--subvolume', 'outer')).toContain('not taken back: later');
    machine.machine.configure(`pools: { main: { path: ${pool.path}, subvolumes: { outer: {} } } }\n`);
    expect(refused(machine, 'outer', 'NestedSubvolumes')).toContain('later');
  });

  test('works for a subvolume that is in the pool and not declared', () => {
    const machine = made('known');
    pool.makeSubvolume('unknown');
    writeFileSync(join(pool.path, 'unknown', 'state.txt'), 'before\n');
    const report = guarded(machine, 2, 'unknown', change('unknown', 'exit 1'), '--auto-rollback');
    expect(report).toMatchObject({ subvolume: 'unknown', outcome: 'rolled_back' });
    expect(state('unknown')).toBe('before');
  });

  test('rollback takes dependencies along when that is said, and leaves them alone when nobody is asked', () => {
    const machine = made('app', '{ dependsOn: [config] }').machine;
    pool.makeSubvolume('config');
    const set = (name: string, to: string): void => writeFileSync(join(pool.path, name, 'state.txt'), `${to}\n`);
    set('config', 'config before');
    const config = machine.passes('snapshot', 'create', 'config').trim();
    const app = machine.passes('snapshot', 'create', 'app').trim();
    set('config', 'config later');
    set('app', 'app later');
    const back = ['rollback', '--snapshot', app, '--auto-confirm'];
    expect(machine.json(0, '--dry-run', ...back, '--with-dependencies').replaced).toMatchObject([
      { subvolume: 'app', snapshot: app },
      { subvolume: 'config', snapshot: config },
    ]);
    const { replaced } = machine.json(0, ...back);
    expect(replaced).toMatchObject([{ subvolume: 'app', written: { modified: 1 } }]);
    expect([state('app'), state('config')]).toEqual(['before', 'config later']);
    machine.passes(...back, '--with-dependencies');
    expect([state('app'), state('config')]).toEqual(['before', 'config before']);
    expect(keptOf('config').map(state)).toEqual(['config later']);
  });

  test('rollback --path takes one folder back alone, and keeps what was there', () => {
    const machine = made('parts').machine;
    const file = (...names: readonly string[]): string => join(pool.path, 'parts', ...names);
    mkdirSync(file('etc'));
    writeFileSync(file('etc', 'conf'), 'before');
    const name = machine.passes('snapshot', 'create', 'parts').trim();
    writeFileSync(file('etc', 'conf'), 'after');
    writeFileSync(file('state.txt'), 'after\n');
    const words = ['rollback', '--snapshot', name, '--path', 'etc'];
    expect(machine.json(64, ...words)).toMatchObject({ error: { code: 'AnswerNeeded' } });
    expect(machine.json(0, ...words, '--dry-run')).toMatchObject({ dryRun: true, replaced: [{ path: file('etc') }] });
    expect(readFileSync(file('etc', 'conf'), 'utf8')).toBe('after');
    const done = machine.json(0, ...words, '--auto-confirm');
    expect([readFileSync(file('etc', 'conf'), 'utf8'), state('parts')]).toEqual(['before', 'after']);
    expect(readFileSync(join(done.replaced[0].kept, 'conf'), 'utf8')).toBe('after');
    expect(machine.json(64, 'rollback', '--subvolume', 'parts', '--path', 'etc', '--auto-confirm')).toMatchObject({
      error: { code: 'Usage' },
    });
  });
});
