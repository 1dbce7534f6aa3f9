import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfiguration } from '../../src/config/load.ts';
import { maskedConfiguration } from '../../src/config/masked.ts';
import { type TakenConfiguration, takeConfiguration } from '../../src/config/remembered.ts';

let folder: string;
let state: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-remembered-'));
  state = join(folder, 'state');
  await mkdir(state);
  await write('holdfast.yaml', TEXT);
});
afterEach(() => rm(folder, { recursive: true }));

const TEXT = `version: 1
repositories: { disk: { engine: archive, path: ./points, encryption: { age: { recipients: [age1x], identities: [{ file: key }] } } } }
services:
  wiki:
    sources: { data: { files: [./wiki], exclude: ['*.log'] }, db: { sqlite: './\${HOME}.db' } }
    units: [{ systemd: wiki.service }]
    checks: [{ tcp: '127.0.0.1:80' }]
plans: { nightly: { services: '*', repositories: [disk], schedule: '0 2 * * *', retention: { daily: 7 } } }
`;
const write = async (name: string, text: string): Promise<void> => {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
};
const cache = (): string => join(state, 'configuration.cache');
const place = () => ({ file: join(folder, 'holdfast.yaml'), environment: {}, homeFolder: folder });
const take = (build: string | null = 'one'): Promise<TakenConfiguration> =>
  takeConfiguration(place(), { folder: state, build });
const takeAndRemember = async (build: string | null = 'one'): Promise<void> => (await take(build)).remember();

/** What no check would have answered, put in the place of what was kept: whoever answers so has taken it from there. */
const FORGED = { loaded: { configuration: { version: 1 }, files: [], warnings: [], notBuilt: [] }, masked: 'forged' };
async function forge(): Promise<void> {
  const [key = ''] = (await readFile(cache(), 'utf8')).split('\n');
  await writeFile(cache(), `${key}\n${JSON.stringify(FORGED)}\n`);
}

test('a configuration that an earlier start checked is taken as that start found it', async () => {
  await takeAndRemember();
  const again = await take();
  const loaded = await loadConfiguration(place());
  expect(again.loaded).toEqual(loaded);
  expect(again.loaded.warnings.length).toBeGreaterThan(1);
  expect(again.masked).toEqual(maskedConfiguration(loaded.configuration));
  await forge();
  expect(await take()).toMatchObject(FORGED);
});

test.each<[string, () => Promise<unknown>, string?]>([
  ['a letter of the main file', () => write('holdfast.yaml', TEXT.replace('wiki.service', 'Wiki.service'))],
  ['a comment', () => write('holdfast.yaml', `${TEXT}# to be continued\n`)],
  ['a file more in conf.d', () => write('conf.d/20-blog.yaml', '# nothing yet\n')],
  ['a file less in conf.d', () => rm(join(folder, 'conf.d/10-more.yaml'))],
  ['a file of conf.d that cannot be read', () => mkdir(join(folder, 'conf.d/05-folder.yml'))],
  ['the build', async () => {}, 'two'],
])('it is checked anew when %s has changed', async (_, change, build = 'one') => {
  await write('conf.d/10-more.yaml', 'guard: { retries: 2 }\n');
  await takeAndRemember();
  await forge();
  await change();
  const { loaded, masked } = await take(build);
  expect(loaded).toEqual(await loadConfiguration(place()));
  expect(masked).not.toBe('forged');
});

test('what is kept is read by this account alone, and nothing is left beside it', async () => {
  await takeAndRemember();
  await takeAndRemember('two');
  expect(await readdir(state)).toEqual(['configuration.cache']);
  await forge();
  await chmod(cache(), 0o640);
  expect((await take('two')).masked).not.toBe('forged');
});

test('what was cut short or overwritten is checked anew', async () => {
  await takeAndRemember();
  const whole = await readFile(cache());
  const ends = [whole.subarray(0, -20), whole.subarray(0, 40), Buffer.alloc(whole.length), Buffer.alloc(0)];
  for (const damaged of [...ends, Buffer.concat([whole, Buffer.from('}\n')])]) {
    await writeFile(cache(), damaged);
    expect((await take()).loaded).toEqual(await loadConfiguration(place()));
  }
});

test.each([
  ['in a setting', `${TEXT}serve: { token: hunter2 }\n`],
  ['in an address', TEXT.replace("tcp: '127.0.0.1:80'", 'http: https://wiki:hunter2@wiki.example')],
])('a secret that stands %s of the file gets no second place', async (_, text) => {
  await write('holdfast.yaml', text);
  await takeAndRemember();
  expect(await readdir(state)).toEqual([]);
});

test('sources that run unbuilt remember nothing', async () => {
  await takeAndRemember(null);
  expect(await readdir(state)).toEqual([]);
});

test('a state folder that cannot be written ends no run', async () => {
  await rm(state, { recursive: true });
  await takeAndRemember();
  await writeFile(state, 'a file in its place');
  await takeAndRemember();
  expect(await readFile(state, 'utf8')).toBe('a file in its place');
});

test('a configuration with an error is refused each time', async () => {
  await takeAndRemember();
  await write('holdfast.yaml', `${TEXT}survices: {}\n`);
  for (const _ of [1, 2]) await expect(take()).rejects.toMatchObject({ code: 'ConfigurationInvalid' });
});
