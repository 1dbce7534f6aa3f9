import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { sampleConfiguration } from '../../src/config/sample.ts';
import { check, errorsOf, loaded, printed } from './texts.ts';

const root = new URL('../../', import.meta.url);
const fileText = (name: string): Promise<string> => readFile(new URL(name, root), 'utf8');
const EXAMPLES = ['test/config/fixtures/contract.yaml', 'examples/homelab.yaml', 'examples/first.yaml'];

const published = async (): Promise<(value: unknown) => boolean> =>
  new Ajv2020({ strict: false }).compile(JSON.parse(await fileText('holdfast.schema.json')));

describe.for(EXAMPLES)('%s', (name) => {
  test('passes, with warnings only of what is not built yet', async () => {
    const checked = check(await fileText(name));
    expect(errorsOf(checked)).toEqual([]);
    const others = checked.diagnostics.filter(({ message }) => !message.startsWith('Not built yet in this version: '));
    expect(others.map(printed)).toEqual([]);
  });

  test('is what the published schema describes', async () => {
    const validate = await published();
    expect(validate(parse(await fileText(name)))).toBe(true);
  });
});

test('the example of the contract warns of each kind that is not built yet, at its place', async () => {
  const { notBuilt, warnings } = loaded(await fileText('test/config/fixtures/contract.yaml'));
  expect(warnings).toHaveLength(notBuilt.length);
  const lines = (await fileText('test/config/fixtures/contract.yaml')).split('\n');
  for (const [index, { line, column }] of warnings.entries()) {
    const key = notBuilt[index]?.path.at(-1);
    expect(lines[line - 1]?.slice(column - 1)).toMatch(new RegExp(`^${key}:`));
  }
});

test('the first example needs nothing that is not built', async () => {
  expect(loaded(await fileText('examples/first.yaml')).notBuilt).toEqual([]);
});

test('the sample is the worked example to the letter', async () => {
  expect(sampleConfiguration()).toBe(await fileText('examples/homelab.yaml'));
});

test.for([
  'version: 2',
  'version: 1\nservices: { wiki: { sources: { d: { sqlit: /a } } } }',
  'version: 1\nservices: { "my wiki": { sources: { d: { sqlite: /a } } } }',
  'version: 1\nrepositories: { a: { engine: archive, path: /a, compression: zst } }',
  'version: 1\nforecast: { warn: 14 days }',
  'version: 1\nnotifications: [{ ntfy: https://ntfy.sh/a, on: [faild] }]',
])('an editor that reads the published schema marks %j as well', async (text) => {
  const validate = await published();
  expect(validate(parse(text))).toBe(false);
  expect(errorsOf(check(text))).not.toEqual([]);
});
