import type { FoundService, FoundSource } from './proposal.ts';

/** A folder that looks like a service's, and the databases in it. Paths are absolute. */
export interface FoundFolder {
  readonly path: string;
  /** SQLite databases. */
  readonly databases: readonly string[];
  /** What a database server, or another service, keeps in it. */
  readonly left: readonly string[];
}

/** A path as a pattern that means itself (domain/exclude.ts). */
const literal = (path: string): string => path.replaceAll(/[\\*?[\]]/g, '\\$&');

const unit = (folder: string, units: readonly string[]): string | undefined =>
  units.find((candidate) => candidate === `${folder.split('/').at(-1)}.service`);

/** The tree without what is dumped on its own: a database's own source counts its rows.
 *  @param paths what of the folder is captured; all of it when it is the folder alone */
export function folderSources({ databases, left }: FoundFolder, paths: readonly string[]): readonly FoundSource[] {
  const exclude = [...databases.map((file) => `${literal(file)}*`), ...left.map(literal)];
  return [
    { name: 'files', settings: { files: paths, ...(exclude.length === 0 ? {} : { exclude }) }, problem: null },
    ...databases.map((sqlite) => ({ name: 'db', settings: { sqlite }, problem: null })),
  ];
}

/** @param units that are loaded on the machine */
export function folderService(folder: FoundFolder, units: readonly string[]): FoundService {
  const running = unit(folder.path, units);
  const note = `its unit is ${running}; to stop it for a restore in place: units: [{ systemd: ${running} }]`;
  return {
    name: folder.path.split('/').at(-1) ?? '',
    notes: running === undefined ? [] : [note],
    units: [],
    stopDuringBackup: false,
    sources: folderSources(folder, [folder.path]),
  };
}
