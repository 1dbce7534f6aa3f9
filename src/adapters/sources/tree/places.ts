import { readAt, type TreeRoot, walkedAt } from './args.ts';
import type { Found } from './parse.ts';

/** Where the names of a walk are to be read, and what they would be without a snapshot. */
export interface Places {
  /** The absolute name by which the bytes are read. */
  read(walked: Buffer): Buffer;
  /** What tells whether it changed, under the name that it has without a snapshot. */
  identity(found: Found): Buffer;
}

export function placesOf(root: TreeRoot): Places {
  const [from, at, path] = [walkedAt(root), readAt(root), root.path].map((place) => Buffer.from(place));
  if (from === undefined || at === undefined || path === undefined) throw new Error('a root is nowhere');
  const moved = (name: Buffer, to: Buffer): Buffer => Buffer.concat([to, name.subarray(from.length)]);
  return {
    read: at.equals(from) ? (walked) => walked : (walked) => moved(walked, at),
    identity: path.equals(from)
      ? (found) => found.identity
      : ({ identity, path: walked }) => {
          const end = identity.indexOf(0); // no field before the path has a NUL in it
          const fields = identity.subarray(0, end - walked.length);
          return Buffer.concat([fields, moved(walked, path), identity.subarray(end)]);
        },
  };
}

/** A path in a root, as it is where the root is walked. */
export const whereWalked = (root: TreeRoot, path: string): string =>
  walkedAt(root) === root.path ? path : walkedAt(root) + path.slice(root.path.length);
