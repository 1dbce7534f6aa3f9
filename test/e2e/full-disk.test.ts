import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { canMount, loopDisk } from '../services/loop-disk.ts';
import { aMachine, type Ended, type Machine } from './holdfast.ts';

/** Writes until not one more byte fits. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  for (const size of [1024 ** 2, 1])
    for (;;) {
      try {
        if (writeSync(file, Buffer.alloc(size)) < size) break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
        break;
      }
    }
  closeSync(file);
}

/** A machine whose state, and whose repository where it is said so, lie on the disk. */
function aMachineOn(disk: string, repository: string): Machine {
  const machine = aMachine();
  machine.write('data/recipe', 'soup\n'.repeat(600_000));
  machine.configure(`repositories: { disk: { engine: archive, path: ${repository}, compression: none } }
services: { food: { sources: { data: { files: [./data], reread: always } } } }
plans: { nightly: { services: '*', repositories: [disk], retention: { latest: 1 } } }
`);
  mkdirSync(join(disk, 'state'));
  return { ...machine, environment: { ...machine.environment, STATE_DIRECTORY: join(disk, 'state') } };
}

describe.runIf(available('mkfs.ext4') && canMount())('a disk without a byte left, with the state on it', () => {
  test('keeps nobody from listing, looking, restoring elsewhere and pruning, which makes room again', () => {
    using disk = loopDisk('ext4', 96);
    const { run, folder, path, environment } = aMachineOn(disk.path, join(disk.path, 'repository'));
    const holdfast = (exitCode: number, ...args: string[]): Ended => {
      const ended = run(args, { environment });
      expect(ended.exitCode, `${args.join(' ')}\n${ended.stderr}${ended.stdout}`).toBe(exitCode);
      return ended;
    };
    holdfast(0, 'repository', 'init', 'disk');
    for (let count = 0; count < 2; count++) holdfast(0, 'backup', '--plan', 'nightly');
    expect(existsSync(join(disk.path, 'state/reserve'))).toBe(true);
    fill(join(disk.path, 'log'));
    expect(JSON.parse(holdfast(0, 'list', '--json').stdout).points).toHaveLength(2);
    fill(join(disk.path, 'more')); // what was given up is taken, too
    rmSync(join(disk.path, 'more'));
    expect(holdfast(1, 'backup').stderr).toMatch(/no space left/i);
    holdfast(0, 'restore', 'food', '--to', path('to'));
    expect(readFileSync(join(path('to'), folder, 'data/recipe'), 'utf8')).toContain('soup');
    expect(JSON.parse(holdfast(0, 'prune', '--plan', 'nightly', '--json').stdout).removed).toHaveLength(1);
    rmSync(join(disk.path, 'log'));
    holdfast(0, 'backup', '--plan', 'nightly');
    expect(existsSync(join(disk.path, 'state/reserve'))).toBe(true);
  }, 60_000);

  test('is named as such by a state that never had room of its own', () => {
    using disk = loopDisk('ext4', 32);
    const { run, environment } = aMachineOn(disk.path, './repository');
    expect(run(['repository', 'init', 'disk'], { environment }).exitCode).toBe(0);
    fill(join(disk.path, 'log'));
    const ended = run(['list', '--json'], { environment });
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: { code: 'NoSpace', hint: expect.stringContaining('Free') },
    });
    expect(ended.exitCode).toBe(1);
  }, 60_000);
});
