import { type Change, LOSSES, replayedFolder } from './write-trace.ts';

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

/** Makes `disk`, a folder, what a power cut after each change would leave, in three ways each ({@link LOSSES}).
 *  @param ignored files that the program does not rely on after a cut
 *  @param replayed the model of the disk: a flat folder, or a tree (replayed-tree.ts) */
export async function* powerCuts(
  changes: readonly Change[],
  disk: string,
  ignored: (path: string) => boolean,
  replayed: ReturnType<typeof replayedFolder> = replayedFolder(),
): AsyncGenerator<PowerCut> {
  let acknowledged = 0;
  for (const [number, change] of changes.entries()) {
    if (change.path === ACKNOWLEDGED && change.kind === 'written') acknowledged += 1;
    if (change.path === ACKNOWLEDGED || ignored(change.path)) continue;
    replayed.apply(change);
    for (const loss of LOSSES) {
      await replayed.cut(disk, loss, coin(number));
      yield { acknowledged, where: `${loss} after change ${number}: ${change.kind} ${change.path}` };
    }
  }
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
