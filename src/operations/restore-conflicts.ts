import { HoldfastError } from '../domain/errors.ts';
import type { HostFiles } from '../ports/host.ts';
import type { TreeEntry } from '../ports/repository.ts';
import type { SelectedPoint } from './point-selection.ts';
import { type Choice, chosenEntries } from './restore-choice.ts';
import type { Overwrite } from './restore-request.ts';

export interface Conflicts {
  /** Names in the target folder that stand in the way of a file, at most 20. */
  readonly shown: readonly string[];
  readonly count: number;
}

/** Looks, before anything is written, whether what was chosen fits into an existing folder. Folders are joined; anything
 *  else that is there stands in the way, a symbolic link too: it is never followed.
 *  @throws TargetExists, unless `overwrite` says what to do; also then for a folder in the place of a file, and for a
 *  name that is not UTF-8 in a folder that exists, since such a name cannot be moved by itself */
export async function refuseConflicts(
  target: string,
  choices: readonly Choice[],
  overwrite: Overwrite | undefined,
  ports: { readonly files: HostFiles; readonly selected: SelectedPoint },
  signal: AbortSignal,
): Promise<Conflicts> {
  const look = looker(target, ports.files, signal);
  const shown: string[] = [];
  let count = 0;
  for (const choice of choices) {
    for await (const entry of entriesOf(choice, ports.selected, signal)) {
      const inTheWay = await look(entry, overwrite);
      if (inTheWay === null) continue;
      count++;
      if (shown.length < 20 && !shown.includes(inTheWay)) shown.push(inTheWay);
    }
  }
  if (count === 0 || overwrite !== undefined) return { shown, count };
  const more = count > shown.length ? [`  … ${count} names in all`] : [];
  const words = [`These would be overwritten in ${target}:`, ...shown.map((name) => `  ${name}`), ...more];
  throw new HoldfastError('TargetExists', words.join('\n'), target);
}

async function* entriesOf(choice: Choice, selected: SelectedPoint, signal: AbortSignal): AsyncGenerator<TreeEntry> {
  if (choice.tree) return yield* chosenEntries(choice, selected, signal);
  yield { path: choice.file ?? '', type: 'file', size: choice.bytes, mode: 0o600, mtime: 0, uid: 0, gid: 0 };
}

type Place = 'folder' | 'nothing' | 'other';

/** Says for one entry after the other what is in its way; a folder is looked at once. */
function looker(target: string, files: HostFiles, signal: AbortSignal) {
  const seen = new Map<string, Place>([['', 'folder']]);
  const placeOf = async (name: string): Promise<Place> => {
    const status = await files.status(`${target}/${name}`, signal);
    if (status === null) return 'nothing';
    return status.type === 'directory' ? 'folder' : 'other';
  };
  return async (entry: TreeEntry, overwrite: Overwrite | undefined): Promise<string | null> => {
    const parts = (entry.bytes === undefined ? entry.path : decoded(entry.bytes)).replace(/\/+$/, '').split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      const place = seen.get(folder) ?? (await placeOf(folder));
      seen.set(folder, place);
      if (place === 'nothing') return null; // all below it is new
      if (place === 'other') return folder;
    }
    const name = parts.join('/');
    if (name.includes('\uFFFD') && entry.bytes !== undefined) {
      const words = `${entry.path} is not UTF-8, and its folder exists in ${target}: it cannot be moved there by itself.`;
      throw new HoldfastError('TargetExists', words, entry.path, { hint: 'Restore into a folder that does not exist' });
    }
    const place = await placeOf(name);
    if (entry.type === 'directory') {
      seen.set(name, place);
      return place === 'other' ? name : null;
    }
    if (place === 'folder' && overwrite !== 'never') {
      const words = `${target}/${name} is a folder, and the point has a file there.`;
      throw new HoldfastError('TargetExists', words, name, { hint: 'Move the folder away, or restore to another one' });
    }
    return place === 'nothing' ? null : name;
  };
}

/** What is not UTF-8 becomes U+FFFD, which is looked for where it matters. */
const decoded = (bytes: Uint8Array): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
