import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasBtrfs } from '../services/btrfs.ts';
import { aPoolMachine } from '../services/pool-machine.ts';
import { aMachine, tool } from './holdfast.ts';

describe.runIf(hasBtrfs())('snapshots of a pool', () => {
  test('are made read-only under the names that are printed, and removed by them', () => {
    const { machine, pool } = aPoolMachine();
    pool.makeSubvolume('by-the-way');
    const names = machine.passes('snapshot', 'create', 'media', 'by-the-way', '--label', 'Weekly Look').trim();
    const [media = '', other = ''] = names.split('\n');
    expect(media).toMatch(/^media-weekly-look-\d{8}-\d{6}$/);
    expect(other).toMatch(/^by-the-way-weekly-look-\d{8}-\d{6}$/);
    const path = join(pool.path, 'snapshots', media);
    expect(readFileSync(join(path, 'state.txt'), 'utf8')).toBe('before\n');
    expect(tool('btrfs', 'property', 'get', path, 'ro').trim()).toBe('ro=true');
    expect(machine.json(0, 'snapshot', 'list', 'media').snapshots).toMatchObject([
      { snapshot_name: media, subvolume: 'media', type: 'manual', outcome: 'success', pool: 'main', path },
    ]);
    expect(machine.passes('list', '--snapshots')).toContain(other);
    expect(machine.json(0, 'snapshot', 'remove', media)).toEqual({ removed: { snapshot_name: media, path } });
    expect(readdirSync(join(pool.path, 'snapshots'))).toEqual([other]);
    expect(machine.json(1, 'snapshot', 'remove', media)).toMatchObject({ error: { code: 'SnapshotMissing' } });
    expect(machine.json(0, 'history').snapshots).toHaveLength(2);
  });

  test('are listed beside those made by hand, and refused for what is no subvolume or no name', () => {
    const { machine, pool } = aPoolMachine();
    const byHand = join(pool.path, 'snapshots', 'media-pre-shell-20261116-143000');
    tool('btrfs', '-q', 'subvolume', 'snapshot', '-r', join(pool.path, 'media'), byHand);
    expect(machine.json(0, 'snapshot', 'list').snapshots).toMatchObject([
      { snapshot_name: 'media-pre-shell-20261116-143000', type: 'by-hand', outcome: null },
    ]);
    expect(machine.json(0, 'snapshot', 'create', 'media', '--label', 'Trial', '--dry-run')).toMatchObject({
      snapshots: [{ snapshot_name: expect.stringMatching(/^media-trial-\d{8}-\d{6}$/), subvolume: 'media' }],
    });
    expect(machine.json(1, 'snapshot', 'create', 'nowhere', '--dry-run').error.code).toBe('SubvolumeMissing');
    expect(machine.json(1, 'snapshot', 'create', 'nowhere')).toMatchObject({ error: { code: 'SubvolumeMissing' } });
    expect(machine.json(64, 'snapshot', 'create', '../media')).toMatchObject({ error: { code: 'Usage' } });
    expect(machine.json(64, 'snapshot', 'mark', 'x', 'splendid')).toMatchObject({ error: { code: 'Usage' } });
    expect(machine.run(['--dry-run', 'snapshot', 'remove', 'media-pre-shell-20261116-143000']).exitCode).toBe(64);
    expect(existsSync(byHand)).toBe(true);
  });

  test('made by hand under any name are taken back to what they were made of, also after a rollback', () => {
    const { machine, pool, write } = aPoolMachine();
    write('state.txt', 'then');
    const byHand = (name: string): string =>
      tool('btrfs', '-q', 'subvolume', 'snapshot', '-r', join(pool.path, 'media'), join(pool.path, 'snapshots', name));
    byHand('before lunch');
    for (const state of ['now', 'later']) {
      write('state.txt', state);
      expect(machine.json(0, 'diff', 'before lunch')).toMatchObject({ subvolume: 'media', totals: { modified: 1 } });
      machine.passes('rollback', '--snapshot', 'before lunch', '--auto-confirm');
      expect(readFileSync(join(pool.path, 'media', 'state.txt'), 'utf8')).toBe('then');
    }
    const { snapshots } = machine.json(0, 'snapshot', 'list', 'media');
    expect(snapshots).toContainEqual(
      expect.objectContaining({ snapshot_name: 'before lunch', subvolume: 'media', type: 'by-hand' }),
    );
  });

  test('tell what was added, removed and modified since', () => {
    const { machine, pool, write } = aPoolMachine();
    write('gone.txt', 'gone\n');
    const [from = ''] = machine.passes('snapshot', 'create', 'media').split('\n');
    write('state.txt', 'after it all\n');
    write('added.txt', 'new\n');
    rmSync(join(pool.path, 'media', 'gone.txt'));
    const compared = machine.json(0, 'diff', from);
    expect(compared).toMatchObject({ from, to: 'now', subvolume: 'media' });
    expect(compared.changes.filter(({ path }: { path: string }) => path.endsWith('.txt'))).toEqual([
      { change: 'added', path: 'added.txt', bytes: 4 },
      { change: 'removed', path: 'gone.txt', bytes: 5 },
      { change: 'modified', path: 'state.txt', bytes: 13 },
    ]);
    expect(compared.totals).toMatchObject({ added: 1, removed: 1, bytes: 22 });
    expect(machine.passes('diff', from, 'now')).toMatch(/^\+ {2}added\.txt {2}4 B$/m);
    const [later = ''] = machine.passes('snapshot', 'create', 'media', '--label', 'later').split('\n');
    expect(machine.json(0, 'diff', from, later).totals).toEqual(compared.totals);
  });
});

describe.runIf(hasBtrfs())('the history', () => {
  test('has the fields of the contract, and a snapshot is marked in it', () => {
    const { machine } = aPoolMachine();
    const [name = ''] = machine.passes('snapshot', 'create', 'media').split('\n');
    expect(machine.passes('snapshot', 'mark', name, 'validation_failed')).toBe(`${name}: validation_failed\n`);
    const told = machine.json(0, 'history');
    expect(told.snapshots).toMatchObject([
      {
        ...{ subvolume: 'media', type: 'manual', operation: null, snapshot_name: name },
        outcome: 'validation_failed',
      },
    ]);
    expect(Object.keys(told.snapshots[0])).toEqual(expect.arrayContaining(['timestamp', 'size_mb']));
    expect(told.recoveries).toEqual([]);
    expect(machine.passes('history')).toContain(name);
  });

  test('has what a snapshot holds alone where quotas are on, and room for its columns whatever an operation is called', () => {
    const { machine, pool, write } = aPoolMachine();
    tool('btrfs', 'quota', 'enable', pool.path);
    const large = write('large', randomBytes(4 * 2 ** 20).toString('latin1'));
    const bytes = statSync(large).size;
    const operation = 'long'.repeat(50);
    const guard = ['guard', '--subvolume', 'media', '--operation', operation, '--', 'rm', large];
    machine.passes(...guard);
    tool('btrfs', 'filesystem', 'sync', pool.path);
    const [snapshot] = machine.json(0, 'history').snapshots;
    expect(snapshot).toMatchObject({ operation, size_mb: Math.round(bytes / 2 ** 20) });
    expect(machine.passes('history')).toMatch(/ {2}(long){9}lon… {2}success {2}/);
  });

  test('counts a change that was made without guard, and only when that is said', () => {
    const { machine } = aPoolMachine();
    expect(machine.run(['history', 'record', '--operation', 'dns']).exitCode).toBe(64);
    machine.passes('history', 'record', '--operation', 'dns', '--unguarded');
    expect(machine.json(0, 'history').figures).toEqual({
      deployments: { total: 1, guarded: 0, ratio: 0 },
      recoveries: { total: 0, succeeded: 0, ratio: null, meanSeconds: null, worstSeconds: null },
      services: {},
    });
  });
});

test('without a pool in the configuration a snapshot is refused with 78', () => {
  const machine = aMachine();
  machine.configure('');
  expect(machine.json(78, 'snapshot', 'create', 'media')).toMatchObject({ error: { code: 'ConfigurationInvalid' } });
});
