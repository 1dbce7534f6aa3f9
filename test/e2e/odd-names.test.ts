import { spawnSync } from 'node:child_process';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { PROGRAM } from '../services/program.ts';
import { aMachine, isSame, type Machine, tool } from './holdfast.ts';

const HOLDFAST = PROGRAM.map((word) => `'${word}'`).join(' ');

/** Runs a line of a shell's own language, in which names may be bytes of any kind. */
function inShell({ folder, environment }: Machine, shell: string, line: string) {
  const { status, stdout, stderr } = spawnSync(shell, ['-c', line], {
    cwd: folder,
    env: environment,
    encoding: 'utf8',
  });
  return { exitCode: status, stdout, stderr };
}

/** Names that a shell, a terminal or UTF-8 would change, as printf(1) takes them. */
const NAMES = ['caf\\351.txt', 'tab\\tbed', 'line\\nfeed', 'back\\\\slash\\\\x41', "it's $HOME *", '-n', 'ümlaut'];

function aServiceOfOddNames(): Machine {
  const machine = aMachine();
  machine.write('data/plain', 'plain');
  for (const name of NAMES)
    tool(
      'sh',
      '-c',
      'cd "$3"; printf "of $2" > "./$(printf -- "$1")"',
      'sh',
      name,
      `${NAMES.indexOf(name)}`,
      machine.path('data'),
    );
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { odd: { sources: { data: { files: [./data] } } } }
`);
  return machine;
}

describe.runIf(available('bash'))('a name that is not plain text', () => {
  test('is taken as ls prints it, in single quotes, by cat, ls and restore in every shell', () => {
    const machine = aServiceOfOddNames();
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    const { entries } = machine.json(0, 'ls', 'odd');
    const files: string[] = entries
      .filter(({ type }: { type: string }) => type === 'file')
      .map(({ path }: { path: string }) => path);
    expect(files).toHaveLength(NAMES.length + 1);
    const printed = machine.passes('ls', 'odd').split('\n');
    for (const file of files)
      expect(
        printed.some((line) => line.endsWith(`  ${file}`)),
        file,
      ).toBe(true);
    const shells = ['sh', 'bash', 'zsh', 'fish'].filter((shell) => available(shell));
    const contents = files.map((file, at) => {
      const shell = shells[at % shells.length] ?? 'sh';
      const text = shell === 'fish' ? file.replaceAll('\\', '\\\\') : file; // there two are one in single quotes, too
      const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
      const ended = inShell(machine, shell, `${HOLDFAST} cat odd data ${quoted}`);
      expect(ended.exitCode, `${shell}: ${file}\n${ended.stderr}`).toBe(0);
      expect(inShell(machine, shell, `${HOLDFAST} ls odd data ${quoted}`).stdout).toContain(file);
      return ended.stdout;
    });
    expect(contents.toSorted()).toEqual(['plain', ...NAMES.keys().map((at) => `of ${at}`)].toSorted());
  }, 60_000);

  test('is taken as the bytes that a shell makes of it, and never handed to a command as others', () => {
    const machine = aServiceOfOddNames();
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    const data = machine.path('data');
    const [bytes, feed] = [`$'${data}/caf\\xe9.txt'`, `$'${data}/line\\nfeed'`];
    for (const words of [`cat odd data ${bytes}`, `cat odd data ${feed}`])
      expect(inShell(machine, 'bash', `${HOLDFAST} ${words}`)).toMatchObject({
        exitCode: 0,
        stdout: expect.stringMatching(/^of \d$/),
      });
    for (const [at, option] of [`--path ${bytes}`, `--path=${bytes}`, `--path ${feed}`].entries()) {
      const ended = inShell(machine, 'bash', `${HOLDFAST} restore odd ${option} --to to${at}`);
      expect(ended.exitCode, ended.stderr).toBe(0);
      expect(tool('find', machine.path(`to${at}`), '-type', 'f', '-printf', 'x')).toBe('x');
    }
    expect(isSame(machine.path('to0'), machine.path('to1'))).toBe(true);
    const guarded = inShell(machine, 'bash', `${HOLDFAST} guard --subvolume a --operation b -- rm $'caf\\xe9.txt'`);
    expect(guarded.exitCode).toBe(64);
    expect(guarded.stderr).toContain('caf\\xe9.txt is not UTF-8');
  }, 60_000);

  test.runIf(available('sqlite3'))(
    'of 255 bytes is backed up, and comes back in place',
    () => {
      const machine = aMachine();
      const name = `${'ä'.repeat(125)}.film`;
      const database = `${'d'.repeat(252)}.db`;
      const film = machine.write(`data/${name}`, 'then');
      tool('sqlite3', machine.path('short.db'), 'create table notes (text)');
      renameSync(machine.path('short.db'), machine.path('data', database));
      machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { odd: { sources: { data: { files: [./data] } } } }
`);
      machine.passes('repository', 'init', 'disk');
      machine.passes('backup');
      writeFileSync(film, 'now');
      const { kept } = machine.json(0, 'restore', 'odd', '--path', film, '--in-place', '--yes');
      expect(readFileSync(film, 'utf8')).toBe('then');
      expect(kept).toMatchObject([{ original: film, path: expect.stringMatching(/ä\.recovery-backup-\d{8}-\d{6}$/) }]);
      expect(readFileSync(kept[0].path, 'utf8')).toBe('now');
      machine.passes('restore', 'odd', '--to', machine.path('to'));
      const restored = `${machine.path('to')}${machine.path('data', database)}`;
      expect(readFileSync(restored)).toEqual(readFileSync(machine.path('data', database)));
    },
    60_000,
  );
});
