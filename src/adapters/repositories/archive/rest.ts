import { open } from 'node:fs/promises';
import type { Problem } from '../../../ports/repository.ts';
import { explaining, ifPresent } from './failures.ts';

/** A file as the manifest recorded it. `path` is absolute. */
export interface RecordedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

const PIECE = 1024 ** 2;

/** Reads files through and says of each that is not as it was recorded. @throws RepositoryUnusable when a disk fails */
export async function changedFiles(files: readonly RecordedFile[], signal: AbortSignal): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const file of files) {
    const detail = await explaining(file.path, () => changeOf(file, signal));
    if (detail !== null) problems.push({ subject: file.path, detail });
  }
  return problems;
}

async function changeOf({ path, size, sha256 }: RecordedFile, signal: AbortSignal): Promise<string | null> {
  const opened = await ifPresent(open(path, 'r'));
  if (opened === null) return 'is missing';
  await using file = opened;
  const { createHash } = await import('node:crypto'); // a list hashes nothing
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(PIECE);
  let length = 0;
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(piece, 0, PIECE, null);
    if (bytesRead === 0) break;
    hash.update(piece.subarray(0, bytesRead));
    length += bytesRead;
  }
  if (length !== size) return `has ${length} bytes, ${size} were stored`;
  return hash.digest('hex') === sha256 ? null : 'is not what was stored';
}
