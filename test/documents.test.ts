import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ERRORS } from '../src/domain/errors.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const documents = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
].filter((path) => path.endsWith('.md'));

test('every error has its place in docs/troubleshooting.md, with its exit code, and no error that is not there', () => {
  const rows = [...read('docs/troubleshooting.md').matchAll(/^\| `(\w+)` +\| (\d+) +\|/gm)];
  const documented = rows.map(([, code, exit]) => `${code} ${exit}`);
  expect(documented.toSorted()).toEqual(
    Object.entries(ERRORS)
      .map(([code, { exit }]) => `${code} ${exit}`)
      .toSorted(),
  );
});

describe('links', () => {
  test.for(documents)('%s links only to what is there', (path) => {
    const targets = [...read(path).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, target]) => target ?? '');
    expect(targets.filter((target) => !existsSync(join(root, dirname(path), target)))).toEqual([]);
  });
});

test('the configuration in README.md is examples/first.yaml', () => {
  const [, block = ''] = read('README.md').match(/```yaml\n([\s\S]*?)```/) ?? [];
  expect(parse(block)).toEqual(parse(read('examples/first.yaml')));
});

test('every fragment of the changelog begins with the kind of its change', () => {
  const fragments = readdirSync(join(root, 'changelog'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  );
  expect(fragments).not.toEqual([]);
  for (const name of fragments)
    expect(read(`changelog/${name}`), name).toMatch(/^(Added|Changed|Fixed|Removed|Security): \S/);
});
