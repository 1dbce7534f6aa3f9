import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sealing } from '../../src/domain/storage.ts';
import type { Bytes } from '../../src/ports/bytes.ts';
import { readPipeline } from '../../src/process/run.ts';
import { openStoredFile } from '../../src/streams/open-stored-file.ts';
import type { OpenOptions, StoredFile, StoredFileReader, StoreOptions } from '../../src/streams/stored-file.ts';
import { writeStoredFile } from '../../src/streams/write-stored-file.ts';

/** A folder that is gone after the test. */
export function aFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'streams-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** The bytes in chunks of this size. */
export async function* chunksOf(bytes: Uint8Array, size = 65_536): Bytes {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(bytes: Bytes): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Bytes of which half compress. */
export function someBytes(size: number): Buffer {
  const bytes = randomBytes(size);
  for (let at = 0; at < size; at += 2000) bytes.fill(0x61, at, Math.min(at + 1000, size));
  return bytes;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Output of a stock program; throws unless it ends with 0. */
export const run = (program: string, args: readonly string[], input?: Uint8Array): Buffer =>
  execFileSync(program, args, { input: input ?? '', maxBuffer: 1024 ** 3, stdio: ['pipe', 'pipe', 'pipe'] });

export const FORMATS = ['zstd', 'gzip', 'none'] as const;
export type Format = (typeof FORMATS)[number];

export interface Packing {
  readonly format: Format;
  readonly sealing: Sealing | null;
  readonly tar: boolean;
}

/** Stores `plain` as `path` and answers with what was written and with a way to open it. */
export async function stored(
  path: string,
  plain: Bytes | Uint8Array,
  { format, sealing, tar }: Packing,
  signal: AbortSignal = AbortSignal.any([]),
): Promise<{ readonly file: StoredFile; open(changes?: Partial<OpenOptions>): Promise<StoredFileReader> }> {
  const compression = format === 'none' ? { format } : { format, level: 3 };
  const options: StoreOptions = { compression, sealing, tar, read: readPipeline };
  const bytes = plain instanceof Uint8Array ? chunksOf(plain) : plain;
  const file = await writeStoredFile(path, bytes, options, signal);
  const expected = { ...file, originalSha256: file.originalSha256 ?? 'none' };
  const opening: OpenOptions = { compression: format, sealing, tar, expected, read: readPipeline };
  return { file, open: (changes = {}) => openStoredFile(path, { ...opening, ...changes }, signal) };
}

/** A folder tree whose names are bytes, written without any help of Holdfast. */
export function aTree(root: string): void {
  mkdirSync(join(root, 'tree/docs/deep'), { recursive: true });
  mkdirSync(join(root, 'tree/links'));
  const put = (name: string | Buffer, bytes: Uint8Array | string): void => {
    const folder = Buffer.from(join(root, 'tree/'));
    writeFileSync(Buffer.concat([folder, typeof name === 'string' ? Buffer.from(name) : name]), bytes);
  };
  put('docs/readme', 'hello\n');
  put('docs/deep/big', someBytes(9_000_000));
  put('docs/empty', '');
  put('docs-not', 'a sibling whose name begins alike\n');
  put('docs/new\nline', 'newline\n');
  put('-rf', 'dash\n');
  put('back\\slash', 'backslash\n');
  put(Buffer.from([0x6e, 0xff, 0xfe, 0x6f]), 'not UTF-8\n');
  put('ümlaut', 'UTF-8\n');
  put(`${'x'.repeat(200)}`, 'long\n');
  const deep = Array.from({ length: 3 }, (_, i) => `${i}`.repeat(120)).join('/');
  mkdirSync(join(root, 'tree', deep), { recursive: true });
  put(`${deep}/file`, 'path of 360 bytes\n');
  run('ln', [join(root, 'tree/docs/readme'), join(root, 'tree/links/one')]);
  run('ln', [join(root, 'tree/docs/readme'), join(root, 'tree/links/two')]);
  run('ln', ['-s', '../docs/readme', join(root, 'tree/links/soft')]);
  run('mkfifo', [join(root, 'tree/links/fifo')]);
  run('truncate', ['-s', '5M', join(root, 'tree/sparse')]);
  run(
    'dd',
    ['of=sparse', 'bs=1', 'seek=3000000', 'conv=notrunc', 'status=none'].map((arg) =>
      arg === 'of=sparse' ? `of=${join(root, 'tree/sparse')}` : arg,
    ),
    Buffer.from('data in the middle'),
  );
}

/** The tree as the sources store one: hard links after their first name, names sorted. */
export const aTar = (root: string, ...options: readonly string[]): Buffer =>
  run('tar', ['--format=posix', '--sort=name', '--sparse', ...options, '-C', root, '-cf', '-', 'tree']);
