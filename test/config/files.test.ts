import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { printDiagnostic } from '../../src/config/diagnostic.ts';
import { checkConfiguration, loadConfiguration } from '../../src/config/load.ts';
import { readText, searchedFiles } from '../../src/config/locate.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import { check, errorsOf, loaded } from './texts.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

const place = (file: string | null, environment: Record<string, string> = {}) => ({
  file,
  environment,
  homeFolder: folder,
});
async function write(name: string, content: string | Uint8Array): Promise<string> {
  const file = join(folder, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
  return file;
}
const caught = (promise: Promise<unknown>): Promise<HoldfastError> =>
  promise.then(
    () => expect.unreachable('it was accepted'),
    (error: unknown) => (error instanceof HoldfastError ? error : expect.unreachable(String(error))),
  );

test('the option is looked at before the variable, and the variable before the usual places', () => {
  const environment = { HOLDFAST_CONFIG: '/b.yaml', XDG_CONFIG_HOME: '/xdg' };
  expect(searchedFiles({ ...place('/a.yaml'), environment })).toEqual(['/a.yaml']);
  expect(searchedFiles({ ...place(null), environment })).toEqual(['/b.yaml']);
  const usual = ['/etc/holdfast/holdfast.yaml', '/xdg/holdfast/holdfast.yaml'];
  expect(searchedFiles({ ...place(null), environment: { XDG_CONFIG_HOME: '/xdg' } })).toEqual(usual);
  expect(searchedFiles(place(null, { XDG_CONFIG_HOME: 'relative' }))[1]).toBe(
    `${folder}/.config/holdfast/holdfast.yaml`,
  );
});

test('a file that is not there is ConfigurationMissing and names what was looked for', async () => {
  const error = await caught(loadConfiguration(place(join(folder, 'none.yaml'))));
  expect(error).toMatchObject({ code: 'ConfigurationMissing', message: `There is no file ${folder}/none.yaml.` });
});

test('files of conf.d are merged in the order of their names', async () => {
  const file = await write('holdfast.yaml', 'version: 1\nrepositories: { disk: { engine: archive, path: ./b } }\n');
  await write('conf.d/20-wiki.yaml', 'services: { wiki: { sources: { db: { sqlite: ./wiki.db } } } }\n');
  await write('conf.d/10-blog.yaml', 'version: 1\nservices: { blog: { sources: { db: { sqlite: ../blog.db } } } }\n');
  await write('conf.d/30-empty.yaml', '# nothing yet\n');
  await write('conf.d/notes.txt', 'no configuration');
  await write('conf.d/40-late.yml', 'services: {}\n');
  const { configuration, files, warnings } = await loadConfiguration(place(file));
  const names = ['holdfast.yaml', 'conf.d/10-blog.yaml', 'conf.d/20-wiki.yaml', 'conf.d/30-empty.yaml'];
  expect(files).toEqual(names.map((name) => join(folder, name)));
  expect(Object.keys(configuration.services ?? {})).toEqual(['blog', 'wiki']);
  expect(warnings.map(printDiagnostic)).toEqual([
    `${folder}/conf.d/40-late.yml: It is not read: files of conf.d end with .yaml.`,
  ]);
});

test('relative paths are relative to the file they stand in', () => {
  const { configuration } = loaded(
    `version: 1
catalog: sqlite:./state/catalog.db
repositories: { disk: { engine: archive, path: ../srv/b, encryption: { gpg: { passphrase: { file: key } } } } }
`,
    { 'wiki.yaml': 'services: { wiki: { sources: { tree: { files: [./data, /opt/wiki/] } } } }\n' },
  );
  expect(configuration).toEqual({
    version: 1,
    catalog: 'sqlite:/etc/holdfast/state/catalog.db',
    repositories: {
      disk: {
        engine: 'archive',
        path: '/etc/srv/b',
        encryption: { gpg: { passphrase: { file: '/etc/holdfast/key' } } },
      },
    },
    services: { wiki: { sources: { tree: { files: ['/etc/holdfast/conf.d/data', '/opt/wiki'] } } } },
  });
});

test('a key that two files define is an error that names both places', () => {
  const text = 'version: 1\nforecast: { warn: 7d }\nservices:\n  wiki: { sources: { db: { sqlite: /a } } }\n';
  const again =
    'services:\n  wiki: { sources: { db: { sqlite: /b } } }\n  blog: { sources: { db: { sqlite: /c } } }\nforecast: { warn: 14d }\n';
  expect(errorsOf(check(text, { 'a.yaml': again }))).toEqual([
    'conf.d/a.yaml:2:3: services.wiki: It is defined already, in 4:3.',
    'conf.d/a.yaml:4:1: forecast: It is defined already, in 2:1.',
  ]);
});

test('an error in a file of conf.d names that file', () => {
  const text = "version: 1\nplans: { nightly: { services: '*', repositories: [dsk] } }\n";
  const fragments = {
    'a.yaml': 'repositories: { disk: { engine: archive, path: /b } }\n',
    'b.yaml': '\nservices:\n  wiki: { sorces: {} }\n',
  };
  expect(errorsOf(check(text, fragments))).toEqual([
    '2:51: plans.nightly.repositories[0]: There is no repository "dsk". Did you mean "disk"?',
    'conf.d/b.yaml:3:3: services.wiki: "sources" is missing.',
    'conf.d/b.yaml:3:11: services.wiki.sorces: Unknown key "sorces". Did you mean "sources"?',
  ]);
});

test('a byte order mark and Windows line ends change neither the values nor the positions', async () => {
  const file = await write('holdfast.yaml', '\ufeffversion: 1\r\nservices:\r\n  wiki: { sorces: {} }\r\n');
  const { diagnostics } = await checkConfiguration(place(file));
  expect(diagnostics.map(({ line, column }) => [line, column])).toEqual([
    [3, 3],
    [3, 11],
  ]);
});

test.for<[string, (file: string) => Promise<unknown>, string]>([
  ['a folder', (file) => mkdir(file), 'It is a folder: name the file in it.'],
  [
    'a text that is not UTF-8',
    (file) => writeFile(file, Buffer.from('version: 1 # caf\xe9\n', 'latin1')),
    'It is not UTF-8: save it in that encoding.',
  ],
  [
    'UTF-16',
    (file) => writeFile(file, Buffer.from('\ufeffversion: 1\n', 'utf16le')),
    'It is not UTF-8: save it in that encoding.',
  ],
  [
    'more than a MiB',
    (file) => writeFile(file, `version: 1\n${'#'.repeat(1024 * 1024)}`),
    'It is larger than 1 MiB, which no configuration is.',
  ],
  ['a circle of links', (file) => symlink(file, file), 'Its symbolic links go in a circle.'],
])('%s in the place of the configuration is ConfigurationInvalid and says why', async ([, make, why]) => {
  const file = join(folder, 'holdfast.yaml');
  await make(file);
  expect(await caught(loadConfiguration(place(file)))).toMatchObject({
    code: 'ConfigurationInvalid',
    message: `${file}: ${why}`,
  });
});

test('a check that could not read a file names it', async () => {
  await mkdir(join(folder, 'conf.d/more.yaml'), { recursive: true });
  const main = await write('holdfast.yaml', 'version: 1\n');
  expect(await checkConfiguration(place(main))).toMatchObject({
    files: [main, join(folder, 'conf.d/more.yaml')],
    loaded: null,
  });
  expect(await checkConfiguration(place(join(folder, 'conf.d')))).toMatchObject({ files: [join(folder, 'conf.d')] });
});

test('endless input is read no further than the limit', async () => {
  expect(await readText('/dev/zero')).toMatchObject({ message: 'It is larger than 1 MiB, which no configuration is.' });
});

test('a configuration that this account may not read is said to be so, and is not missing', async () => {
  const file = await write('locked.yaml', 'version: 1\n');
  await chmod(file, 0);
  const root = process.geteuid?.() === 0;
  try {
    if (root) process.seteuid?.(65_534); // nobody: root reads everything
    expect(await readText(file)).toMatchObject({ message: 'This account may not read it.' });
  } finally {
    if (root) process.seteuid?.(0);
  }
});

test('twenty errors are listed and the others counted', async () => {
  const names = Array.from({ length: 25 }, (_, index) => `bad${index}: 1\n`).join('');
  const file = await write('holdfast.yaml', `version: 1\n${names}`);
  const { code, message } = await caught(loadConfiguration(place(file)));
  expect(code).toBe('ConfigurationInvalid');
  const lines = message.split('\n');
  expect(lines).toHaveLength(22);
  expect(lines[20]).toMatch(`${file}:21:1: bad19: Unknown key "bad19".`);
  expect(lines[21]).toBe('and 5 more');
});
