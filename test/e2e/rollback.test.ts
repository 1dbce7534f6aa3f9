import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { aMachineOn, type PoolMachine } from '../services/pool-machine.ts';
import { PROGRAM } from '../services/program.ts';
import { type Ended, type Json, tool } from './holdfast.ts';

describe.runIf(hasBtrfs())('rollback', () => {
  let pool: BtrfsPool;
  beforeAll(() => {
    pool = btrfsPool();
  });
  afterAll(() => pool?.[Symbol.dispose]());

  const state = (name: string): string => readFileSync(join(pool.path, name, 'state.txt'), 'utf8').trim();
  const guarded = ({ machine }: PoolMachine, name: string, to: string, exitCode: number): Json => {
    const line = `echo ${to} > ${pool.path}/${name}/state.txt; exit ${exitCode}`;
    return machine.json(exitCode, 'guard', '--subvolume', name, '--operation', to, '--command', line);
  };

  test('--last-good takes back the newest snapshot whose change ended well, past those that did not', () => {
    const made = aMachineOn(pool, 'good');
    made.write('state.txt', 'first\n');
    guarded(made, 'good', 'second', 0);
    const wanted = guarded(made, 'good', 'third', 0).snapshot_name;
    guarded(made, 'good', 'broken', 1);
    const newest = ['rollback', '--subvolume', 'good', '--auto-confirm'];
    const { replaced } = made.machine.json(0, ...newest, '--last-good');
    expect(replaced).toMatchObject([{ snapshot: wanted }]);
    expect(state('good')).toBe('second');
    made.machine.passes(...newest);
    expect(state('good')).toBe('third');
  });

  test('ends with 1 when a check is bad afterwards; the restored data stay and the kept state is named', () => {
    const made = aMachineOn(pool, 'bad', '{ checks: [{ command: [test, -e, /nowhere] }] }', 'guard: { settle: 1s }\n');
    made.write('state.txt', 'before\n');
    const name = made.machine.passes('snapshot', 'create', 'bad').trim();
    made.write('state.txt', 'after\n');
    const report = made.machine.json(1, 'rollback', '--snapshot', name, '--auto-confirm');
    expect(report).toMatchObject({ outcome: 'failed', validation: { outcome: 'invalid' } });
    const { kept, written } = report.replaced[0];
    expect([state('bad'), readFileSync(join(kept, 'state.txt'), 'utf8')]).toEqual(['before', 'after\n']);
    expect(written).toMatchObject({ added: 0, removed: 0, modified: 1, bytes: 6 });
    expect(made.machine.json(0, 'history').recoveries).toMatchObject([
      { outcome: 'failed', reason: 'manual-recovery', restored_snapshot: name, kept: [{ path: kept }] },
    ]);
  });

  test('takes back a snapshot that was made by hand, and a kept state, with owners, modes and links as they were', () => {
    const { machine } = aMachineOn(pool, 'hand');
    const inside = join(pool.path, 'hand');
    tool(
      'sh',
      '-c',
      'cd "$1"; echo one > a; chmod 640 a; chown 12:34 a; ln a b; ln -s a c; mkdir -m 700 d',
      'sh',
      inside,
    );
    const listing = (): string => tool('find', inside, '-mindepth', '1', '-printf', '%P %y %m %U:%G %n %s %l\n');
    const before = listing().split('\n').toSorted();
    tool('btrfs', '-q', 'subvolume', 'snapshot', '-r', inside, join(pool.path, 'snapshots', 'hand-before-it-broke'));
    tool('sh', '-c', 'cd "$1"; rm -r a c d; echo two > e', 'sh', inside);
    const broken = listing();
    const { replaced } = machine.json(0, 'rollback', '--snapshot', 'hand-before-it-broke', '--auto-confirm');
    expect(listing().split('\n').toSorted()).toEqual(before);
    machine.passes('rollback', '--snapshot', replaced[0].kept.split('/').at(-1), '--auto-confirm');
    expect(listing()).toBe(broken);
  });

  test('a subvolume that a command deletes is bad whatever the checks say, and comes back with and without guard', () => {
    const { machine, write } = aMachineOn(pool, 'gone');
    write('state.txt', 'before\n');
    const inside = join(pool.path, 'gone');
    const deleting = (...more: string[]): string[] => [
      ...['guard', '--subvolume', 'gone', '--operation', 'delete', ...more],
      ...['--command', `btrfs -q subvolume delete ${inside}`],
    ];
    expect(machine.json(2, ...deleting('--auto-rollback'))).toMatchObject({
      ...{ outcome: 'rolled_back', validation: { checks: [{ name: `data ${inside}`, outcome: 'failed' }] } },
      rollback: { outcome: 'success', replaced: [{ kept: null, written: null }], recovery: { kept: [] } },
    });
    expect(state('gone')).toBe('before');
    write('state.txt', 'after\n');
    expect(machine.json(2, ...deleting()).outcome).toBe('validation_failed');
    expect(machine.passes('rollback', '--subvolume', 'gone', '--dry-run')).toMatch(/nothing is there now/);
    machine.passes('rollback', '--subvolume', 'gone', '--auto-confirm');
    expect(state('gone')).toBe('after');
    expect(readdirSync(pool.path).filter((name) => /^gone|^\.holdfast/.test(name))).toEqual(['gone']);
  });

  test('what took the place of a subvolume is not touched: guard ends with 3, says what to do, and counts it', () => {
    const { machine, write } = aMachineOn(pool, 'folder');
    write('state.txt', 'before\n');
    const inside = join(pool.path, 'folder');
    const line = `btrfs -q subvolume delete ${inside} && mkdir ${inside} && touch ${inside}/new`;
    const words = ['guard', '--subvolume', 'folder', '--operation', 'x', '--auto-rollback', '--command', line];
    const report = machine.json(3, ...words);
    expect(report).toMatchObject({ outcome: 'rollback_failed', rollback: null, rolledBack: false });
    expect(report.rollbackHint).toContain(`mv ${inside} ${inside}.aside`);
    expect(readdirSync(inside)).toEqual(['new']);
    const history = machine.json(0, 'history');
    expect(history.recoveries).toMatchObject([{ outcome: 'failed', restored_snapshot: report.snapshot_name }]);
    expect(history.figures.recoveries).toMatchObject({ total: 1, succeeded: 0 });
    tool('mv', inside, `${inside}.aside`);
    machine.passes('rollback', '--snapshot', report.snapshot_name, '--auto-confirm');
    expect(state('folder')).toBe('before');
  });

  test('a guard inside the command of another one on the same subvolume does not wait for itself', () => {
    const { machine, write } = aMachineOn(pool, 'twice');
    write('state.txt', 'before\n');
    const file = join(pool.path, 'twice', 'state.txt');
    const guard = (operation: string): string[] => [
      ...[...PROGRAM, 'guard', '--subvolume', 'twice', '--operation', operation, '--auto-rollback'],
    ];
    const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ');
    const innermost = [...guard('inner'), '--command', `echo inner > ${file}; exit 1`];
    const between = [...guard('between'), '--command', `echo between > ${file}; ${quoted(innermost)}; test $? = 2`];
    machine.passes(...guard('outer').slice(2), '--', ...between);
    expect(state('twice')).toBe('between');
    const { snapshots } = machine.json(0, 'history');
    expect(snapshots.map(({ outcome }: Json) => outcome)).toEqual(['rolled_back', 'success', 'success']);
  });

  test('guards side by side that both find something bad take it back one after the other', async () => {
    const { machine, write } = aMachineOn(pool, 'side');
    write('state.txt', 'before\n');
    const [here, there, file] = [machine.path('here'), machine.path('there'), join(pool.path, 'side', 'state.txt')];
    const begin = (own: string, other: string): Promise<Ended> => {
      const line = `touch ${own}; until [ -e ${other} ]; do sleep 0.02; done; echo changed >> ${file}; exit 1`;
      const words = ['guard', '--subvolume', 'side', '--operation', 'x', '--auto-rollback', '--command', line];
      return machine.start(words).ended;
    };
    for (const { exitCode, stderr } of await Promise.all([begin(here, there), begin(there, here)]))
      expect(exitCode, stderr).toBe(2);
    expect(state('side')).toBe('before');
  });

  test('of guards that begin in the same second, each has a snapshot of its own', async () => {
    const { machine } = aMachineOn(pool, 'both');
    writeFileSync(join(pool.path, 'both', 'state.txt'), 'before\n');
    const words = ['guard', '--subvolume', 'both', '--operation', 'x', '--no-execute'];
    const all = [1, 2, 3].map(() => machine.start(words).ended);
    const printed = (await Promise.all(all)).map(({ exitCode, stdout, stderr }) => {
      expect(exitCode, stderr).toBe(0);
      return stdout.trim();
    });
    expect(new Set(printed).size).toBe(3);
    expect(readdirSync(join(pool.path, 'snapshots')).filter((name) => name.startsWith('both-'))).toEqual(
      printed.toSorted(),
    );
    expect(machine.json(0, 'history').snapshots).toHaveLength(3);
  });
});
