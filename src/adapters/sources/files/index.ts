import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Source } from '../../../ports/source.ts';
import { captureTree } from '../tree/capture.ts';
import { treeFormat } from '../tree/format.ts';
import { lookForDatabases } from '../tree/look-for-databases.ts';
import { findRoots } from '../tree/roots.ts';
import type { FilesSettings } from './config.ts';

export const format = treeFormat('files');

/** Folders and files of a host, as one tar. */
export function source(name: string, settings: FilesSettings, host: Host): Source {
  const item = `files_${name}`;
  return {
    name,
    kind: 'files',
    capabilities: { tree: true, inPlace: true, sql: false },
    itemNames: [item],
    capture: (context, signal) =>
      captureTree(
        {
          item,
          source: name,
          kind: 'files',
          paths: settings.files,
          exclude: settings.exclude ?? [],
          crossMounts: settings.crossMounts ?? false,
          fingerprinted: settings.reread !== 'always',
        },
        context,
        host,
        signal,
      ),
    databases: null,
    placements: async (roots) => roots.map(({ path, stored }) => ({ path, stored, companions: [], exclusive: false })),
    async snapshotRoots(signal) {
      if (settings.crossMounts === true || !host.capabilities.localPaths) return [];
      const roots = await findRoots(settings.files, settings.exclude ?? [], [], host, signal);
      return roots.map(({ real, folder }) => ({ path: real, folder }));
    },
    async holdsDatabases(signal) {
      const { files: paths, exclude = [], crossMounts = false } = settings;
      return (await lookForDatabases({ paths, exclude, crossMounts, forbidden: [] }, host, signal)).length > 0;
    },
    query: async () => {
      throw new HoldfastError('Unsupported', `${name} is files, which answer no query.`, name, {
        hint: 'Name a source that is a database in the check',
      });
    },
  };
}
