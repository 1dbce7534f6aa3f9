// Measures what the main job promises (see bench/README.md) and prints a table.
//   node bench/run.ts [backup|unchanged|restore|cat|memory|start …]     BENCH_FOLDER=/where/there/is/room ROUNDS=3
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTree, ORIGIN } from './data.ts';
import { alternate, differenceRow, measure, plainRow, ratioRow, type Series, secondsOf } from './measure.ts';

const root = join(import.meta.dirname, '..');
const folder = process.env.BENCH_FOLDER ?? join(tmpdir(), 'holdfast-bench');
const rounds = Number(process.env.ROUNDS ?? 3);
const GB = 1_000_000_000;
const node = process.execPath;
/** Another build may be measured: HOLDFAST='node /elsewhere/build/holdfast.js'. */
const program = process.env.HOLDFAST ?? `${root}/holdfast`;
const holdfast = `${program} --config ${folder}/holdfast.yaml --quiet`;
const rows: string[] = [];

function pair([ours, peer]: readonly Series[]): [Series, Series] {
  if (ours === undefined || peer === undefined) throw new Error('two contenders are compared');
  return [ours, peer];
}

const CONFIGURATION = (key: string): string => `version: 1
repositories:
  plain: { engine: archive, path: plain }
  sealed: { engine: archive, path: sealed, encryption: { age: { recipients: [${key}], identities: [{ file: key }] } } }
  large: { engine: archive, path: large }
services:
  tree: { sources: { files: { files: [tree-1g], reread: always } } }
  again: { sources: { files: { files: [tree-1g] } } }
  ten: { sources: { files: { files: [tree-10g], reread: always } } }
`;

async function prepare(): Promise<void> {
  await mkdir(folder, { recursive: true });
  process.env.STATE_DIRECTORY = join(folder, 'state');
  await makeTree(join(folder, 'tree-1g'), 15_000, GB);
  await measure(`sh -c 'test -e key || age-keygen -o key 2>/dev/null'`, folder);
  const [key = ''] = /age1\w+/.exec(await readFile(join(folder, 'key'), 'utf8')) ?? [];
  await writeFile(join(folder, 'holdfast.yaml'), CONFIGURATION(key));
  for (const name of ['plain', 'sealed', 'large']) {
    const found = await readdir(join(folder, name)).catch(() => []);
    if (found.length === 0) await measure(`${holdfast} repository init ${name}`, folder);
  }
}

/** Removes the points of a service, so that a disk that fills is no part of the measurement. */
const forget = (repository: string, service: string) => async (): Promise<void> => {
  await rm(join(folder, repository, service), { recursive: true, force: true });
  await measure('sync', folder);
};

const TAR_ZSTD = `sh -c 'tar -C / -c ${folder}/tree-1g 2>/dev/null | zstd -q -3 -T0 > peer.tar.zst; openssl dgst -sha256 peer.tar.zst >/dev/null; sync peer.tar.zst'`;

async function backup(): Promise<void> {
  const contenders = [
    { name: 'holdfast', line: `${holdfast} backup tree --repository plain`, prepare: forget('plain', 'tree') },
    { name: 'tar, zstd -T0, openssl, sync', line: TAR_ZSTD },
    { name: 'holdfast sealed', line: `${holdfast} backup tree --repository sealed`, prepare: forget('sealed', 'tree') },
  ];
  const [plain, peer, sealed] = await alternate(contenders, rounds, folder);
  if (plain === undefined || peer === undefined || sealed === undefined) return;
  rows.push(ratioRow('backup of 1 GB in 15,000 files', plain, peer, '1.2, aim 1.0'));
  rows.push(ratioRow('the same, sealed with age', sealed, { ...plain, name: 'unsealed' }, '1.25'));
}

async function unchanged(): Promise<void> {
  await forget('plain', 'again')();
  await measure(`${holdfast} backup again --repository plain`, folder);
  const [series] = await alternate(
    [{ name: 'holdfast', line: `${holdfast} backup again --repository plain` }],
    rounds,
    folder,
  );
  if (series) rows.push(plainRow('an unchanged tree of 15,000 files again', secondsOf(series), '0.5 s'));
}

async function restore(): Promise<void> {
  await forget('plain', 'tree')();
  await measure(`${holdfast} backup tree --repository plain`, folder);
  const [point = ''] = await readdir(join(folder, 'plain', 'tree'));
  const archive = join(folder, 'plain', 'tree', point, 'files_files.tar.zst');
  const empty = async (): Promise<void> => {
    await rm(join(folder, 'restored'), { recursive: true, force: true });
    await mkdir(join(folder, 'restored'));
    await measure('sync', folder);
  };
  const contenders = [
    { name: 'holdfast', line: `${holdfast} restore tree --repository plain --to restored/to`, prepare: empty },
    { name: 'zstd -d, tar -x', line: `sh -c 'zstd -q -dc ${archive} | tar -x -C restored'`, prepare: empty },
  ];
  const [ours, peer] = pair(await alternate(contenders, rounds, folder));
  rows.push(ratioRow('restore of 1 GB, proved', ours, peer, '2, aim 1.4'));
}

async function large(): Promise<void> {
  await makeTree(join(folder, 'tree-10g'), 150_000, 10 * GB);
  const one = await alternate(
    [{ name: 'holdfast', line: `${holdfast} backup tree --repository plain`, prepare: forget('plain', 'tree') }],
    1,
    folder,
  );
  const ten = await alternate(
    [{ name: 'holdfast', line: `${holdfast} backup ten --repository large`, prepare: forget('large', 'ten') }],
    1,
    folder,
  );
  const megabytes = (series: readonly Series[]): string => `${((series[0]?.peakBytes ?? 0) / 1e6).toFixed(0)} MB`;
  rows.push(
    plainRow('peak memory of a backup, 1 GB and 10 GB', `${megabytes(one)} and ${megabytes(ten)}`, '250 MB, equal'),
  );
  for (const index of [0, 75_001, 149_999]) {
    const path = `${folder.slice(1)}/tree-10g/folder-${Math.floor(index / 250)}/file-${index}.dat`;
    const [series] = await alternate(
      [{ name: `cat of file ${index}`, line: `${holdfast} cat ten files ${path}` }],
      rounds,
      folder,
    );
    if (series) rows.push(plainRow(`${series.name} out of 10 GB`, secondsOf(series), '0.3 s'));
  }
}

async function start(): Promise<void> {
  const state = join(folder, 'state-many');
  const many = join(folder, 'many');
  await measure(`${node} ${root}/bench/many-points.ts ${many}`, folder);
  const bare = { name: 'node -e 0', line: `${node} -e 0` };
  const list = (repositories: string): string =>
    `env STATE_DIRECTORY=${state}-${repositories} ${program} --config ${many}/${repositories}.yaml list`;
  for (const repositories of ['many', 'few']) {
    await mkdir(`${state}-${repositories}`, { recursive: true, mode: 0o700 });
    await writeFile(join(`${state}-${repositories}`, 'origin'), `${ORIGIN}\n`);
    await measure(list(repositories), folder);
  }
  const version = pair(await alternate([{ name: 'version', line: `${program} --version` }, bare], rounds * 3, folder));
  rows.push(differenceRow('holdfast --version', ...version, '60 ms'));
  const few = pair(await alternate([{ name: 'list', line: list('few') }, bare], rounds * 3, folder));
  rows.push(differenceRow('list of 10 points', ...few, '100 ms'));
  const [full] = await alternate([{ name: 'list', line: list('many') }], rounds * 3, folder);
  if (full) rows.push(plainRow('list of 10,000 points', secondsOf(full), '0.5 s'));
}

const ALL = { start, backup, unchanged, restore, large };
const wanted = process.argv.slice(2);
await prepare();
for (const [name, bench] of Object.entries(ALL))
  if (wanted.length === 0 || wanted.includes(name)) {
    process.stderr.write(`${name}\n`);
    await bench();
  }
process.stdout.write(
  `| what | holdfast | peer | ratio or difference (spread) | promised |\n|---|---|---|---|---|\n${rows.join('\n')}\n`,
);
