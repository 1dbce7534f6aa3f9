import type { Change } from './write-trace.ts';

/** What a disk may hold after its power was cut. `everything`: all that was written. `synced`: only what was synced,
 *  names included. `torn`: of the changes since the last sync some are there and some are not. */
export const LOSSES = ['everything', 'synced', 'torn'] as const;
export type Loss = (typeof LOSSES)[number];

/** What lies in a folder, by relative paths, folders before what is in them: the bytes of a file, null for a folder. */
export type Picture = ReadonlyMap<string, Buffer | null>;

interface File {
  readonly kind: 'file';
  live: Buffer;
  synced: Buffer;
  /** Since the last sync. */
  pending: ((content: Buffer) => Buffer)[];
}
interface Folder {
  readonly kind: 'folder';
  live: Map<string, Node>;
  synced: Map<string, Node>;
}
type Node = File | Folder;

const aFile = (): File => ({ kind: 'file', live: Buffer.alloc(0), synced: Buffer.alloc(0), pending: [] });
const aFolder = (): Folder => ({ kind: 'folder', live: new Map(), synced: new Map() });

function changed(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncated')
    return Buffer.concat([content.subarray(0, change.size), Buffer.alloc(Math.max(0, change.size - content.length))]);
  if (change.kind !== 'written') return content;
  const offset = Number.isNaN(change.offset) ? content.length : change.offset;
  const longer = Buffer.alloc(Math.max(content.length, offset + change.bytes.length));
  content.copy(longer);
  change.bytes.copy(longer, offset);
  return longer;
}

/** A tree of folders that is written by replaying changes, with hard links and renamed folders. A name is on the disk
 *  when the folder that has it was synced, bytes are when the file was: the least that POSIX promises. In a `torn` cut
 *  each unsynced change of a name, and each unsynced write, is there or not, whatever the order; a rename is there as a
 *  whole or not at all, as every journalling file system has it. */
export function replayedTree(): {
  apply(change: Change): void;
  /** What the disk would hold. `keep` decides of each unsynced change, for `torn`. */
  picture(loss: Loss, keep: () => boolean): Picture;
} {
  const root = aFolder();

  function find(path: string): Node | undefined {
    let node: Node | undefined = root;
    for (const name of path === '' ? [] : path.split('/'))
      node = node?.kind === 'folder' ? node.live.get(name) : undefined;
    return node;
  }
  function place(path: string): { readonly names: Map<string, Node>; readonly name: string } {
    const at = path.lastIndexOf('/');
    const parent = find(at < 0 ? '' : path.slice(0, at));
    if (parent?.kind !== 'folder') throw new Error(`The trace changes ${path}, whose folder it never made.`);
    return { names: parent.live, name: path.slice(at + 1) };
  }
  function put(path: string, node: Node | undefined): void {
    const { names, name } = place(path);
    if (node === undefined) names.delete(name);
    else names.set(name, node);
  }

  function syncAll(node: Node): void {
    if (node.kind === 'file') Object.assign(node, { synced: node.live, pending: [] });
    else {
      node.synced = new Map(node.live);
      for (const inner of node.live.values()) syncAll(inner);
    }
  }

  function look(
    folder: Folder,
    path: string,
    loss: Loss,
    keep: () => boolean,
    kept: Map<Node, boolean>,
    seen: Map<string, Buffer | null>,
  ): void {
    const isKept = (node: Node): boolean => {
      const known = kept.get(node) ?? keep();
      kept.set(node, known);
      return known;
    };
    const names = new Set([...folder.live.keys(), ...folder.synced.keys()]);
    for (const name of names) {
      const [live, synced] = [folder.live.get(name), folder.synced.get(name)];
      const moved = live ?? synced;
      const isLive =
        loss === 'everything' || (loss === 'torn' && live !== synced && moved !== undefined && isKept(moved));
      const node = isLive ? live : synced;
      if (node?.kind === 'folder') {
        seen.set(`${path}${name}`, null);
        look(node, `${path}${name}/`, loss, keep, kept, seen);
      } else if (node !== undefined) {
        const arrived = node.pending.filter(() => loss === 'torn' && keep());
        const content = loss === 'everything' ? node.live : arrived.reduce((so, one) => one(so), node.synced);
        seen.set(`${path}${name}`, content);
      }
    }
  }

  return {
    apply(change) {
      const node = find(change.path);
      switch (change.kind) {
        case 'made':
          return put(change.path, aFolder());
        case 'created':
          return node === undefined ? put(change.path, aFile()) : undefined;
        case 'removed':
          return put(change.path, undefined);
        case 'renamed':
          put(change.path, undefined);
          return put(change.to, node);
        case 'linked':
          return put(change.to, node);
        case 'synced':
          if (node?.kind === 'folder') node.synced = new Map(node.live);
          if (node?.kind === 'file') Object.assign(node, { synced: node.live, pending: [] });
          return;
        case 'all-synced':
          return syncAll(root);
        default:
          if (node?.kind !== 'file') return;
          node.live = changed(node.live, change);
          node.pending.push((content) => changed(content, change));
      }
    },
    picture(loss, keep) {
      const seen = new Map<string, Buffer | null>();
      look(root, '', loss, keep, new Map(), seen);
      return seen;
    },
  };
}
