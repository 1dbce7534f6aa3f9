import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import type { Capture, CapturedTree, Source, SourceTools } from '../../../ports/source.ts';
import { engineClient } from '../../../process/engine-client.ts';
import { captureTree } from '../tree/capture.ts';
import { treeFormat } from '../tree/format.ts';
import { lookForDatabases } from '../tree/look-for-databases.ts';
import type { VolumeSettings } from './config.ts';
import { copyVolume, storedName } from './copy.ts';
import { createVolume, type FoundVolume, findVolume, folderToBe } from './locate.ts';

export const format = treeFormat('volume');

/** A volume of the host's container engine, as one tar. */
export function source(
  name: string,
  { volume, exclude = [], reread }: VolumeSettings,
  host: Host,
  tools: Pick<SourceTools, 'engineEnvironment'>,
): Source {
  const item = `volume_${name}`;
  const engine = engineClient(host, tools.engineEnvironment);
  let looked: FoundVolume | null = null;
  return {
    name,
    kind: 'volume',
    capabilities: { tree: true, inPlace: true, sql: false },
    itemNames: [item],
    async capture(context, signal) {
      const found = looked ?? (await findVolume(volume, engine, host, signal));
      if (found.path === null)
        return await copyVolume({ item, source: name, volume: found.volume, exclude }, context, engine, host, signal);
      const fingerprinted = reread !== 'always';
      const tree = { item, source: name, kind: 'volume', paths: [found.path], exclude, fingerprinted };
      return named(volume, await captureTree({ ...tree, crossMounts: false }, context, host, signal));
    },
    databases: null,
    async placements(roots, signal) {
      const [root] = roots;
      if (root === undefined) return [];
      const there = await lookedFor(signal);
      const path = there === null ? await folderToBe(volume, engine, signal) : there.path;
      if (path === null) throw outOfReach(volume);
      const prepare = there === null ? (aborted: AbortSignal) => createVolume(volume, engine, aborted) : null;
      return [{ path, stored: root.stored, companions: [], exclusive: false, stays: true, prepare }];
    },
    async snapshotRoots(signal) {
      // what the engine and tar told is not asked again while containers are down
      [looked] = await Promise.all([findVolume(volume, engine, host, signal), host.version('tar', signal)]);
      if (isInMemory(looked.volume)) throw lostByStop(volume);
      if (looked.path === null) return [];
      return [{ path: await host.files.realPath(looked.path, signal), folder: true, stays: true }];
    },
    async holdsDatabases(signal) {
      const { path } = await findVolume(volume, engine, host, signal);
      if (path === null) return true; // nobody has looked
      return (
        (await lookForDatabases({ paths: [path], exclude, crossMounts: false, forbidden: [] }, host, signal)).length > 0
      );
    },
    query: async () => {
      throw new HoldfastError('Unsupported', `${name} is a volume, which answers no query.`, name, {
        hint: 'Name a source that is a database in the check',
      });
    },
  };

  async function lookedFor(signal: AbortSignal): Promise<FoundVolume | null> {
    try {
      return await findVolume(volume, engine, host, signal);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'SourceMissing') return null;
      throw error;
    }
  }
}

/** The same capture under the volume's name in place of the path that it was read from. */
const named = (volume: string, capture: Capture): Capture => ({
  items: capture.items.map((one) => (one.type === 'tree' ? rooted(volume, one) : one)),
  [Symbol.asyncDispose]: () => capture[Symbol.asyncDispose](),
});

const rooted = (volume: string, tree: CapturedTree): CapturedTree => ({
  ...tree,
  roots: (naming) => tree.roots({ style: 'prefixed', prefix: `${storedName(volume, naming)}/` }),
  tar: (naming, signal) => tree.tar({ style: 'prefixed', prefix: `${storedName(volume, naming)}/` }, signal),
});

/** mount(8): what such a file system holds goes with its last user. */
const isInMemory = ({ Options }: FoundVolume['volume']): boolean => /^(?:tmpfs|ramfs)$/.test(Options?.type ?? '');

const lostByStop = (volume: string): HoldfastError =>
  new HoldfastError('Unsupported', `Volume ${volume} is in memory, and empty once its containers are down.`, volume, {
    hint: 'Let them go on (their labels, stopDuring), or take the volume out of the service',
  });

const outOfReach = (volume: string): HoldfastError =>
  new HoldfastError('Unsupported', `The folder of volume ${volume} is out of reach from here.`, volume, {
    hint: 'Run Holdfast as root where the engine runs, or restore to a folder with: --to DIR',
  });
