import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { available } from './available.ts';
import { type DockerEngine, dockerAvailable, until } from './docker.ts';
import { postgresAvailable, postgresPrograms } from './postgres.ts';

const execute = promisify(execFile);
const PROGRAMS = ['postgres', 'initdb', 'psql', 'pg_dump', 'pg_dumpall', 'pg_restore', 'createdb'] as const;

export const postgresImageAvailable = (): boolean => dockerAvailable() && postgresAvailable() && available('ldd');

/** Makes the image `postgres` of this machine's Debian files: the server, its programs, the libraries that they need, and
 *  busybox for a shell. */
export async function importPostgres(engine: DockerEngine): Promise<void> {
  const bin = postgresPrograms();
  if (bin === null) throw new Error('postgresql is not installed');
  const root = await mkdtemp(join(tmpdir(), 'holdfast-pg-image-'));
  try {
    const put = async (path: string, options: object = {}): Promise<void> => {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await cp(path, join(root, path), { recursive: true, dereference: true, ...options });
    };
    for (const folder of ['bin', 'tmp', 'etc', 'run', 'usr/bin']) await mkdir(join(root, folder), { recursive: true });
    const libraries = new Set<string>();
    const server = dirname(bin);
    for (const binary of [...PROGRAMS.map((name) => join(bin, name)), join(server, 'lib/plpgsql.so')]) {
      const { stdout } = await execute('ldd', [binary]);
      for (const [, path = ''] of stdout.matchAll(/(\/\S+) \(0x/g)) libraries.add(path);
      await put(binary);
    }
    for (const library of libraries) await put(library);
    await put(join(server, 'lib'));
    await put(server.replace('/lib/', '/share/'));
    await put('/usr/share/zoneinfo');
    await mkdir(join(root, 'var'));
    await symlink('/run', join(root, 'var/run')); // where libpq of Debian looks for a socket
    for (const name of PROGRAMS) await symlink(join(bin, name), join(root, 'usr/bin', name));
    await put((await execute('sh', ['-c', 'command -v busybox'])).stdout.trim());
    for (const applet of ['sh', 'env', 'sed', 'kill', 'sleep', 'id', 'cat', 'ls', 'mkdir', 'chown'])
      await symlink('/usr/bin/busybox', join(root, 'bin', applet));
    await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\npostgres:x:70:70::/tmp:/bin/sh\n');
    await writeFile(join(root, 'etc/group'), 'root:x:0:\npostgres:x:70:\n');
    await engine.importImage('postgres', root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** A server in a container called `pg`, whose socket lets every account of the container in. */
export async function startPostgresContainer(engine: DockerEngine): Promise<void> {
  const script = `mkdir -p /run/postgresql /data; chown postgres /run/postgresql /data; sleep 6000`;
  await engine.docker('run', '--detach', '--network', 'none', '--name', 'pg', 'postgres', 'sh', '-c', script);
  const start = `initdb -D /data -U postgres -A trust --no-sync -E UTF8 --locale=C >/dev/null &&
    exec postgres -D /data -c fsync=off -c listen_addresses= -c unix_socket_directories=/run/postgresql`;
  await until(async () => (await engine.docker('exec', 'pg', 'ls', '-ld', '/data')).includes('postgres'), '/data');
  await engine.docker('exec', '--detach', '--user', 'postgres', 'pg', 'sh', '-c', start);
  const answers = (): Promise<boolean> =>
    engine.docker('exec', 'pg', 'psql', '-U', 'postgres', '-Atc', 'select 1').then(
      (said) => said === '1',
      () => false,
    );
  await until(answers, 'the server in the container');
}
