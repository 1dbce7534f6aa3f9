import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { complete, type Grammar, type NameSources } from '../../src/cli/completion.ts';
import { completionScript, SHELLS } from '../../src/cli/completion-script.ts';
import { available } from '../services/available.ts';
import { PROGRAM } from '../services/program.ts';

const restore = new Command('restore')
  .argument('[what]')
  .option('--item <name>', '', (value: string) => value)
  .option('--to <dir>')
  .option('--repository <name|location>')
  .addOption(new Option('--overwrite <when>').choices(['always', 'never']))
  .option('--live');
const repository = new Command('repository');
repository.command('init').argument('<name>');
repository.command('check').addArgument(new Argument('<name>'));

const snapshot = new Command('snapshot');
snapshot.command('create').argument('<subvolume...>');
snapshot
  .command('mark')
  .argument('<snapshot>')
  .addArgument(new Argument('<outcome>').choices(['success']));

const grammar: Grammar = {
  verbs: [...['restore', 'repository', 'run', 'snapshot'].map((value) => ({ value, description: '' }))],
  options: [new Option('--config <file>'), new Option('--json')],
  command: async (verb) => [restore, repository, snapshot].find((command) => command.name() === verb) ?? null,
};
const named = (...values: string[]) => values.map((value) => ({ value, description: '' }));
const names: NameSources = {
  services: async () => named('mealie', 'media'),
  repositories: async () => named('local', 'offsite'),
  plans: async () => named('nightly'),
  points: async () => named('01MEALIE'),
  items: async (what) => named(`of-${what}`),
  subvolumes: async () => named('media'),
  snapshots: async () => named('media-manual-1'),
};

async function completed(line: string): Promise<string> {
  const { candidates, paths } = await complete(line.split(' '), grammar, names);
  return [...candidates.map(({ value }) => value), ...(paths === null ? [] : [`:${paths}`])].join(' ');
}

test.each([
  ['re', 'restore repository'],
  ['--json r', 'restore repository run'],
  ['--config re', ':files'],
  ['--config x re', 'restore repository'],
  ['restore me', 'mealie media'],
  ['restore ', 'mealie media 01MEALIE'],
  ['restore mealie ', ''],
  ['restore --l', '--live'],
  ['restore --live --l', ''],
  ['restore --item a --i', '--item'],
  ['restore --overwrite ', 'always never'],
  ['restore --overwrite=n', '--overwrite=never'],
  ['restore --overwrite = n', 'never'],
  ['restore --overwrite =', 'always never'],
  ['restore --to ', ':folders'],
  ['restore mealie --repository l', 'local :folders'],
  ['restore mealie --item ', 'of-mealie'],
  ['restore -- --', ''],
  ['repository ', 'init check'],
  ['repository init o', 'offsite'],
  ['snapshot create ', 'media'],
  ['snapshot create media ', 'media'],
  ['snapshot mark m', 'media-manual-1'],
  ['nothing ', ''],
  ['', 'restore repository run snapshot'],
])('after `holdfast %s` comes `%s`', async (line, wanted) => {
  expect(await completed(line)).toBe(wanted);
});

test('there is a script for each shell, and another shell is refused by name', () => {
  for (const shell of SHELLS) expect(completionScript(shell)).toContain('__complete');
  expect(() => completionScript('csh')).toThrow('csh');
  expect(() => completionScript('constructor')).toThrow('constructor');
});

describe('in the shells themselves', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'completion-'));
    const [node, bundle] = PROGRAM;
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin', 'holdfast'), `#!/bin/sh\nexec '${node}' '${bundle}' "$@"\n`);
    chmodSync(join(folder, 'bin', 'holdfast'), 0o755);
    mkdirSync(join(folder, 'some folder'));
    const services =
      'services:\n  mealie: { sources: { data: { files: [/opt/mealie] } } }\n  media: { sources: { data: { files: [/opt/media] } } }\n';
    const repositories = 'repositories:\n  disk: { engine: archive, path: ./disk }\n';
    writeFileSync(join(folder, 'holdfast.yaml'), `version: 1\n${repositories}${services}`);
    for (const shell of SHELLS) writeFileSync(join(folder, `completion.${shell}`), completionScript(shell));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  function ask(program: string, args: readonly string[]): string[] {
    const environment = {
      PATH: `${join(folder, 'bin')}:${process.env.PATH}`,
      HOLDFAST_CONFIG: join(folder, 'holdfast.yaml'),
      STATE_DIRECTORY: join(folder, 'state'),
      HOME: folder,
      TERM: 'dumb',
    };
    const printed = execFileSync(program, args, { cwd: folder, env: environment, encoding: 'utf8', timeout: 30_000 });
    return printed.split('\n').filter((line) => line !== '');
  }

  describe.runIf(available('bash'))('bash', () => {
    const inBash = (...words: string[]): string[] => {
      const typed = ['holdfast', ...words].map((word) => `'${word}'`).join(' ');
      const set = `COMP_WORDS=(${typed}); COMP_CWORD=${words.length}; _holdfast; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return ask('bash', ['--norc', '-c', `source ./completion.bash; ${set}`]);
    };
    test('verbs, options, services, repositories and folders are completed', () => {
      expect(inBash('rest')).toEqual(['restore']);
      expect(inBash('restore', '--over')).toEqual(['--overwrite']);
      expect(inBash('restore', 'mea')).toEqual(['mealie']);
      expect(inBash('repository', 'check', '')).toEqual(['disk']);
      expect(inBash('restore', 'mealie', '--to', 'some')).toEqual(['some folder']);
      expect(inBash('restore', '--overwrite', '=', 'ne')).toEqual(['never']);
    });
    test('a configuration that is wrong offers nothing and prints nothing', () => {
      expect(inBash('--config', '/nothing.yaml', 'restore', 'm')).toEqual([]);
    });
  });

  describe.runIf(available('zsh') && available('tmux'))('zsh', () => {
    test('the script registers itself, and completes as keys are pressed', async () => {
      const lines = await typeInto(
        'zsh -f',
        'autoload -Uz compinit; compinit -u; source ./completion.zsh',
        'holdfast restore mea',
      );
      expect(lines).toContain('holdfast restore mealie');
    });
  });

  describe.runIf(available('fish'))('fish', () => {
    const inFish = (line: string): string[] =>
      ask('fish', ['--no-config', '-c', `source ./completion.fish; complete -C '${line}'`]).map(
        (row) => row.split('\t')[0] ?? '',
      );
    test('verbs, options, services, repositories and folders are completed', () => {
      expect(inFish('holdfast rest')).toEqual(['restore']);
      expect(inFish('holdfast restore --over')).toEqual(['--overwrite']);
      expect(inFish('holdfast restore mea')).toEqual(['mealie']);
      expect(inFish('holdfast repository check ')).toEqual(['disk']);
      expect(inFish('holdfast restore mealie --to some')).toEqual(['some folder/']);
    });
  });

  /** Types into a shell on a real terminal, presses Tab, and waits until the screen shows that it was completed. */
  async function typeInto(shell: string, setUp: string, line: string): Promise<string> {
    const socket = join(folder, 'tmux');
    const tmux = (...args: string[]): string =>
      execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8', cwd: folder });
    const environment = [
      `PATH=${join(folder, 'bin')}:${process.env.PATH}`,
      `HOLDFAST_CONFIG=${join(folder, 'holdfast.yaml')}`,
    ];
    tmux(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      '-x',
      '120',
      '-y',
      '30',
      `env ${environment.join(' ')} STATE_DIRECTORY=${folder}/state ${shell}`,
    );
    try {
      tmux('send-keys', '-l', `${setUp}; echo re''ady`);
      tmux('send-keys', 'Enter');
      await expect.poll(() => tmux('capture-pane', '-p'), { timeout: 20_000 }).toMatch(/^ready$/m);
      tmux('send-keys', '-l', line);
      tmux('send-keys', 'Tab');
      await expect.poll(() => tmux('capture-pane', '-p'), { timeout: 20_000 }).toMatch(new RegExp(`${line}\\S`));
      return tmux('capture-pane', '-p');
    } finally {
      tmux('kill-server');
    }
  }
});
