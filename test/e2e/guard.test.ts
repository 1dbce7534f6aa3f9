import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hasBtrfs } from '../services/btrfs.ts';
import { aPoolMachine, type PoolMachine } from '../services/pool-machine.ts';
import { type Json, type Machine, tool } from './holdfast.ts';
import { guardShape, historyShape } from './shapes.ts';

const SETTLE = 'guard: { settle: 1s, steady: 1s }\n';

const state = ({ pool }: PoolMachine): string => readFileSync(join(pool.path, 'media', 'state.txt'), 'utf8');
/** A line that changes the state of the subvolume, then goes on. */
const changing = ({ pool }: PoolMachine, then: string): string => `echo after > ${pool.path}/media/state.txt; ${then}`;
const guarded = (line: string, ...options: readonly string[]): readonly string[] => [
  ...['guard', '--subvolume', 'media', '--operation', 'Deploy It', ...options, '--command', line],
];
/** With --json in front, since what stands behind -- is the command's. */
function inJson(machine: Machine, exitCode: number, words: readonly string[]): Json {
  const ended = machine.run(['--json', ...words]);
  expect(ended.exitCode, ended.stderr + ended.stdout).toBe(exitCode);
  return JSON.parse(ended.stdout);
}
const outcomes = (machine: Machine): string[] =>
  machine.json(0, 'history').snapshots.map(({ outcome }: { outcome: string }) => outcome);

describe.runIf(hasBtrfs())('guard', () => {
  test('runs the command behind a snapshot, with its stdin, stdout, folder and environment, and ends with 0', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    const line = changing(made, 'pwd; cat; env | grep ^HOLDFAST_ | sort; echo "$MINE"');
    const options = { input: 'typed\n', environment: { MINE: 'my own' } };
    const { exitCode, stdout, stderr } = machine.run(guarded(line), options);
    expect(exitCode, stderr).toBe(0);
    const [name = ''] = readdirSync(join(pool.path, 'snapshots'));
    expect(name).toMatch(/^media-pre-deploy-it-\d{8}-\d{6}$/);
    expect(stdout.split('\n')).toEqual([
      ...[machine.folder, 'typed', `HOLDFAST_CONFIG=${machine.configuration}`, `HOLDFAST_GUARDS=${name}`],
      ...[
        'HOLDFAST_OPERATION=Deploy It',
        `HOLDFAST_SNAPSHOT=${name}`,
        `HOLDFAST_SUBVOLUME=${join(pool.path, 'media')}`,
        'my own',
        '',
      ],
    ]);
    expect(readFileSync(join(pool.path, 'snapshots', name, 'state.txt'), 'utf8')).toBe('before\n');
    expect(state(made)).toBe('after\n');
    expect(outcomes(machine)).toEqual(['success']);
  });

  test('gives the command the environment of the caller, with nothing but HOLDFAST_ in addition', () => {
    const { machine } = aPoolMachine();
    const environment = { ODD: 'a\nb=c', EMPTY: '', NODE_OPTIONS: '--no-warnings' };
    const words = ['guard', '--subvolume', 'media', '--operation', 'x', '--', 'env', '--null'];
    const { exitCode, stdout, stderr } = machine.run(words, { environment });
    expect(exitCode, stderr).toBe(0);
    const given = { ...machine.environment, ...environment };
    const seen = stdout.split('\0').filter((line) => line !== '' && !/^HOLDFAST_(?!CONFIG)/.test(line));
    expect(seen.toSorted()).toEqual(
      Object.entries(given)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    );
  });

  test('runs words behind -- without a shell, and with --json its stdout goes to stderr', () => {
    const { machine } = aPoolMachine();
    const words = [
      'guard',
      '--json',
      '--subvolume',
      'media',
      '--operation',
      'x',
      '--',
      'echo',
      '$HOME',
      '--json',
      '-d',
    ];
    const { exitCode, stdout, stderr } = machine.run(words);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('$HOME --json -d\n');
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'success', commandExit: 0, rolledBack: false, exitCode: 0 });
  });

  test('ends with 1 when the command fails, leaves the data as they are and says the way back', () => {
    const made = aPoolMachine();
    const { exitCode, stderr } = made.machine.run(guarded(changing(made, 'exit 7')));
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/holdfast rollback --snapshot media-pre-deploy-it-/);
    expect(state(made)).toBe('after\n');
    expect(outcomes(made.machine)).toEqual(['command_failed']);
  });

  test('ends with 2 when the command fails and its data were taken back; the failed state is kept', () => {
    const made = aPoolMachine();
    const report = made.machine.json(2, ...guarded(changing(made, 'exit 7'), '--auto-rollback'));
    expect(report).toMatchObject({ outcome: 'rolled_back', commandExit: 7, rolledBack: true, validation: null });
    guardShape.parse(report);
    expect(historyShape.parse(made.machine.json(0, 'history')).snapshots[0]?.operation).toBe('Deploy It');
    expect(state(made)).toBe('before\n');
    const [kept = ''] = readdirSync(made.pool.path).filter((name) => name.startsWith('media.recovery-backup-'));
    expect(readFileSync(join(made.pool.path, kept, 'state.txt'), 'utf8')).toBe('after\n');
    expect(made.machine.json(0, 'history').recoveries).toMatchObject([
      { subvolume: 'media', reason: 'command-failed', outcome: 'success', restored_snapshot: report.snapshot_name },
    ]);
  });

  test('ends with 2 when a check fails that was good before, and takes back only with --auto-rollback', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    machine.configure(`pools:
  main:
    path: ${pool.path}
    subvolumes: { media: { checks: [{ command: [grep, before, ${pool.path}/media/state.txt] }] } }
${SETTLE}`);
    const planned = machine.json(0, '--dry-run', ...guarded(changing(made, 'true'), '--auto-rollback'));
    expect(planned).toMatchObject({
      dryRun: true,
      snapshots: [expect.stringMatching(/^media-pre-deploy-it-/)],
      checks: expect.arrayContaining([
        { name: expect.stringContaining('grep'), good: true, detail: expect.any(String) },
      ]),
    });
    expect([state(made), readdirSync(join(pool.path, 'snapshots')), outcomes(machine)]).toEqual(['before\n', [], []]);
    expect(machine.json(2, ...guarded(changing(made, 'true')))).toMatchObject({
      ...{ outcome: 'validation_failed', rolledBack: false, validation: { outcome: 'invalid' } },
    });
    expect(state(made)).toBe('after\n');
    made.write('state.txt', 'before\n');
    expect(machine.json(2, ...guarded(changing(made, 'true'), '--auto-rollback'))).toMatchObject({
      ...{ outcome: 'rolled_back', rolledBack: true, rollback: { recovery: { reason: 'validation-failed' } } },
    });
    expect(state(made)).toBe('before\n');
    expect(outcomes(machine)).toEqual(['rolled_back', 'validation_failed']);
  });

  test('ends with 3 when a check is still bad after its rollback', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    const broken = machine.path('broken');
    machine.configure(`pools:
  main:
    path: ${pool.path}
    subvolumes: { media: { checks: [{ command: [test, '!', -e, ${broken}] }] } }
${SETTLE}`);
    const report = machine.json(3, ...guarded(changing(made, `touch ${broken}`), '--auto-rollback'));
    expect(report).toMatchObject({ outcome: 'rollback_failed', exitCode: 3 });
    expect(state(made)).toBe('before\n');
  });

  test('ends with 4 without starting the command when no snapshot can be made', () => {
    const made = aPoolMachine();
    const { machine, pool } = made;
    const witness = machine.path('witness');
    const refused = (code: string, subvolume: string): void => {
      const words = ['guard', '--subvolume', subvolume, '--operation', 'x', '--', 'touch', witness];
      expect(inJson(machine, 4, words)).toMatchObject({ error: { code, exitCode: 4 } });
      expect(existsSync(witness)).toBe(false);
    };
    refused('SubvolumeMissing', 'nowhere');
    tool('btrfs', '-q', 'subvolume', 'create', join(pool.path, 'media', 'inner'));
    refused('NestedSubvolumes', 'media');
    tool('btrfs', '-q', 'subvolume', 'delete', join(pool.path, 'media', 'inner'));
    pool.remount('ro');
    refused('PoolUnusable', 'media');
    pool.remount('rw');
    machine.configure('guard: {}\n');
    refused('ConfigurationInvalid', 'media');
  });

  test('ends with 64 for words that do not fit, and starts nothing', () => {
    const { machine, pool } = aPoolMachine();
    const on = ['guard', '--subvolume', 'media', '--operation', 'x'];
    for (const words of [
      on,
      [...on, '--no-execute', '--command', 'true', '--', 'true'],
      [...on, '--command', 'true', '--', 'true'],
      [...on, '--auto-rollback', '--when', 'auto', '--', 'true'],
      ['guard', '--operation', 'x', '--', 'true'],
      ['guard', '--subvolume', '../media', '--operation', 'x', '--', 'true'],
    ])
      expect(inJson(machine, 64, words)).toMatchObject({ error: { exitCode: 64 } });
    expect(readdirSync(join(pool.path, 'snapshots'))).toEqual([]);
  });

  test('prints the name alone with --no-execute; its outcome is open until it is marked', () => {
    const { machine, pool } = aPoolMachine();
    const witness = machine.path('witness');
    const words = ['guard', '--subvolume', 'media', '--operation', 'by-script', '--no-execute'];
    const printed = machine.passes(...words, '--', 'touch', witness);
    expect(existsSync(witness)).toBe(false);
    expect(printed).toBe(`${readdirSync(join(pool.path, 'snapshots'))[0]}\n`);
    expect(outcomes(machine)).toEqual(['pending']);
    const [{ timestamp }] = machine.json(0, 'history').snapshots;
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    machine.passes('snapshot', 'mark', printed.trim(), 'success');
    expect(outcomes(machine)).toEqual(['success']);
  });

  test('says why a command cannot be started, and refuses an empty one before anything is made', () => {
    const { machine, pool } = aPoolMachine();
    const words = ['guard', '--subvolume', 'media', '--operation', 'x', '--'];
    const failed = { outcome: 'command_failed', commandExit: 127 };
    const missing = inJson(machine, 1, [...words, 'no-such-program']);
    expect(missing).toMatchObject({ ...failed, commandError: expect.stringContaining('there is no such program') });
    const folder = inJson(machine, 1, [...words, pool.path]);
    expect(folder).toMatchObject({ ...failed, commandError: expect.stringContaining('it is a folder') });
    expect(inJson(machine, 64, [...words, ''])).toMatchObject({ error: { code: 'Usage' } });
    expect(readdirSync(join(pool.path, 'snapshots'))).toHaveLength(2);
  });
});

describe.runIf(hasBtrfs())('rollback', () => {
  test('previews, takes a snapshot back and keeps the present state, which can be taken back again', () => {
    const made = aPoolMachine();
    const { machine } = made;
    const name = machine.passes('snapshot', 'create', 'media').trim();
    made.write('state.txt', 'after\n');
    const preview = machine.json(0, '--dry-run', 'rollback', '--snapshot', name);
    expect(preview).toMatchObject({ dryRun: true, replaced: [{ subvolume: 'media', snapshot: name }] });
    expect(machine.json(64, 'rollback', '--snapshot', name)).toMatchObject({ error: { code: 'AnswerNeeded' } });
    expect(state(made)).toBe('after\n');
    const report = machine.json(0, 'rollback', '--subvolume', 'media', '--auto-confirm');
    expect(report).toMatchObject({ outcome: 'success', recovery: { reason: 'manual-recovery' } });
    expect(state(made)).toBe('before\n');
    machine.passes('rollback', '--snapshot', report.replaced[0].kept.split('/').at(-1), '--auto-confirm');
    expect(state(made)).toBe('after\n');
    expect(machine.json(0, 'history').recoveries).toHaveLength(2);
  });

  test('without a name and without a terminal ends with 64, and with 1 for a name that nobody has', () => {
    const { machine } = aPoolMachine();
    expect(machine.json(64, 'rollback')).toMatchObject({ error: { code: 'Usage' } });
    const words = ['rollback', '--snapshot', 'media-pre-x-20261121-143000', '--auto-confirm'];
    expect(machine.json(1, ...words)).toMatchObject({ error: { code: 'SnapshotMissing' } });
  });
});
