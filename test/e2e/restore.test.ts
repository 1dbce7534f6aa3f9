import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { imageOf } from '../operations/restore-fixture.ts';
import { available } from '../services/available.ts';
import { PROGRAM } from '../services/program.ts';
import { aMachine } from './holdfast.ts';

const [node, bundle] = PROGRAM;
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });

let folder = '';
let environment: Record<string, string> = {};

function holdfast(...args: string[]): {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
} {
  return spawnSync(node, [bundle, ...args], { env: environment, cwd: folder, encoding: 'utf8', input: '' });
}

function passes(...args: string[]): string {
  const { status, stdout, stderr } = holdfast(...args);
  expect(status, stderr).toBe(0);
  return stdout;
}

/** A service of a tree and a database in it, backed up into a real repository. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'restore-e2e-'));
  environment = { PATH: `${process.env.PATH}`, HOME: folder, STATE_DIRECTORY: join(folder, 'state'), TERM: 'xterm' };
  environment.HOLDFAST_CONFIG = join(folder, 'holdfast.yaml');
  const sources = "{ db: { sqlite: ./data/prod.db }, files: { files: [./data], exclude: ['prod.db*', '*.log'] } }";
  writeFileSync(
    environment.HOLDFAST_CONFIG,
    `version: 1\nrepositories: { disk: { engine: archive, path: ./disk } }\nservices: { wishlist: { sources: ${sources} } }\n`,
  );
  const data = join(folder, 'data');
  mkdirSync(join(data, 'inner'), { recursive: true });
  writeFileSync(join(data, 'a-first'), 'soup');
  run('ln', join(data, 'a-first'), join(data, 'inner', 'same'));
  run('sh', '-c', `printf odd > "$1/$(printf 'caf\\351')"; printf line > "$1/two\nlines"`, 'sh', data);
  run('truncate', '-s', '3M', join(data, 'sparse'));
  run('setfacl', '-m', 'u:777:r', join(data, 'a-first'));
  run('setfattr', '-n', 'user.colour', '-v', 'green', join(data, 'inner'));
  run('sqlite3', join(data, 'prod.db'), "create table notes (text); insert into notes values ('then')");
  writeFileSync(join(data, 'today.log'), 'then');
  passes('repository', 'init', 'disk');
  passes('backup');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.runIf(['sqlite3', 'setfacl', 'setfattr'].every(available))('restore, with everything real', () => {
  test('to a folder: what comes back is what tar sees of the source', () => {
    const data = join(folder, 'data');
    passes('restore', 'wishlist', '--to', 'to');
    rmSync(join(data, 'prod.db')); // restored by itself
    rmSync(join(data, 'today.log')); // left out
    const restored = join(folder, 'to', data);
    run('touch', '-r', restored, data);
    expect(imageOf(restored)).toBe(imageOf(data));
    expect(run('sqlite3', join(folder, 'to', 'sqlite_db.db'), 'pragma integrity_check; select text from notes')).toBe(
      'ok\nthen\n',
    );
    expect(Number(run('stat', '-c', '%b', join(restored, 'sparse')))).toBe(0);
  });

  test('one path: a hard link whose first name lies outside comes as a file', () => {
    passes('restore', 'wishlist', '--path', join(folder, 'data', 'inner'), '--to', 'to');
    const restored = join(folder, 'to', folder, 'data');
    expect(readdirSync(restored)).toEqual(['inner']);
    expect(readFileSync(join(restored, 'inner', 'same'), 'utf8')).toBe('soup');
    expect(run('getfattr', '--absolute-names', '--only-values', '-n', 'user.colour', join(restored, 'inner'))).toBe(
      'green',
    );
  });

  test('one name that is not UTF-8, as ls prints it', () => {
    const name = passes('ls', 'wishlist', 'files')
      .split('\n')
      .find((line) => line.includes('caf'))
      ?.split('  ')
      .at(-1);
    passes('restore', 'wishlist', '--path', name ?? '', '--to', 'to');
    expect(run('sh', '-c', 'cat "$1"/caf*', 'sh', join(folder, 'to', folder, 'data'))).toBe('odd');
    expect(passes('cat', 'wishlist', 'files', name ?? '')).toBe('odd');
  });

  test('in place: asks before, keeps the present state, and says where', () => {
    const data = join(folder, 'data');
    writeFileSync(join(data, 'a-first'), 'spoiled');
    writeFileSync(join(data, 'today.log'), 'now');
    run('sqlite3', join(data, 'prod.db'), "insert into notes values ('now')");
    const unasked = holdfast('restore', 'wishlist', '--in-place');
    expect(unasked.status, unasked.stderr).toBe(64);
    expect(readFileSync(join(data, 'a-first'), 'utf8')).toBe('spoiled');
    const report = JSON.parse(passes('restore', 'wishlist', '--in-place', '--yes', '--json'));
    expect(readFileSync(join(data, 'a-first'), 'utf8')).toBe('soup');
    expect(readFileSync(join(data, 'today.log'), 'utf8')).toBe('now');
    expect(run('sqlite3', join(data, 'prod.db'), 'select group_concat(text) from notes')).toBe('then\n');
    const [{ path, original }] = report.kept;
    expect(original).toBe(data);
    expect(readFileSync(join(path, 'a-first'), 'utf8')).toBe('spoiled');
    expect(run('sqlite3', join(path, 'prod.db'), 'select group_concat(text) from notes')).toBe('then,now\n');
    expect(report.warnings).toEqual([]);
    const listed = (): object[] => JSON.parse(passes('snapshot', 'list', '--json')).kept;
    expect(listed()).toMatchObject([{ kind: 'path', name: path, of: 'wishlist' }]);
    const back = holdfast('rollback', '--snapshot', path, '--auto-confirm');
    expect(back.status).toBe(64);
    expect(back.stderr).toContain('with mv');
    passes('snapshot', 'remove', path);
    expect(existsSync(path)).toBe(false);
    expect(listed()).toEqual([]);
  });

  test('a damaged archive restores nothing', () => {
    const point = run('find', join(folder, 'disk'), '-name', '*.tar.zst').trim();
    run('chmod', 'u+w', point);
    const bytes = readFileSync(point);
    bytes[bytes.length >> 2] = (bytes[bytes.length >> 2] ?? 0) ^ 1;
    writeFileSync(point, bytes);
    expect(holdfast('restore', 'wishlist', '--to', 'to').status).toBe(1);
    expect(existsSync(join(folder, 'to'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.holdfast'))).toEqual([]);
  });

  describe.runIf(available('tmux'))('the wizard, on a real terminal', () => {
    /** Types keys and waits until the screen shows what is awaited. */
    async function terminal(steps: readonly (readonly [awaited: RegExp, ...keys: string[]])[]): Promise<string> {
      const socket = join(folder, 'tmux');
      const tmux = (...args: string[]): string => run('tmux', '-S', socket, ...args);
      const set = Object.entries(environment).map(([name, value]) => `${name}='${value}'`);
      const command = `cd '${folder}'; env ${set.join(' ')} '${node}' '${bundle}' restore; echo "ended with $?"; cat`;
      tmux('-f', '/dev/null', 'new-session', '-d', '-x', '160', '-y', '60', command);
      try {
        for (const [awaited, ...keys] of steps) {
          await expect.poll(() => tmux('capture-pane', '-p'), { timeout: 20_000 }).toMatch(awaited);
          for (const key of keys) tmux('send-keys', key);
        }
        return tmux('capture-pane', '-p');
      } finally {
        tmux('kill-server');
      }
    }

    test('chooses service, point, items and place, and has the name typed before it replaces anything', async () => {
      const file = join(folder, 'data', 'a-first');
      writeFileSync(file, 'spoiled');
      const screen = await terminal([
        [/◆ {2}Which service/, 'Enter'],
        [/◆ {2}Which recovery point[\s\S]*stored/, 'Enter'],
        [/◆ {2}Which items[\s\S]*files_files/, 'Enter'],
        [/◆ {2}Where to/, 'Down', 'Enter'],
        [/Set .*data aside[\s\S]*◆ {2}Type the name/, 'wrong', 'Enter'],
        [/Type wishlist, or press Escape/, 'C-u', 'wishlist', 'Enter'],
        [/ended with \d/],
      ]);
      expect(screen).toContain('ended with 0');
      expect(readFileSync(file, 'utf8')).toBe('soup');
    });

    test('left by Escape changes nothing', async () => {
      const screen = await terminal([
        [/◆ {2}Which service/, 'Enter'],
        [/◆ {2}Which recovery point/, 'Escape'],
        [/ended with \d/],
      ]);
      expect(screen).toContain('ended with 1');
      expect(readdirSync(folder).toSorted()).toEqual(['data', 'disk', 'holdfast.yaml', 'state', 'tmux'].toSorted());
    });
  });
});

test.each(['repository', 'state'])(
  'a restore in place does not move its own %s aside with what lies around it',
  (own) => {
    const machine = aMachine();
    machine.write('data/soup', 'soup');
    machine.write('data/inner/bread', 'bread');
    machine.configure(`repositories: { disk: { engine: archive, path: ./${own === 'repository' ? 'data/repository' : 'disk'} } }
services: { notes: { sources: { data: { files: [./data] } } } }
`);
    const environment: Record<string, string> = own === 'state' ? { STATE_DIRECTORY: machine.path('data/state') } : {};
    const run = (...args: string[]) => machine.run(args, { environment });
    for (const args of [['repository', 'init', 'disk'], ['backup']]) expect(run(...args).exitCode).toBe(0);
    machine.write('data/inner/bread', 'spoiled');
    const { exitCode, stderr } = run('restore', 'notes', '--in-place', '--yes');
    expect([exitCode, stderr]).toEqual([
      1,
      expect.stringContaining(`${machine.path('data', own)} belongs to Holdfast itself`),
    ]);
    expect(readFileSync(machine.path('data/inner/bread'), 'utf8')).toBe('spoiled');
    expect(run('restore', 'notes', '--in-place', '--yes', '--path', machine.path('data/inner')).exitCode).toBe(0);
    expect(readFileSync(machine.path('data/inner/bread'), 'utf8')).toBe('bread');
    expect(run('repository', 'check', 'disk').exitCode).toBe(0);
  },
);
