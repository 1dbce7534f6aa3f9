import { randomFillSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The state folder that made the points: a list reads those of other machines again. */
export const ORIGIN = 'c'.repeat(32);

/** A text that compresses about as well as logs and pages do (zstd -3: about a quarter). */
function compressible(bytes: number, seed: number): Buffer {
  const lines: string[] = [];
  for (let length = 0, line = 0; length < bytes; line++) {
    const text = `2026-11-21T0${line % 10}:00:00Z host-${(seed * 7 + line) % 97} request ${seed * 1000 + line} took ${(line * 31) % 977} ms\n`;
    lines.push(text);
    length += text.length;
  }
  return Buffer.from(lines.join('')).subarray(0, bytes);
}

/** `files` files of `bytes / files` each in folders of 250, every other one of random bytes. Made once per folder. */
export async function makeTree(folder: string, files: number, bytes: number): Promise<void> {
  if (existsSync(join(folder, '.complete'))) return;
  const size = Math.floor(bytes / files);
  for (let index = 0; index < files; index++) {
    const place = join(folder, `folder-${Math.floor(index / 250)}`);
    if (index % 250 === 0) await mkdir(place, { recursive: true });
    const content = index % 2 === 0 ? compressible(size, index) : randomFillSync(Buffer.alloc(size));
    await writeFile(join(place, `file-${index}.dat`), content);
  }
  await writeFile(join(folder, '.complete'), '');
}
