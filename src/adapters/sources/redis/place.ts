import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { InPlacePath } from '../../../ports/source.ts';
import type { EngineClient } from '../../../process/engine-client.ts';
import { outsideOf } from '../server/outside.ts';
import type { Client, Places } from './client.ts';
import type { RedisSettings } from './config.ts';

/** What of a server's folder a restore in place exchanges. A server with `appendonly yes` reads its append-only file when
 *  it starts, and no `dump.rdb`: there the RDB becomes that file, which may begin with one (Redis 4 on), and the folder
 *  that Redis 7 has for the parts of it is set aside, so that it makes a new one.
 *  @throws SourceMissing when the server is away and `rdb` is not said; Refused when it is not seen on this host */
export async function placeOf(
  source: string,
  file: string,
  { redis: settings }: RedisSettings,
  client: Client,
  outer: Host,
  engine: EngineClient,
  signal: AbortSignal,
): Promise<InPlacePath> {
  const places = (await client.places(signal)) ?? (await assumed(source, settings, outer.files, signal));
  const { container } = settings;
  const inside = container === undefined ? null : { name: container, host: client.host };
  const folder =
    inside === null
      ? await folderOf(source, places, outer, signal)
      : (await outsideOf(await inside.host.files.realPath(places.folder, signal), inside, outer, engine, signal)).path;
  const at = (name: string): string => `${folder}/${name}`;
  const { rdbName, appendOnly } = places;
  const server = { name: 'Redis', heldAt: [folder], build: null };
  if (appendOnly === null) return { path: at(rdbName), stored: file, companions: [], exclusive: true, server };
  const companions = [rdbName, ...(appendOnly.folder === null ? [] : [appendOnly.folder])].map(at);
  return { path: at(appendOnly.file), stored: file, companions, exclusive: true, server };
}

/** The server may listen elsewhere: only where its own process is seen to work in the folder, the folder is its own. */
async function folderOf(source: string, { folder, pid }: Places, host: Host, signal: AbortSignal): Promise<string> {
  const { files } = host;
  const there = (await files.status(folder, signal)) !== null;
  const real = there ? await files.realPath(folder, signal) : folder;
  if (there && (pid === null || (await worksIn(real, pid, host, signal)))) return real;
  throw new HoldfastError('Refused', `The server of ${source} is not seen to work in ${folder} of this host.`, source, {
    hint: 'In place takes a server of the same host, and the right to see its process: root. Else restore to a folder: --to DIR',
  });
}

/** Redis changes into its folder. Compared by device and inode: in another mount namespace a path is another folder. */
async function worksIn(folder: string, pid: number, host: Host, signal: AbortSignal): Promise<boolean> {
  const args = ['--dereference', '--format=%d %i', '--', folder, `/proc/${pid}/cwd`];
  const { stdout } = await host.run({ program: 'stat', args }, { signal, accept: [0, 1] });
  const [own, its] = stdout.trim().split('\n');
  return own !== undefined && own === its;
}

/** The names that a server has by itself (redis.conf): where it is away, nobody else knows them. */
const [APPEND_FILE, APPEND_FOLDER] = ['appendonly.aof', 'appendonlydir'] as const;

async function assumed(
  source: string,
  { container, rdb }: Pick<RedisSettings['redis'], 'container' | 'rdb'>,
  files: Host['files'],
  signal: AbortSignal,
): Promise<Places> {
  if (container !== undefined)
    throw new HoldfastError(
      'SourceMissing',
      `${source} does not answer, so it is not known where its data lie.`,
      source,
      {
        hint: `Start container ${container}: it is stopped again for the exchange`,
      },
    );
  if (rdb === undefined)
    throw new HoldfastError(
      'SourceMissing',
      `${source} does not answer, so it is not known where its data lie.`,
      source,
      {
        hint: 'Start it, or say it in the source: `rdb: /var/lib/redis/dump.rdb`',
      },
    );
  const cut = rdb.lastIndexOf('/');
  const folder = rdb.slice(0, cut) || '/';
  for (const name of [APPEND_FILE, APPEND_FOLDER])
    if ((await files.status(`${folder}/${name}`, signal)) !== null)
      throw new HoldfastError(
        'Refused',
        `${source} does not answer, and whether it reads ${folder}/${name} only it can say.`,
        source,
        {
          hint: `Start it, or move ${name} away where it is of no use`,
        },
      );
  return { folder, rdbName: rdb.slice(cut + 1), appendOnly: null, pid: null };
}
