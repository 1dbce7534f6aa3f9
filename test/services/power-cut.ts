import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LOSSES, type Picture, replayedTree } from './replayed-tree.ts';
import type { Change } from './write-trace.ts';

/** The file in which a traced program says what resolved, one line each, in one write each. It survives every cut. */
export const ACKNOWLEDGED = 'acknowledged';

/** The lines of {@link ACKNOWLEDGED}, in the order they were written. */
export const acknowledgements = (changes: readonly Change[]): string[] =>
  changes.flatMap((change) =>
    change.path === ACKNOWLEDGED && change.kind === 'written' ? [change.bytes.toString().trimEnd()] : [],
  );

export interface PowerCut {
  /** How many lines had been acknowledged before it. */
  readonly acknowledged: number;
  /** For the message of a failure. */
  readonly where: string;
}

/** Makes `disk`, a folder, what a power cut after each change would leave, in three ways each ({@link LOSSES}). What was
 *  there before, of the same acknowledgements, is not made again.
 *  @param ignored files that the program does not rely on after a cut
 *  @param replayed the model of the disk, which may hold something already */
export async function* powerCuts(
  changes: readonly Change[],
  disk: string,
  ignored: (path: string) => boolean,
  replayed = replayedTree(),
): AsyncGenerator<PowerCut> {
  const hash = fingerprints();
  const made = new Set<string>();
  let acknowledged = 0;
  for (const [number, change] of changes.entries()) {
    if (change.path === ACKNOWLEDGED && change.kind === 'written') acknowledged += 1;
    if (change.path === ACKNOWLEDGED || ignored(change.path)) continue;
    replayed.apply(change);
    for (const loss of LOSSES) {
      const picture = replayed.picture(loss, coin(number));
      const state = `${acknowledged} ${hash(picture)}`;
      if (made.has(state)) continue;
      made.add(state);
      await write(picture, disk);
      yield { acknowledged, where: `${loss} after change ${number}: ${change.kind} ${change.path}` };
    }
  }
}

async function write(picture: Picture, disk: string): Promise<void> {
  await rm(disk, { recursive: true, force: true });
  await mkdir(disk, { mode: 0o700 });
  for (const [path, content] of picture) {
    if (content === null) await mkdir(join(disk, path), { mode: 0o700 });
    else await writeFile(join(disk, path), content, { mode: 0o600 });
  }
}

/** Hashes pictures. Most files are the same in one as in the one before, so that their own hashes are remembered. */
function fingerprints(): (picture: Picture) => string {
  const known = new WeakMap<Buffer, string>();
  const hash = (content: Buffer): string => {
    const found = known.get(content) ?? createHash('sha256').update(content).digest('hex');
    known.set(content, found);
    return found;
  };
  return (picture) => {
    const lines = [...picture].map(([path, content]) => `${content === null ? '' : hash(content)} ${path}`);
    return hash(Buffer.from(lines.toSorted().join('\n')));
  };
}

/** A generator of its own, so that a failure can be repeated: mulberry32, public domain, by Tommy Ettinger. */
function coin(seed: number): () => boolean {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) & 1) === 1;
  };
}
