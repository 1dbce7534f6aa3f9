import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Json } from './holdfast.ts';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** The folder of a service's only point in an archive repository. */
export function pointFolderIn(service: string): string {
  const [folder = ''] = readdirSync(service).filter((name) => /^\d/.test(name));
  return join(service, folder);
}

/** Changes the manifest, and its hash where that stands. */
export function alterManifest(folder: string, alter: (manifest: Json) => void): void {
  const path = join(folder, 'backup-manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as Json;
  alter(manifest);
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  writeFileSync(path, text);
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
  const own = sums.replace(/^[0-9a-f]{64}( [ *]backup-manifest\.json)$/m, `${sha256(text)}$1`);
  writeFileSync(join(folder, 'SHA256SUMS'), own);
}

/** Puts other bytes in the place of a stored item, and writes their size and hash wherever these stand, as a tool does
 *  that knows no better. @param plain what they are packed from */
export function storeRehashed(folder: string, file: string, bytes: Buffer, plain: Buffer | null = null): void {
  const before = sha256(readFileSync(join(folder, file)));
  writeFileSync(join(folder, file), bytes);
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8').replace(before, sha256(bytes));
  writeFileSync(join(folder, 'SHA256SUMS'), sums);
  alterManifest(folder, ({ items }) => {
    for (const item of items)
      if (item.file === file) Object.assign(item, { size: bytes.length, sha256: sha256(bytes), ...packedFrom(plain) });
  });
}

const packedFrom = (plain: Buffer | null): object =>
  plain === null ? {} : { originalSize: plain.length, originalSha256: sha256(plain) };
