import { createReadStream } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type Manifest, parseManifest, printManifest, type Root } from '../../../domain/manifest.ts';
import type { Hold } from '../../../domain/recovery-point.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { PointHeader, StoredItem } from '../../../ports/repository.ts';
import { abortable } from '../../../streams/abortable.ts';
import { FRAME_SIZE } from '../../../streams/frames.ts';
import { storeBytes } from '../../../streams/stored-bytes.ts';
import { type TarFile, tarFileMember } from '../../../streams/tar-file-member.ts';
import { END_BLOCKS, withoutEndBlocks } from '../../../streams/tar-rewrite.ts';
import { makeFolder, removeDurably, renameDurably, syncFolder, writeNew } from './durable.ts';
import { ifPresent } from './failures.ts';
import { storeFile } from './item-file.ts';
import type { DraftStore, Promoted } from './layout.ts';
import type { Locks } from './locks.ts';
import type { ArchiveNames } from './names.ts';
import { printHold } from './point-files.ts';
import { withPrefix } from './reroot.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { checkedFileName, encryptionOf, HOLD, MANIFEST, plainName } from './stored-names.ts';

/** Names inside a draft's folder; those beside an archive are made of its name. */
const ARCHIVE = 'archive';
const PROMISE = 'promise.json';
/** What stands beside an archive and is made with it, before the archive gets its name. */
const COMPANIONS = ['index', HOLD, 'json'] as const;

/** Where the items of a source stand in a `single` archive (interface, section 4). */
const sourceFolder = (source: string): string => `backup/${source}/`;

interface Spooled {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** What an item is in the archive: members as they were gathered, or one file. */
interface Part {
  readonly spooled: Spooled;
  readonly file: Omit<TarFile, 'size'> | null;
}

/** A point being written as one archive. A tar says the size of a member before its bytes, and an item whose producer
 *  dies must leave nothing in the archive: so items are gathered plainly, 0600, in the draft's folder, and become the
 *  archive when the point is committed. Then its companions get their names, and the archive last: a manifest beside no
 *  archive is no point. What was promised is recorded first, so that a later process can take it back. */
export async function singleDraft(
  header: PointHeader,
  draft: string,
  names: ArchiveNames,
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  locks: Locks,
  taken: (name: string) => Promise<boolean>,
): Promise<DraftStore> {
  const { path, compression, sealing } = settings;
  const workspace = join(draft, 'workspace');
  /** What each item is in the tar, in the order in which they came. */
  const parts = new Map<string, Part>();
  let count = 0;
  await makeFolder(draft);
  await makeFolder(workspace);

  /** Writes bytes to a file of the draft's folder. `tail` is hashed after them and not written. */
  async function spool(bytes: Bytes, tail: Uint8Array, signal: AbortSignal): Promise<Spooled> {
    count += 1;
    const file = join(draft, `item-${count}`);
    return { path: file, ...(await storeBytes(file, abortable(bytes, signal), { spool: true, tail })) };
  }

  const fields = (size: number, originalSha256: string): StoredItem => ({
    size,
    originalSize: null,
    sha256: null,
    originalSha256,
    compression: compression.format,
    encryption: encryptionOf(sealing),
  });

  async function putDump(item: string, source: string, file: string, bytes: Bytes, signal: AbortSignal) {
    const spooled = await spool(bytes, new Uint8Array(0), signal);
    const name = sourceFolder(source) + checkedFileName(file);
    const mtime = header.timestamp.epochMilliseconds / 1000;
    parts.set(item, { spooled, file: { name, mode: 0o600, mtime, uid: 0, gid: 0 } });
    return { ...fields(spooled.size, spooled.sha256), member: name };
  }

  /** `roots` is asked when the members have passed. */
  async function putTar(item: string, members: Bytes, roots: () => Root[], signal: AbortSignal) {
    const spooled = await spool(members, END_BLOCKS, signal);
    parts.set(item, { spooled, file: null });
    return { ...fields(spooled.size + END_BLOCKS.length, spooled.sha256), roots: roots() };
  }

  /** The whole tar. A gathered item is removed as soon as it has passed, so that both need little more than one. */
  async function* archiveBytes(manifest: Manifest): Bytes {
    for (const { spooled, file } of parts.values()) {
      const bytes: Bytes = createReadStream(spooled.path, { highWaterMark: FRAME_SIZE });
      yield* file === null ? bytes : tarFileMember({ ...file, size: spooled.size }, bytes);
      await rm(spooled.path, { force: true });
    }
    const text = Buffer.from(printManifest(manifest));
    const mtime = Temporal.Instant.from(manifest.completedAt).epochMilliseconds / 1000;
    const file = { name: `backup/${MANIFEST}`, size: text.length, mode: 0o600, mtime, uid: 0, gid: 0 };
    yield* tarFileMember(file, bytesOf(text));
    yield END_BLOCKS;
  }

  async function promote(manifest: Manifest, hold: Hold | null, confirm: () => Promise<void>): Promise<Promoted> {
    const limit = new AbortController().signal; // `confirm` stops an aborted commit, before anything is visible
    const options = { compression, sealing, tar: true, hashPlain: false }; // each item has its own
    const stored = await storeFile(join(draft, ARCHIVE), archiveBytes(manifest), options, tools, limit);
    if (hold !== null) await writeNew(join(draft, `${ARCHIVE}.${HOLD}`), printHold(hold));
    // Archives of several services lie in one folder: one at a time chooses a name.
    await using _names = await locks.acquire({ kind: 'names' }, 'exclusive', 60_000, limit);
    const time = header.timestamp.toZonedDateTimeISO(header.timezone);
    let suffix = 1;
    while (await taken(names.name(time, suffix))) suffix += 1;
    const file = names.name(time, suffix);
    const archive = { file, size: stored.size, sha256: stored.sha256 };
    const beside = { ...manifest, archive };
    await writeNew(join(draft, `${ARCHIVE}.json`), printManifest(beside));
    await writeNew(join(draft, PROMISE), `${JSON.stringify({ file, id: manifest.id, size: stored.size })}\n`);
    await syncFolder(draft);
    try {
      for (const companion of COMPANIONS) {
        const from = join(draft, `${ARCHIVE}.${companion}`);
        await ifPresent(rename(from, join(path, `${file}.${companion}`)));
      }
      await syncFolder(path);
      await confirm();
      await renameDurably(join(draft, ARCHIVE), join(path, file));
    } catch (error) {
      await rename(join(path, file), join(draft, ARCHIVE)).catch(() => {}); // renamed and not synced
      await takeBack(path, draft);
      throw error;
    }
    await removeDurably(draft);
    return { location: file, manifest: beside };
  }

  return {
    workspace,
    putStream: (item, signal) => putDump(item.name, item.source, item.file, item.bytes(signal), signal),
    putTree: (item, signal) => {
      const naming = { style: 'prefixed', prefix: sourceFolder(item.source) } as const;
      const members = withoutEndBlocks(item.tar(naming, signal), item.name);
      return putTar(item.name, members, () => [...item.roots(naming)], signal);
    },
    putCopy: (item, bytes, signal) => {
      if (item.roots === undefined) return putDump(item.name, item.source, plainName(item), bytes, signal);
      const prefix = sourceFolder(item.source);
      const inside = item.roots.every(({ stored }) => `${stored}/`.startsWith(prefix)); // out of another `single`
      if (inside) return putTar(item.name, withoutEndBlocks(bytes, item.name), () => [...(item.roots ?? [])], signal);
      const { members, roots } = withPrefix(prefix, item.roots, bytes, item.name);
      return putTar(item.name, members, roots, signal);
    },
    reuse: async () => null, // its bytes are inside of another archive
    drop: async (item) => {
      const part = parts.get(item);
      if (part) await rm(part.spooled.path, { force: true });
      parts.delete(item);
    },
    promote,
  };
}

const promiseSchema = z.object({ file: z.string(), id: z.string(), size: z.number() });

function parsePromise(text: string): z.infer<typeof promiseSchema> | null {
  try {
    return promiseSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Removes the companions that a draft placed, unless its archive got its name: then the point is whole. */
export async function takeBack(path: string, draft: string): Promise<void> {
  const text = await ifPresent(readFile(join(draft, PROMISE), 'utf8'));
  if (text === null) return;
  const promised = parsePromise(text);
  if (promised === null) return; // torn by a power cut: it is synced before anything is placed
  const { file, id, size } = promised;
  // It has its name, though on some file systems a power cut may leave the old one too.
  if ((await ifPresent(stat(join(path, file))))?.size === size) return;
  const beside = await ifPresent(readFile(join(path, `${file}.json`), 'utf8'));
  if (beside !== null && parseManifest(beside, file).id !== id) return; // another point has the name by now
  for (const companion of COMPANIONS.toReversed()) await removeDurably(join(path, `${file}.${companion}`));
}

async function* bytesOf(bytes: Uint8Array): Bytes {
  yield bytes;
}
