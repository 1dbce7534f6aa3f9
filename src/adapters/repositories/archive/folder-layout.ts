import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { NAME_PATTERN } from '../../../domain/naming.ts';
import type { PointReference, RecoveryPoint, UnreadablePoint } from '../../../domain/recovery-point.ts';
import type { Listing, ListQuery } from '../../../ports/repository.ts';
import { makeFolder, removeDurably, renameDurably } from './durable.ts';
import { codeOf, ifPresent } from './failures.ts';
import { checkFolderPoint } from './folder-check.ts';
import { openItem } from './item-file.ts';
import { forEachOf, type Layout } from './layout.ts';
import { folderName, isFolderName, newestFolderFirst } from './names.ts';
import { newestFirst, readBesides, recoveryPoint } from './point-files.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { sha256Of } from './sha256.ts';
import { checkedFileName, checkedService, MANIFEST, SUMS } from './stored-names.ts';
import { parseSums } from './sums.ts';

/** A folder per point: `<service>/<YYYYMMDD_HHMMSS>`. Names that begin with a dot are drafts and removals. */
export function folderLayout(settings: ArchiveSettings, tools: Pick<ArchiveTools, 'host'>): Layout {
  const { path, name: repository } = settings;
  const folderOf = (location: string): string => join(path, checkedLocation(location));

  /** Null when nothing has the location. */
  async function read({ location }: Pick<PointReference, 'location'>): Promise<RecoveryPoint | null> {
    const folder = folderOf(location);
    const names = await ifPresent(readdir(folder));
    if (names === null) return null;
    const present = new Set(names);
    if (!present.has(MANIFEST)) throw new HoldfastError('Damaged', `${location} has no manifest.`, location);
    const text = await readFile(join(folder, MANIFEST), 'utf8');
    const sums = present.has(SUMS) ? parseSums(await readFile(join(folder, SUMS), 'utf8')) : null;
    const { parseManifest } = await import('../../../domain/manifest.ts');
    const manifest = parseManifest(text, location);
    if (sums?.get(MANIFEST) !== sha256Of(text)) {
      const why = `The manifest of ${location} and its hash in ${SUMS} differ: one of the two is damaged.`;
      throw new HoldfastError('Damaged', why, location, { hint: `See which with: sha256sum -c ${SUMS}` });
    }
    if (manifest.service !== location.split('/')[0]) {
      throw new HoldfastError(
        'Damaged',
        `The manifest of ${location} is of the service ${manifest.service}.`,
        location,
      );
    }
    const besides = await readBesides(manifest.id, (name) => (present.has(name) ? join(folder, name) : null));
    return recoveryPoint(repository, location, manifest, besides);
  }

  /** Folders that have a point's name, one readdir per service. */
  async function locationsOf(service: string): Promise<readonly string[]> {
    const names = await foldersOf(join(path, service));
    return names.filter(isFolderName).map((name) => `${service}/${name}`);
  }

  async function services(): Promise<readonly string[]> {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.flatMap((entry) => (entry.isDirectory() && NAME_PATTERN.test(entry.name) ? entry.name : []));
  }

  async function list({ service, known = new Set() }: ListQuery, signal: AbortSignal): Promise<Listing> {
    const wanted = service === undefined ? await services() : [checkedService(service)];
    const locations = new Set<string>();
    for (const one of wanted) for (const location of await locationsOf(one)) locations.add(location);
    const unknown = [...locations].filter((location) => !known.has(location));
    const unreadable: UnreadablePoint[] = [];
    const points = await forEachOf(unknown, signal, async (location) => {
      try {
        const point = await read({ location });
        if (point === null) locations.delete(location); // removed since the folder was read
        return point;
      } catch (error) {
        unreadable.push({ location, service: dirname(location), problem: messageOf(error) });
        return null;
      }
    });
    return { locations, points: points.filter((point) => point !== null).toSorted(newestFirst), unreadable };
  }

  /** The first of these that can be read: an unreadable one says nothing, and `list` shows it. */
  async function firstReadable(
    locations: readonly string[],
    wanted: (point: RecoveryPoint) => boolean,
  ): Promise<RecoveryPoint | null> {
    for (const location of locations) {
      const point = await read({ location }).catch((error: unknown) => {
        if (error instanceof HoldfastError && error.code === 'Damaged') return null;
        throw error;
      });
      if (point !== null && wanted(point)) return point;
    }
    return null;
  }

  return {
    reuse: true,
    gathers: false,
    draftFolder: (service, token) => `${service}/.draft-${token}`,
    openDraft: async (header, folder) => {
      await makeFolder(join(path, header.service)).catch((error: unknown) => {
        if (codeOf(error) !== 'EEXIST') throw error;
      });
      const { folderDraft } = await import('./folder-draft.ts');
      return folderDraft(header, join(path, folder), settings, tools, read);
    },
    list,
    read,
    newest: async (service) => {
      const names = (await locationsOf(service)).map((location) => basename(location)).toSorted(newestFolderFirst);
      return firstReadable(
        names.map((name) => `${service}/${name}`),
        () => true,
      );
    },
    twin: async ({ id, service, timestamp }) => {
      const second = folderName(timestamp, 1);
      const same = (await locationsOf(service)).filter((location) => basename(location).split('-')[0] === second);
      return firstReadable(same, (point) => point.id === id);
    },
    reader: async (point, item, signal) => {
      const row = point.manifest?.items.find(({ name }) => name === item);
      if (row?.file === undefined) {
        const why = row?.error
          ? `The item ${item} failed: ${row.error}`
          : `There is no item ${item} in ${point.location}.`;
        throw new HoldfastError('ItemNotFound', why, item);
      }
      return openItem(join(folderOf(point.location), row.file), row, settings.sealing, tools, signal);
    },
    rest: ({ location, manifest }) => {
      const indexes = (manifest?.items ?? []).flatMap(({ index }) => index ?? []);
      return indexes.map((index) => ({ ...index, path: join(folderOf(location), checkedFileName(index.file)) }));
    },
    beside: (location, name) => join(folderOf(location), name),
    removal: ({ id, location }, token) => ({
      kind: 'removal',
      folder: `${dirname(location)}/.removed-${token}`,
      location,
      id,
    }),
    remove: async ({ location, folder }) => {
      await renameDurably(folderOf(location), join(path, folder)); // from here on nobody sees it
      await removeDurably(join(path, folder));
    },
    finish: async ({ folder }) => {
      const parent = dirname(join(path, folder));
      if ((await ifPresent(stat(parent))) !== null) await removeDurably(join(path, folder));
    },
    check: async (signal) => {
      const { locations } = await list({ known: new Set() }, signal);
      const found = await forEachOf([...locations], signal, async (location) => {
        try {
          const point = await read({ location });
          return point?.manifest ? await checkFolderPoint(folderOf(location), location, point.manifest) : [];
        } catch (error) {
          return [{ subject: location, detail: messageOf(error) }];
        }
      });
      return found.flat();
    },
  };
}

/** @throws PointNotFound for what cannot be a location: it never leaves the repository's folder */
function checkedLocation(location: string): string {
  const [service = '', folder = '', ...more] = location.split('/');
  if (NAME_PATTERN.test(service) && isFolderName(folder) && more.length === 0) return location;
  throw new HoldfastError('PointNotFound', `${JSON.stringify(location)} is no recovery point's place.`, location);
}

async function foldersOf(path: string): Promise<readonly string[]> {
  const entries = (await ifPresent(readdir(path, { withFileTypes: true }))) ?? [];
  return entries.flatMap((entry) => (entry.isDirectory() ? entry.name : []));
}
