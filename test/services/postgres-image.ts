import { dirname, join } from 'node:path';
import { available } from './available.ts';
import { type DockerEngine, dockerAvailable, startContainer, until } from './docker.ts';
import { postgresAvailable, postgresPrograms } from './postgres.ts';
import { importPrograms } from './programs-image.ts';

const PROGRAMS = ['postgres', 'initdb', 'psql', 'pg_dump', 'pg_dumpall', 'pg_restore', 'createdb'] as const;

export const postgresImageAvailable = (): boolean => dockerAvailable() && postgresAvailable() && available('ldd');

/** Makes the image `postgres` of this machine's Debian files: the server, its programs, the libraries that they need, and
 *  busybox for a shell. */
export async function importPostgres(engine: DockerEngine): Promise<void> {
  const bin = postgresPrograms();
  if (bin === null) throw new Error('postgresql is not installed');
  const server = dirname(bin);
  await importPrograms(engine, {
    name: 'postgres',
    binaries: [...PROGRAMS.map((name) => join(bin, name)), join(server, 'lib/plpgsql.so')],
    folders: [join(server, 'lib'), server.replace('/lib/', '/share/'), '/usr/share/zoneinfo'],
    links: {
      ...Object.fromEntries(PROGRAMS.map((name) => [`usr/bin/${name}`, join(bin, name)])),
      'var/run': '/run', // where libpq of Debian looks for a socket
    },
    account: { passwd: 'postgres:x:70:70::/tmp:/bin/sh\n', group: 'postgres:x:70:\n' },
  });
}

/** The lines of a service of Compose whose container runs a server with this superuser, as which every account of the
 *  container is let in. */
export const postgresInCompose = (user: string): string => `
    image: postgres
    user: postgres
    network_mode: none
    tmpfs: [ "/run/postgresql:mode=777", "/work:mode=777" ]
    command: >
      sh -c 'initdb -D /work/data -U ${user} -A trust --no-sync -E UTF8 --locale=C >/dev/null &&
      exec postgres -D /work/data -c fsync=off -c listen_addresses= -c unix_socket_directories=/run/postgresql'`;

/** A server in a container called `pg`, whose socket lets every account of the container in. */
export async function startPostgresContainer(engine: DockerEngine): Promise<void> {
  const script = `mkdir -p /run/postgresql /data; chown postgres /run/postgresql /data; sleep 6000`;
  await startContainer(engine, 'pg', 'postgres', 'sh', '-c', script);
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
