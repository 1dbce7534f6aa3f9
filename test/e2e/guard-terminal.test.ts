import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { aMachineOn, type PoolMachine } from '../services/pool-machine.ts';
import { onTerminal } from './terminal.ts';

const ENTER = '\r';
const DOWN = '\u001b[B';
const CTRL_C = '\u0003';

describe.runIf(hasBtrfs() && available('script'))('on a terminal', () => {
  let pool: BtrfsPool;
  beforeAll(() => {
    pool = btrfsPool();
  });
  afterAll(() => pool?.[Symbol.dispose]());

  const state = (name: string): string => readFileSync(join(pool.path, name, 'state.txt'), 'utf8').trim();
  const outcomes = ({ machine }: PoolMachine): string[] =>
    machine.json(0, 'history').snapshots.map(({ outcome }: { outcome: string }) => outcome);
  /** A subvolume of which there are two snapshots, `-one-` with `first` and `-two-` with `second`; now it is `third`. */
  function withSnapshots(name: string, definition = '{}'): PoolMachine {
    const made = aMachineOn(pool, name, definition);
    for (const [label, content] of [
      ['one', 'first\n'],
      ['two', 'second\n'],
    ] as const) {
      made.write('state.txt', content);
      made.machine.passes('snapshot', 'create', name, '--label', label);
    }
    made.write('state.txt', 'third\n');
    return made;
  }

  test('the command has it, and Ctrl-C goes to the command: rolled back with --auto-rollback, else 130', async () => {
    const made = aMachineOn(pool, 'media');
    made.write('state.txt', 'before\n');
    const changing = (then: string): string => `echo after > ${pool.path}/media/state.txt; ${then}`;
    const guarded = (line: string, ...options: readonly string[]): readonly string[] => [
      ...['guard', '--subvolume', 'media', '--operation', 'x', ...options, '--command', line],
    ];
    const asks = changing('test -t 0 && test -t 1 && read -r word </dev/tty && echo "heard $word"');
    const asked = await onTerminal(made.machine, guarded(`echo ask-me; ${asks}`), [['ask-me', 'yes\n']]);
    expect(asked).toMatchObject({ exitCode: 0, printed: expect.stringContaining('heard yes') });
    const hangs = changing('echo sleeping; exec sleep 600');
    const stopped = await onTerminal(made.machine, guarded(hangs), [['sleeping', CTRL_C]]);
    expect(stopped.exitCode, stopped.printed).toBe(130);
    made.write('state.txt', 'before\n');
    const back = await onTerminal(made.machine, guarded(hangs, '--auto-rollback'), [['sleeping', CTRL_C]]);
    expect(back.exitCode, back.printed).toBe(2);
    expect(state('media')).toBe('before');
    expect(outcomes(made)).toEqual(['rolled_back', 'command_failed', 'success']);
  });

  test('rollback lists the snapshots with date and age, and takes back the one that is chosen', async () => {
    const { machine } = withSnapshots('chosen');
    const answers = [
      ['Which snapshot', DOWN + ENTER],
      ['[y/N]', `y${ENTER}`],
    ] as const;
    const { exitCode, printed } = await onTerminal(machine, ['rollback'], answers);
    expect(exitCode, printed).toBe(0);
    expect(state('chosen')).toBe('first');
    for (const label of ['one', 'two'])
      expect(printed).toMatch(
        new RegExp(`chosen-${label}-\\d{8}-\\d{6}  20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d, \\S+ ago, success`),
      );
  });

  test('rollback --subvolume lists those of that subvolume, and the newest is the first', async () => {
    const { machine } = withSnapshots('listed');
    const answers = [
      ['Which snapshot', ENTER],
      ['[y/N]', `y${ENTER}`],
    ] as const;
    const { exitCode, printed } = await onTerminal(machine, ['rollback', '--subvolume', 'listed'], answers);
    expect(exitCode, printed).toBe(0);
    expect(printed).not.toContain('chosen-');
    expect(state('listed')).toBe('second');
  });

  test('a question answered with no, or left with Ctrl-C, changes nothing', async () => {
    const { machine } = withSnapshots('kept');
    const words = ['rollback', '--subvolume', 'kept'];
    const no = await onTerminal(machine, words, [
      ['Which snapshot', ENTER],
      ['[y/N]', ENTER],
    ]);
    expect(no.exitCode, no.printed).toBe(1);
    const left = await onTerminal(machine, words, [['Which snapshot', CTRL_C]]);
    expect(left.exitCode, left.printed).toBe(1);
    const interrupted = await onTerminal(machine, words, [
      ['Which snapshot', ENTER],
      ['[y/N]', CTRL_C],
    ]);
    expect(interrupted.exitCode, interrupted.printed).toBe(130);
    expect(interrupted.printed).not.toContain('defect');
    expect(state('kept')).toBe('third');
    expect(machine.json(0, 'history').recoveries).toEqual([]);
  });

  test('what the subvolume depends on is offered with the snapshot that is closest before, and taken when wanted', async () => {
    const config = withSnapshots('config');
    const { machine } = withSnapshots('app');
    machine.configure(
      `pools: { main: { path: ${pool.path}, subvolumes: { app: { dependsOn: [config] }, config: {} } } }`,
    );
    const words = ['rollback', '--snapshot', machine.json(0, 'snapshot', 'list', 'app').snapshots[0].snapshot_name];
    const alone = await onTerminal(machine, words, [
      ['too, to config-two-', `n${ENTER}`],
      ['Take app back?', `y${ENTER}`],
    ]);
    expect(alone.exitCode, alone.printed).toBe(0);
    expect(alone.printed).toContain('leaves config as it is');
    expect([state('app'), state('config')]).toEqual(['second', 'third']);
    const both = await onTerminal(machine, words, [
      ['too, to config-two-', `y${ENTER}`],
      ['Take app back?', `y${ENTER}`],
    ]);
    expect(both.exitCode, both.printed).toBe(0);
    expect([state('app'), state('config')]).toEqual(['second', 'second']);
    expect(outcomes(config)).toEqual(['success', 'success']);
  });
});
