import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { aMachine, type Machine } from './holdfast.ts';

const BUILD = resolve(import.meta.dirname, '../../dev/build.ts');
/** Writes down every file that is imported, one URL a line. */
const WATCH = `
  import { appendFileSync } from 'node:fs';
  import { registerHooks } from 'node:module';
  registerHooks({ load: (url, context, next) => { appendFileSync(process.env.SEEN, url + '\\n'); return next(url, context); } });
`;
/** Words that only these libraries have. */
const ZOD = '$ZodType';
const YAML = 'YAMLParseError';

let build: string;
beforeAll(() => {
  build = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-build-')));
  execFileSync(process.execPath, [BUILD, build], { stdio: ['ignore', 'ignore', 'inherit'] });
});
afterAll(() => rmSync(build, { recursive: true, force: true }));

let machine: Machine;
beforeEach(() => {
  machine = aMachine();
  mkdirSync(machine.path('data'));
  writeFileSync(machine.path('data', 'page.md'), 'a page\n');
  machine.configure(
    `repositories: { disk: { engine: archive, path: ./points } }\nservices: { wiki: { sources: { data: { files: [./data] } } } }\n`,
  );
  bundle('repository', 'init', 'disk');
  bundle('backup', '--quiet');
});

const bundle = (...args: readonly string[]): string =>
  execFileSync(process.execPath, [join(build, 'holdfast.js'), ...args], {
    env: { ...machine.environment },
    encoding: 'utf8',
  });

/** The texts of the files of the bundle that a run imports. */
function imported(...args: readonly string[]): readonly string[] {
  const seen = machine.write('seen', '');
  const watch = machine.write('watch.mjs', WATCH);
  execFileSync(process.execPath, ['--import', watch, join(build, 'holdfast.js'), ...args], {
    env: { ...machine.environment, SEEN: seen },
    stdio: 'ignore',
  });
  const urls = readFileSync(seen, 'utf8').split('\n');
  return urls.filter((url) => url.startsWith(`file://${build}`)).map((url) => readFileSync(new URL(url), 'utf8'));
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
  const listed = machine.passes('list', '--json');
  expect(JSON.parse(listed).points).toHaveLength(1);
  expect(bundle('list', '--json')).toBe(listed);
  expect(bundle('list', '--json')).toBe(listed);
  expect(bundle('show', 'wiki', '--json')).toBe(machine.passes('show', 'wiki', '--json'));
});

test('a configuration that became wrong is refused by the next start', () => {
  bundle('list');
  machine.configure('repositories: { disk: { engine: archive, path: ./points, compresion: gzip } }\n');
  expect(() => bundle('list', '--quiet')).toThrow('compresion');
});
