import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { aMachine, type Machine } from '../e2e/holdfast.ts';
import { type BtrfsPool, btrfsPool } from './btrfs.ts';

export interface PoolMachine {
  readonly machine: Machine;
  readonly pool: BtrfsPool;
  /** Writes a file of its subvolume. */
  write(name: string, content: string): string;
}

/** A machine with the pool `main` on a BTRFS file system of its own, which has the subvolume `media` with `state.txt`.
 *  @param subvolumes what the pool declares, as YAML; `more` goes behind the pools */
export function aPoolMachine(subvolumes = 'media: {}', more = ''): PoolMachine {
  const pool = btrfsPool();
  onTestFinished(() => pool[Symbol.dispose]());
  const machine = aMachine();
  const media = pool.makeSubvolume('media');
  const write = (name: string, content: string): string => {
    writeFileSync(join(media, name), content);
    return join(media, name);
  };
  write('state.txt', 'before\n');
  machine.configure(`pools:
  main:
    path: ${pool.path}
    subvolumes:
      ${subvolumes}
${more}`);
  return { machine, pool, write };
}

/** A machine that shares its pool with others of a file: one file system is made, and each test has a subvolume.
 *  @param definition of the subvolume, as YAML in one line; `more` goes behind the pools */
export function aMachineOn(
  pool: BtrfsPool,
  subvolume: string,
  definition = '{}',
  more = '',
  environment: Readonly<Record<string, string>> = {},
): PoolMachine {
  const machine = aMachine(environment);
  const folder = pool.makeSubvolume(subvolume);
  machine.configure(`pools: { main: { path: ${pool.path}, subvolumes: { ${subvolume}: ${definition} } } }\n${more}`);
  const write = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  return { machine, pool, write };
}
