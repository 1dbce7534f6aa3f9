import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Host } from '../../../ports/host.ts';
import type { Capture, CaptureContext, CapturedStream, InPlacePath, Source } from '../../../ports/source.ts';
import { openDatabases, sqliteVersion } from '../online-backup/sqlite.ts';
import type { Examined } from '../online-backup/worker.ts';
import { realPaths } from '../tree/roots.ts';
import type { SqliteSettings } from './config.ts';

export { format } from './format.ts';

/** What SQLite keeps beside a database (https://www.sqlite.org/tempfiles.html). A restored file beside an old one of
 *  these shows old rows, or none. */
const COMPANIONS = ['-wal', '-shm', '-journal'] as const;

const QUERY_LIMIT_MS = 60_000;

/** One SQLite database, copied while its application writes to it. */
export function source(name: string, settings: SqliteSettings, host: Host): Source {
  const item = `sqlite_${name}`;
  const file = `${item}.db`;
  return {
    name,
    kind: 'sqlite',
    capabilities: { tree: false, inPlace: true, sql: true },
    itemNames: [item],
    async capture(context, signal) {
      if (!host.capabilities.localPaths)
        throw new HoldfastError('Unsupported', `A SQLite database on host ${host.name} cannot be read yet.`, item);
      const path = await locate(settings.sqlite, host, context, signal);
      const folder = join(context.workspace, `${item}-${randomUUID()}`);
      try {
        const copied = await copy(path, folder, file, host, signal);
        return captureOf({ name, item, file, path: join(folder, file), folder, copied });
      } catch (error) {
        await rm(folder, { recursive: true, force: true });
        throw error;
      }
    },
    databases: null,
    async placements(_roots, signal): Promise<readonly InPlacePath[]> {
      const there = await host.files.status(settings.sqlite, signal);
      const path = there === null ? settings.sqlite : await host.files.realPath(settings.sqlite, signal);
      const companions = COMPANIONS.map((suffix) => path + suffix);
      return [{ path, stored: file, companions, exclusive: true }];
    },
    snapshotRoots: async () => [],
    holdsDatabases: async () => true,
    async query(sql, signal) {
      if (!host.capabilities.localPaths)
        throw new HoldfastError('Unsupported', `A SQLite database on host ${host.name} cannot be asked yet.`, name);
      signal.throwIfAborted();
      const limit = AbortSignal.timeout(QUERY_LIMIT_MS);
      await using databases = openDatabases();
      try {
        return await databases.query(Buffer.from(settings.sqlite), sql, AbortSignal.any([signal, limit]));
      } catch (error) {
        if (limit.aborted && !signal.aborted)
          throw new HoldfastError('QueryFailed', `No answer within ${QUERY_LIMIT_MS / 1000} s.`, name, {
            cause: error,
          });
        throw error;
      }
    },
  };
}

/** The database itself, where the configured path is a link. */
async function locate(path: string, host: Host, { forbidden }: CaptureContext, signal: AbortSignal): Promise<string> {
  const real = await host.files.realPath(path, signal);
  const status = await host.files.status(real, signal);
  if (status?.type !== 'file') throw new HoldfastError('SourceMissing', `${path} is not a file.`, path);
  const own = (await realPaths(forbidden, host, signal)).find((folder) => real.startsWith(`${folder}/`));
  if (own !== undefined)
    throw new HoldfastError('Refused', `${path} lies in ${own}, which belongs to Holdfast itself.`, path);
  return real;
}

async function copy(path: string, folder: string, file: string, host: Host, signal: AbortSignal): Promise<Copied> {
  const needed = (await sizeOf(path)) + (await sizeOf(`${path}-wal`));
  await mkdir(folder, { mode: 0o700 });
  const free = await host.files.freeBytes(folder, signal);
  if (free < needed)
    throw new HoldfastError('NoSpace', `A copy of ${path} needs ${needed} bytes, and ${free} are free.`, folder);
  const target = join(folder, file);
  await (await open(target, 'wx', 0o600)).close();
  await using databases = openDatabases();
  const copied = await databases.copy(Buffer.from(path), target, { count: true, check: true }, signal);
  if (copied.damage.length > 0)
    throw new HoldfastError('SourceFailed', `The database ${path} is damaged: ${copied.damage[0]}.`, path, {
      hint: 'The last good point stays. See all that is wrong with: sqlite3 FILE "PRAGMA integrity_check"',
    });
  return { examined: copied, bytes: await sizeOf(target) };
}

interface Copied {
  readonly examined: Examined;
  readonly bytes: number;
}

const sizeOf = async (path: string): Promise<number> => (await stat(path).catch(absent))?.size ?? 0;
function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

interface Made {
  readonly name: string;
  readonly item: string;
  readonly file: string;
  readonly path: string;
  readonly folder: string;
  readonly copied: Copied;
}

function captureOf({ name, item, file, path, folder, copied }: Made): Capture {
  const { tables, uncounted, unchecked } = copied.examined;
  const warnings = unchecked.map((why) => `not checked by integrity_check: ${why}`);
  let whole = false;
  const stream: CapturedStream = {
    type: 'stream',
    name: item,
    source: name,
    kind: 'sqlite',
    file,
    compressed: false,
    tool: { name: 'sqlite', version: sqliteVersion() },
    estimatedBytes: copied.bytes,
    async *bytes(signal): Bytes {
      whole = false;
      for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2 })) {
        signal.throwIfAborted();
        yield chunk as Buffer;
      }
      signal.throwIfAborted();
      whole = true;
    },
    completed() {
      if (!whole) throw new Error(`${item} was not read to its end`);
      return { facts: { tables, ...(uncounted.length > 0 && { uncounted }) }, warnings, unreadable: [] };
    },
  };
  return {
    items: [stream],
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
