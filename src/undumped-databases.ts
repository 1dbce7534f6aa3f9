import { stat } from 'node:fs/promises';
import { filesSchema } from './adapters/sources/files/config.ts';
import type { Problem } from './config/diagnostic.ts';
import type { Configuration } from './config/schema.ts';
import { HoldfastError } from './domain/errors.ts';
import { whyUndumped } from './domain/undumped.ts';
import type { Host } from './ports/host.ts';

/** A look must not make `config check` slow: what is not found by then is met by the backup. */
const LIMIT_MS = 10_000;
/** Databases of one source that are named; the rest is counted. */
const NAMED = 5;

/** Databases in the trees of this machine that no source dumps, as problems of the sources that hold them. What cannot
 *  be looked at is left to the backup. */
export async function undumpedDatabases(
  { services = {}, repositories = {} }: Configuration,
  host: Host,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const { lookForDatabases } = await import('./adapters/sources/tree/look-for-databases.ts');
  const forbidden = Object.values(repositories).flatMap((one) => (one.engine === 'archive' ? one.path : []));
  const sources = Object.values(services).flatMap((service) => Object.values(service.sources).map(Object));
  const kinds = new Set(sources.flatMap((source) => Object.keys(source)));
  const sqlite = sources.flatMap((source) => ('sqlite' in source ? String(source.sqlite) : []));
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const problems: Problem[] = [];
  for (const [service, { host: where = 'local', sources: own }] of Object.entries(services)) {
    for (const [source, settings] of Object.entries(own)) {
      const tree = filesSchema.safeParse(settings);
      if (where !== 'local' || !tree.success) continue;
      const { files, exclude = [], crossMounts = false } = tree.data;
      const say = (message: string): void =>
        void problems.push({ path: ['services', service, 'sources', source, 'files'], at: 'key', message });
      try {
        const found = await lookForDatabases({ paths: files, exclude, crossMounts, forbidden }, host, limited);
        const reasons: string[] = [];
        for (const path of found) {
          const reason = whyUndumped({ path, folder: await isFolder(path) }, { sqlite, kinds });
          if (reason !== null) reasons.push(reason);
        }
        for (const reason of reasons.slice(0, NAMED)) say(reason);
        if (reasons.length > NAMED) say(`${reasons.length - NAMED} more databases in it are dumped by no source.`);
      } catch (error) {
        signal.throwIfAborted();
        if (limited.aborted) say(`Not looked through for databases: that took longer than ${LIMIT_MS / 1000} seconds.`);
        else if (!(error instanceof HoldfastError)) throw error;
      }
    }
  }
  return problems;
}

/** False for a name that is not UTF-8: it is no folder of a server. */
const isFolder = async (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isDirectory(),
    () => false,
  );
