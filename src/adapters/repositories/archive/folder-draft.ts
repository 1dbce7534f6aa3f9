import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import { type Item, type Manifest, printManifest } from '../../../domain/manifest.ts';
import type { Hold, PointReference, RecoveryPoint } from '../../../domain/recovery-point.ts';
import type { Compression } from '../../../domain/storage.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { PointHeader, StoredItem } from '../../../ports/repository.ts';
import { END_BLOCKS } from '../../../streams/tar-rewrite.ts';
import { linkFile, makeFolder, renameDurably, syncFolder, writeNew } from './durable.ts';
import { codeOf, saysAbsent } from './failures.ts';
import { openItem, storeFile } from './item-file.ts';
import type { DraftStore, Promoted } from './layout.ts';
import { folderName } from './names.ts';
import { printHold } from './point-files.ts';
import { withAbsoluteNames } from './reroot.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import {
  checkedFileName,
  encryptionOf,
  endings,
  HOLD,
  MANIFEST,
  plainName,
  SUMS,
  storedItem,
  storedWith,
} from './stored-names.ts';
import { printSums } from './sums.ts';

const WORKSPACE = '.workspace';

/** A point being written as a folder. The order of writes, each synced before the next: items (as they come), hold,
 *  SHA256SUMS and the manifest under a provisional name, the manifest's own name, the draft folder's names; then the
 *  folder gets its name in the service's folder, which makes the point visible, and that name is synced. Whatever the
 *  last write was, a folder with a point's name is whole. */
export async function folderDraft(
  header: PointHeader,
  draft: string,
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  readPoint: (reference: PointReference) => Promise<RecoveryPoint | null>,
): Promise<DraftStore> {
  const serviceFolder = join(settings.path, header.service);
  const workspace = join(draft, WORKSPACE);
  await makeFolder(draft);
  await makeFolder(workspace);

  async function store(
    name: string,
    bytes: Bytes,
    tar: boolean,
    compression: Compression,
    signal: AbortSignal,
  ): Promise<StoredItem> {
    const encryption = encryptionOf(settings.sealing);
    const file = checkedFileName(name + endings(compression.format, encryption));
    const options = { compression, sealing: settings.sealing, tar };
    const stored = await storeFile(join(draft, file), bytes, options, tools, signal);
    return {
      ...storedItem(file, stored, compression.format, encryption),
      storedWith: storedWith(compression, settings.sealing),
    };
  }

  /** Whether the settings would store the item today as it was stored then. */
  async function isStoredAsToday(row: Item, from: PointReference, signal: AbortSignal): Promise<boolean> {
    const packed = row.packed === true;
    const { sealing } = settings;
    if (row.storedWith !== storedWith(packed ? { format: 'none' } : settings.compression, sealing)) return false;
    if (sealing?.kind !== 'gpg-passphrase' || row.file === undefined) return true;
    return opens(join(settings.path, from.location, row.file), row, settings, tools, signal);
  }

  async function reuse(item: string, from: PointReference, signal: AbortSignal): Promise<StoredItem | null> {
    const row = (await readPoint(from))?.manifest?.items.find(({ name }) => name === item);
    if (row?.file === undefined || row.outcome === 'failed') return null;
    if (!(await isStoredAsToday(row, from, signal))) return null;
    const files = [{ file: row.file, size: row.size }, ...(row.index === undefined ? [] : [row.index])];
    const linked: string[] = [];
    const unlink = async (): Promise<null> => {
      for (const file of linked) await rm(join(draft, file), { force: true });
      return null;
    };
    try {
      for (const { file, size } of files) {
        const link = join(draft, checkedFileName(file));
        await linkFile(join(settings.path, from.location, file), link);
        linked.push(file);
        if ((await stat(link)).size !== size) return await unlink(); // cut since it was stored: the source is read again
      }
    } catch (error) {
      await unlink();
      // The earlier point was removed meanwhile, has too many names, or its file system has no hard links.
      if (saysAbsent(error) || ['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP'].includes(codeOf(error) ?? '')) return null;
      throw error;
    }
    return storedFields(row);
  }

  async function promote(manifest: Manifest, hold: Hold | null, confirm: () => Promise<void>): Promise<Promoted> {
    await rm(workspace, { recursive: true, force: true });
    if (hold !== null) await writeNew(join(draft, HOLD), printHold(hold));
    const text = printManifest(manifest);
    await writeNew(join(draft, SUMS), printSums(manifest, text));
    await writeNew(join(draft, `${MANIFEST}.new`), text);
    await rename(join(draft, `${MANIFEST}.new`), join(draft, MANIFEST));
    await syncFolder(draft);
    await confirm();
    for (let count = 1; ; count++) {
      const name = folderName(header.timestamp, count);
      if ((await readdir(serviceFolder)).includes(name)) continue;
      const path = join(serviceFolder, name);
      try {
        await renameDurably(draft, path);
        return { location: `${header.service}/${name}`, manifest };
      } catch (error) {
        // Somebody else's folder took the name in between.
        if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(codeOf(error) ?? '')) continue;
        await rename(path, draft).catch(() => {}); // renamed and not synced: a commit that failed shows nothing
        throw error;
      }
    }
  }

  return {
    workspace,
    putStream: (item, signal) =>
      store(item.file, item.bytes(signal), false, item.compressed ? { format: 'none' } : settings.compression, signal),
    putTree: async (item, signal) => {
      const bytes = item.tar({ style: 'absolute' }, signal);
      const stored = await store(`${item.name}.tar`, bytes, true, settings.compression, signal);
      return { ...stored, roots: [...item.roots({ style: 'absolute' })] };
    },
    putCopy: async (item, bytes, signal) => {
      if (item.roots === undefined) {
        return store(plainName(item), bytes, false, item.packed ? { format: 'none' } : settings.compression, signal);
      }
      const own = item.file !== undefined; // a tar of its own has these names already
      const { members, roots } = withAbsoluteNames(item.roots, bytes, item.name);
      const stored = await store(plainName(item), own ? bytes : ended(members), true, settings.compression, signal);
      return { ...stored, roots: own ? item.roots : roots() };
    },
    reuse,
    drop: async (_item, { file, index }) => {
      if (file !== undefined) await rm(join(draft, file), { force: true });
      if (index !== undefined) await rm(join(draft, index.file), { force: true });
    },
    promote,
  };
}

/** Whether the key that is configured today opens the file. A passphrase leaves no other trace of which one it was. */
async function opens(
  path: string,
  row: Item,
  { sealing }: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await using reader = await openItem(path, row, sealing, tools, signal);
    for await (const chunk of reader.read(signal)) if (chunk.length > 0) break;
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && ['WrongPassword', 'Damaged'].includes(error.code)) return false;
    throw error;
  }
}

async function* ended(members: Bytes): Bytes {
  yield* members;
  yield END_BLOCKS;
}

const storedFields = (row: Item): StoredItem => ({
  ...(row.file === undefined ? {} : { file: row.file }),
  size: row.size,
  originalSize: row.originalSize,
  sha256: row.sha256,
  originalSha256: row.originalSha256,
  compression: row.compression,
  encryption: row.encryption,
  ...(row.storedWith === undefined ? {} : { storedWith: row.storedWith }),
  ...(row.index === undefined ? {} : { index: row.index }),
  ...(row.roots === undefined ? {} : { roots: row.roots }),
});
