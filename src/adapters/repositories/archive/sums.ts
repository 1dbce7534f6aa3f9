import type { Manifest } from '../../../domain/manifest.ts';
import { sha256Of } from './sha256.ts';
import { MANIFEST } from './stored-names.ts';

/** A file that `sha256sum -c` reads (GNU coreutils manual, "cksum output modes": hash, two spaces, name): every item
 *  and its index, and the manifest. Stored names hold no character that would need the format's escapes. */
export function printSums(manifest: Manifest, manifestText: string): string {
  const files = manifest.items.flatMap(({ file, sha256, index }) => [
    ...(file === undefined || sha256 === null ? [] : [{ file, sha256 }]),
    ...(index === undefined ? [] : [index]),
  ]);
  const all = [...files, { file: MANIFEST, sha256: sha256Of(manifestText) }];
  return all.map(({ file, sha256 }) => `${sha256}  ${file}\n`).join('');
}

/** Hashes by file name. Lines that are none are left out. */
export function parseSums(text: string): ReadonlyMap<string, string> {
  const lines = [...text.matchAll(/^([0-9a-f]{64}) [ *](.+)$/gm)];
  return new Map(lines.map(([, sha256 = '', file = '']) => [file, sha256]));
}
