import type { Root } from '../../../domain/manifest.ts';
import { parseName } from '../../../domain/tree-name.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { filterMembers, relinkedHeaders, renamedHeaders } from '../../../streams/tar-rewrite.ts';

/** A copied tree under the names of another layout. */
export interface Rerooted {
  /** The members, hard links too, symbolic links as they are; without the end blocks. */
  readonly members: Bytes;
  /** Where the roots stand in it. Valid once the members were read to their end. */
  roots(): Root[];
}

/** How a root is called; `folder` is false for a root that is a file. */
type Naming = (root: Root, folder: boolean) => string;

/** Names of a tree in a folder of its own: absolute paths without their leading slash. */
export const withAbsoluteNames = (roots: readonly Root[], bytes: Bytes, subject: string): Rerooted =>
  reroot(roots, absoluteName, bytes, subject);

/** Names of a tree in an archive with others, below `prefix`, which ends with a slash (interface, section 10: the one
 *  folder is `prefix` itself, several paths keep their absolute names below it). */
export function withPrefix(prefix: string, roots: readonly Root[], bytes: Bytes, subject: string): Rerooted {
  const top = prefix.slice(0, -1);
  const naming: Naming = (root, folder) => {
    const absolute = absoluteName(root);
    if (roots.length > 1) return absolute === '.' ? top : prefix + absolute;
    return folder ? top : prefix + absolute.slice(absolute.lastIndexOf('/') + 1);
  };
  return reroot(roots, naming, bytes, subject);
}

const absoluteName = ({ path }: Root): string => path.replace(/^\/+/, '') || '.';

/** Names are compared as their bytes, each as one character. */
const latin1 = (name: Uint8Array): string => Buffer.from(name).toString('latin1');
const encoded = (name: string): string => latin1(Buffer.from(name));

interface Move {
  readonly root: Root;
  readonly from: string;
  /** Null until a member has told whether the root is a folder. */
  to: string | null;
}

function reroot(roots: readonly Root[], naming: Naming, bytes: Bytes, subject: string): Rerooted {
  const moves = roots.map((root): Move => ({ root, from: encoded(root.stored), to: null }));
  const innermostFirst = moves.toSorted((left, right) => depth(right.from) - depth(left.from));

  /** A name that lies under no root stays: only a tar that was not made by Holdfast has one. */
  function moved(name: Uint8Array, type: string): Uint8Array {
    const text = latin1(name);
    const move = innermostFirst.find(({ from }) => from === '.' || text === from || text.startsWith(`${from}/`));
    if (move === undefined) return name;
    const below = text === move.from ? '' : text.slice(move.from === '.' ? 0 : move.from.length + 1);
    const to = naming(move.root, below !== '' || type === 'directory');
    move.to ??= to;
    const parts = [encoded(to), below].filter((part) => part !== '' && part !== '.');
    return Buffer.from(parts.join('/') || '.', 'latin1');
  }

  return {
    members: filterMembers(bytes, subject, (member) => {
      const { path, bytes: name = Buffer.from(path), type, target } = member.entry;
      const to = moved(name, type);
      if (type !== 'hardlink') return renamedHeaders(member, to);
      return relinkedHeaders(member, to, moved(parseName(target ?? ''), 'file'));
    }),
    roots: () => moves.map(({ root, to }) => ({ ...root, stored: to ?? naming(root, true) })),
  };
}

/** `.` holds all others. */
const depth = (name: string): number => (name === '.' ? 0 : name.split('/').length);
