import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Item, Manifest } from '../../src/domain/manifest.ts';
import { ulidFrom } from '../../src/domain/ulid.ts';
import type { Bytes } from '../../src/ports/bytes.ts';
import type { PointHeader, StoredItem } from '../../src/ports/repository.ts';
import type { Captured, CapturedStream, CapturedTree, TreeNaming } from '../../src/ports/source.ts';

const CAPTURED: Captured = { facts: {}, warnings: [], unreadable: [] };

export async function* chunks(...parts: readonly (string | Uint8Array)[]): Bytes {
  for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
}

export async function collect(bytes: Bytes): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

/** Bytes that no compression makes smaller, the same for the same seed. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let offset = 0; offset < length; offset += 32) {
    createHash('sha256').update(`${seed} ${offset}`).digest().copy(bytes, offset);
  }
  return bytes;
}

/** A dump of one source: `ldap` becomes the item `ldap` in the file `ldap.ldif`. */
export const aStream = (name: string, bytes: () => Bytes, file = `${name}.ldif`): CapturedStream => ({
  type: 'stream',
  name,
  source: 'directory',
  kind: 'ldap',
  file,
  compressed: false,
  tool: null,
  estimatedBytes: null,
  completed: () => CAPTURED,
  bytes,
});

export async function* diesAfter(bytes: number): Bytes {
  yield noise(bytes);
  throw new Error('the producer died');
}

/** A small tree in `folder`: files, a folder, a hard link, a symbolic link, a name with a space. */
export function plantTree(folder: string): void {
  mkdirSync(join(folder, 'deep/er'), { recursive: true });
  writeFileSync(join(folder, 'first.txt'), 'first\n');
  writeFileSync(join(folder, 'deep/second file.txt'), 'second\n');
  writeFileSync(join(folder, 'deep/er/third.bin'), noise(100_000));
  linkSync(join(folder, 'first.txt'), join(folder, 'deep/same.txt'));
  symlinkSync('../first.txt', join(folder, 'deep/points'));
}

/** The tree at `folder`, captured by GNU tar. */
export function aTree(name: string, source: string, folder: string): CapturedTree {
  const stored = (naming: TreeNaming) =>
    naming.style === 'absolute' ? folder.replace(/^\//, '') : naming.prefix.replace(/\/$/, '');
  const transform = (naming: TreeNaming) =>
    naming.style === 'absolute'
      ? []
      : ['--transform', `flags=rh;s,^${stored({ style: 'absolute' })},${stored(naming)},`];
  return {
    type: 'tree',
    name,
    source,
    kind: 'files',
    tool: null,
    estimatedBytes: null,
    exclude: [],
    fingerprint: null,
    completed: () => CAPTURED,
    roots: (naming) => [{ path: folder, stored: stored(naming) }],
    tar: async function* (naming) {
      const args = ['--format=posix', '--sort=name', ...transform(naming), '-C', '/', '-cf', '-', folder.slice(1)];
      const { status, stdout, stderr } = spawnSync('tar', args, { maxBuffer: 64 * 1024 ** 2 });
      if (status !== 0) throw new Error(`tar ended with ${status}: ${stderr}`);
      yield stdout;
    },
  };
}

/** An instant of the tests' day. */
export const at = (time: string): Temporal.Instant => Temporal.Instant.from(`2026-11-20T${time}Z`);

let made = 0;
export function aHeader(changes: Partial<PointHeader> = {}): PointHeader {
  made += 1;
  const timestamp = changes.timestamp ?? at('02:00:00');
  return {
    id: ulidFrom(timestamp, createHash('sha256').update(String(made)).digest()),
    service: 'mealie',
    plan: 'nightly',
    type: 'regular',
    origin: 'origin-one',
    timestamp,
    timezone: 'UTC',
    ...changes,
  };
}

/** A row of a manifest for an item that was stored. */
export const aRow = (item: Pick<CapturedStream, 'name' | 'source' | 'kind'>, stored: StoredItem): Item => ({
  name: item.name,
  source: item.source,
  kind: item.kind,
  durationMs: 1,
  outcome: 'passed',
  error: null,
  warnings: [],
  facts: {},
  tool: null,
  readAt: '2026-11-20T02:00:00Z',
  ...stored,
});

export const aFailedRow = (item: Pick<CapturedStream, 'name' | 'source' | 'kind'>, error: string): Item => ({
  ...aRow(item, {
    size: 0,
    originalSize: null,
    sha256: null,
    originalSha256: null,
    compression: 'none',
    encryption: null,
  }),
  outcome: 'failed',
  error,
});

export function aManifest(header: PointHeader, items: readonly Item[]): Manifest {
  const failed = items.filter(({ outcome }) => outcome === 'failed').length;
  return {
    format: 1,
    id: header.id,
    service: header.service,
    plan: header.plan,
    type: header.type,
    host: 'local',
    origin: header.origin,
    timestamp: header.timestamp.toString(),
    completedAt: header.timestamp.add({ seconds: 1 }).toString(),
    durationMs: 1000,
    outcome: failed > 0 ? 'partial' : 'passed',
    holdfast: '0.1.0',
    counts: { succeeded: items.length - failed, failed },
    totalSize: items.reduce((sum, { size }) => sum + size, 0),
    items: [...items],
    configuration: {},
  };
}
