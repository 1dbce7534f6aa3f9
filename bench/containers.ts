// Measures the backup of a volume and the stop of its container (see bench/README.md).
//   node bench/containers.ts [volume|stop|snapshot …]     as root, with Docker; snapshot with btrfs-progs     BENCH_FOLDER=/where/there/is/room ROUNDS=5
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { btrfsPool } from '../test/services/btrfs.ts';
import { type DockerEngine, dockerEngine, importBusybox } from '../test/services/docker.ts';
import { makeTree } from './data.ts';
import { alternate, median, plainRow, ratioRow, type Series } from './measure.ts';

const root = join(import.meta.dirname, '..');
const folder = join(process.env.BENCH_FOLDER ?? join(tmpdir(), 'holdfast-bench'), 'containers');
const rounds = Number(process.env.ROUNDS ?? 5);
const program = process.env.HOLDFAST ?? `${root}/holdfast`;
const holdfast = `${program} --config ${folder}/holdfast.yaml --quiet`;
const wanted = process.argv.slice(2);
const rows: string[] = [];

const CONFIGURATION = `version: 1
repositories:
  gzip: { engine: archive, path: gzip, layout: single, filename: 'v-%Y%m%d-%H%M%S.tar.gz', compression: { format: gzip, level: 6 } }
  zstd: { engine: archive, path: zstd }
services:
  large: { sources: { data: { volume: large, reread: always } } }
  small: { sources: { data: { volume: small, reread: always } }, stopDuring: { backup: sharing } }
  stopped: { sources: { data: { volume: stopped, reread: always } }, stopDuring: { backup: sharing } }
  held: { sources: { data: { volume: held, reread: always } }, stopDuring: { backup: sharing } }
`;

async function volume(engine: DockerEngine, name: string, files: number, bytes: number): Promise<string> {
  await engine.docker('volume', 'create', name);
  const path = await engine.docker('volume', 'inspect', '--format', '{{.Mountpoint}}', name);
  await makeTree(path, files, bytes);
  return path;
}

/** Removes the points, so that a disk that fills is no part of the measurement. */
const forget = (repository: string) => async (): Promise<void> => {
  for (const name of await readdir(join(folder, repository)))
    if (!name.startsWith('.') && name !== 'restore.sh') await rm(join(folder, repository, name), { recursive: true });
  execFileSync('sync');
};

const at = (series: readonly Series[], index: number): Series => {
  const found = series[index];
  if (found === undefined) throw new Error('fewer contenders were measured than are compared');
  return found;
};

async function archives(engine: DockerEngine): Promise<void> {
  const path = await volume(engine, 'large', 15_000, 1_000_000_000);
  const contenders = [
    { name: 'holdfast .tar.gz', line: `${holdfast} backup large --repository gzip`, prepare: forget('gzip') },
    { name: 'tar, gzip -6, sync', line: `tar -C ${path} -c . | gzip -6 > peer.tar.gz && sync peer.tar.gz` },
    { name: 'holdfast zstd', line: `${holdfast} backup large --repository zstd`, prepare: forget('zstd') },
    {
      name: 'tar, zstd -T0, openssl, sync', // the main job's
      line: `tar -C ${path} -c . | zstd -q -f -3 -T0 -o peer.tar.zst && openssl dgst -sha256 peer.tar.zst && sync peer.tar.zst`,
    },
  ];
  const series = await alternate(contenders, rounds, folder);
  const [archive = ''] = (await readdir(join(folder, 'gzip'))).filter((name) => name.endsWith('.tar.gz'));
  const sizes = [join(folder, 'gzip', archive), join(folder, 'peer.tar.gz')].map(
    async (file) => (await stat(file)).size,
  );
  const [ours = 0, peer = 1] = await Promise.all(sizes);
  rows.push(ratioRow('a volume of 1 GB, .tar.gz', at(series, 0), at(series, 1), '1/2.4 = 0.42'));
  rows.push(plainRow('its size above the peer', `${((ours / peer - 1) * 100).toFixed(2)} %`, '2 %'));
  rows.push(ratioRow('the same, zstd', at(series, 2), at(series, 3), '1.2'));
}

const above = (told: readonly number[], peer: readonly number[]): string =>
  `${((median(told) - median(peer)) * 1000).toFixed(0)} ms above ${median(peer).toFixed(2)} s`;

/** Seconds that the container `app` is down, as Holdfast tells it and by hand. */
async function stops(engine: DockerEngine, service: string, path: string, what: string): Promise<void> {
  const loop = 'trap "exit 0" TERM; while :; do sleep 0.01; done';
  const options = ['run', '--detach', '--network', 'none', '--name', 'app', '--volume', `${service}:/data`, 'busybox'];
  await engine.docker(...options, 'sh', '-c', loop);
  const [told, copied, alone]: [number[], number[], number[]] = [[], [], []];
  const timed = (line: string): number => {
    const from = performance.now();
    execFileSync('sh', ['-c', line], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
    return (performance.now() - from) / 1000;
  };
  for (let round = 0; round < rounds; round++) {
    await forget('zstd')();
    const printed = execFileSync('sh', ['-c', `${holdfast} backup ${service} --repository zstd --json`], {
      cwd: folder,
    });
    told.push(JSON.parse(printed.toString()).stops[0].downtimeMs / 1000);
    const copy = `tar -C ${path} -c . | zstd -q -f -3 -T0 -o peer.tar.zst && sync peer.tar.zst`;
    copied.push(timed(`docker stop app && ${copy} && docker start app`));
    alone.push(timed('docker stop app && docker start app'));
    process.stderr.write(`  down: holdfast ${told.at(-1)}, by hand ${copied.at(-1)}, alone ${alone.at(-1)}\n`);
  }
  await engine.docker('rm', '--force', 'app');
  rows.push(plainRow(`a container down, ${what}`, `${median(told).toFixed(2)} s`, ''));
  rows.push(plainRow('to docker stop, tar, zstd, sync, docker start', above(told, copied), '100 ms'));
  rows.push(plainRow('to docker stop, docker start', above(told, alone), '100 ms where a snapshot is possible'));
}

/** The same with a volume that is a folder on BTRFS, small and large. */
async function snapshots(engine: DockerEngine): Promise<void> {
  for (const [files, bytes] of [
    [1500, 100_000_000],
    [15_000, 1_000_000_000],
  ] as const) {
    using pool = btrfsPool({ mebibytes: 4096, folder });
    const path = join(pool.path, 'volumes/held');
    await mkdir(path, { recursive: true });
    await makeTree(path, files, bytes);
    execFileSync('sync');
    const options = ['--opt', 'type=none', '--opt', 'o=bind', '--opt', `device=${path}`];
    await engine.docker('volume', 'create', ...options, 'held');
    await stops(engine, 'held', path, `${bytes / 1e6} MB on BTRFS`);
    await engine.docker('volume', 'rm', 'held');
  }
}

await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'holdfast.yaml'), CONFIGURATION);
{
  await using engine = await dockerEngine();
  Object.assign(process.env, engine.environment, { STATE_DIRECTORY: join(folder, 'state') });
  await importBusybox(engine);
  for (const name of ['gzip', 'zstd'])
    if (!(await readdir(join(folder, name)).catch(() => null)))
      execFileSync('sh', ['-c', `${holdfast} repository init ${name}`], { cwd: folder });
  if (wanted.length === 0 || wanted.includes('volume')) await archives(engine);
  if (wanted.length === 0 || wanted.includes('stop')) {
    await stops(engine, 'small', await volume(engine, 'small', 1500, 100_000_000), '100 MB');
    await stops(engine, 'stopped', await volume(engine, 'stopped', 15_000, 1_000_000_000), '1 GB');
  }
  if (wanted.length === 0 || wanted.includes('snapshot')) await snapshots(engine);
}
await rm(folder, { recursive: true });
console.log(rows.join('\n'));
