import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { PROGRAM } from '../services/program.ts';
import { aMachine, type Machine } from './holdfast.ts';

const SOURCES = resolve(import.meta.dirname, '../../src/main.ts');
const [node, bundle] = PROGRAM;
/** Writes down every file that is imported, one URL a line. */
const WATCH = `
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({ load: (url, context, next) => { appendFileSync(process.env.SEEN, url + '\\n'); return next(url, context); } });
`;
/** Words that only these libraries have. */
const ZOD = '$ZodType';
const YAML = 'YAMLParseError';

let machine: Machine;
beforeEach(() => {
  machine = aMachine();
  mkdirSync(machine.path('data'));
  writeFileSync(machine.path('data', 'page.md'), 'a page\n');
  machine.configure(
    `repositories: { disk: { engine: archive, path: ./points } }\nservices: { wiki: { sources: { data: { files: [./data] } } } }\n`,
  );
  machine.passes('repository', 'init', 'disk');
  machine.passes('backup', '--quiet');
});

const fromSources = (...args: readonly string[]): string =>
  execFileSync(node, [SOURCES, ...args], { env: { ...machine.environment }, encoding: 'utf8' });

/** The texts of the files of the bundle that a run imports. */
function imported(...args: readonly string[]): readonly string[] {
  const seen = machine.write('seen', '');
  const watch = machine.write('watch.mjs', WATCH);
  execFileSync(node, ['--import', watch, bundle, ...args], {
    env: { ...machine.environment, SEEN: seen },
    stdio: 'ignore',
  });
  const urls = readFileSync(seen, 'utf8').split('\n');
  return urls
    .filter((url) => url.startsWith(`file://${dirname(bundle)}`))
    .map((url) => readFileSync(new URL(url), 'utf8'));
}

test('a second start with the same configuration reads no schema, no parser, and few files', () => {
  machine.configure(
    `repositories: { disk: { engine: archive, path: ./points } }\nservices: { wiki: { sources: { data: { files: [./data] } } } }\n# changed\n`,
  );
  const first = imported('list');
  expect(first.some((text) => text.includes(ZOD))).toBe(true);
  expect(first.some((text) => text.includes(YAML))).toBe(true);
  const second = imported('list');
  expect(second.filter((text) => text.includes(ZOD) || text.includes(YAML))).toEqual([]);
  expect(second.length).toBeGreaterThan(3);
  expect(second.length).toBeLessThan(15); // each costs half a millisecond
});

test('the version is told without reading the program', () => {
  expect(imported('--version').reduce((sum, text) => sum + text.length, 0)).toBeLessThan(10_000);
});

test('the bundle says what the sources say', () => {
  const listed = fromSources('list', '--json');
  expect(JSON.parse(listed).points).toHaveLength(1);
  expect(machine.passes('list', '--json')).toBe(listed);
  expect(machine.passes('list', '--json')).toBe(listed);
  expect(machine.passes('show', 'wiki', '--json')).toBe(fromSources('show', 'wiki', '--json'));
});

test('a configuration that became wrong is refused by the next start', () => {
  machine.passes('list');
  machine.configure('repositories: { disk: { engine: archive, path: ./points, compresion: gzip } }\n');
  const { exitCode, stderr } = machine.run(['list', '--quiet']);
  expect(exitCode).toBe(78);
  expect(stderr).toContain('compresion');
});
