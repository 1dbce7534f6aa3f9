import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import { folderWith, notInstalled } from '../server/scratch-programs.ts';

/** A server that is installed. */
export interface Installed {
  readonly folder: string;
  /** `15.18`. */
  readonly version: string;
}

/** Where Debian and Red Hat keep the programs of each major version. */
const VERSIONED = [
  { within: '/usr/lib/postgresql', folder: /^(\d+)$/, path: (name: string) => `/usr/lib/postgresql/${name}/bin` },
  { within: '/usr', folder: /^pgsql-(\d+)$/, path: (name: string) => `/usr/${name}/bin` },
] as const;
const PROGRAMS = ['postgres', 'initdb', 'pg_restore', 'psql'];

const majorOf = (version: string): number => Number.parseInt(version, 10);

/** The server of the same major version as what made the dumps, else the next later one.
 *  @throws ScratchUnusable when there is none, or only earlier ones, which read no later dump */
export async function installedFor(dumpedBy: string, host: Host, signal: AbortSignal): Promise<Installed> {
  const wanted = majorOf(dumpedBy);
  const folders = new Set<string>();
  for (const { within, folder, path } of VERSIONED) {
    const names = (await host.files.status(within, signal)) === null ? [] : await host.files.list(within, signal);
    const majors = names.filter((name) => folder.test(name));
    for (const name of majors.toSorted((left, right) => numberIn(left) - numberIn(right))) folders.add(path(name));
  }
  const found: Installed[] = [];
  for (const each of [...folders, null]) {
    const folder = await folderWith(PROGRAMS, each === null ? [] : [each], host, signal);
    if (folder === null || found.some((one) => one.folder === folder)) continue;
    found.push({ folder, version: await host.version(`${folder}/postgres`, signal) });
  }
  const fitting = found
    .filter(({ version }) => majorOf(version) >= wanted)
    .toSorted((left, right) => majorOf(left.version) - majorOf(right.version));
  if (fitting[0] !== undefined) return fitting[0];
  if (found.length === 0) throw notInstalled('The server of PostgreSQL', host);
  const versions = found.map(({ version }) => version).join(', ');
  const words = `The dump was made by version ${dumpedBy}, and only PostgreSQL ${versions} is ${host.capabilities.localPaths ? 'installed here' : 'in the image'}.`;
  throw new HoldfastError('ScratchUnusable', words, 'postgres', {
    hint: `Install the server of PostgreSQL ${wanted} or later; the recovery point itself was not judged`,
  });
}

const numberIn = (name: string): number => Number(/\d+/.exec(name)?.[0] ?? 0);
