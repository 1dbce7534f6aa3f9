import { HoldfastError } from '../domain/errors.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Host, PathStatus } from '../ports/host.ts';
import type { Overwrite } from './restore-request.ts';

export interface Merge {
  readonly host: Host;
  readonly journal: Pick<JournalEntry, 'step'>;
  readonly overwrite: Overwrite | undefined;
  /** A folder for what is replaced: it goes when the restore is done, and back when it fails. */
  readonly displaced: string;
}

/** For moves within a folder that goes as a whole: none of them has to be taken back. */
export const UNRECORDED: Merge['journal'] = { step: (_, take) => take() };

export interface Merged {
  readonly replaced: number;
  readonly skipped: number;
}

/** Moves what is in the folder `from` into the folder `to`, each move journalled. A folder that is not there is moved
 *  whole; one that is there is joined and keeps its own attributes. No symbolic link in `to` is followed.
 *  @throws TargetExists for what appeared since it was looked at */
export async function merge(from: string, to: string, parts: Merge, signal: AbortSignal): Promise<Merged> {
  const { host, journal } = parts;
  let [replaced, skipped] = [0, 0];
  const move = (source: string, destination: string): Promise<void> =>
    journal.step({ kind: 'path-renamed', host: host.name, from: source, to: destination }, () =>
      host.files.rename(source, destination, signal),
    );
  async function join(source: string, destination: string): Promise<void> {
    for (const name of (await host.files.list(source, signal)).toSorted()) {
      const [inner, outer] = [`${source}/${name}`, `${destination}/${name}`];
      const staged = await statusOf(inner);
      const present = await host.files.status(outer, signal);
      if (present === null) await move(inner, outer);
      else if (staged.type === 'directory' && present.type === 'directory') await join(inner, outer);
      else if (parts.overwrite === undefined) throw appeared(outer);
      else if (!replaces(parts.overwrite, staged, present)) skipped++;
      else if (present.type === 'directory') throw appeared(outer);
      else {
        await move(outer, `${parts.displaced}/${replaced}`);
        await move(inner, outer);
        replaced++;
      }
    }
  }
  async function statusOf(path: string): Promise<PathStatus> {
    const status = await host.files.status(path, signal);
    if (status !== null) return status;
    throw new HoldfastError('Internal', `${path} was just written and is not there.`, path);
  }
  await join(from, to);
  return { replaced, skipped };
}

function replaces(overwrite: Overwrite, staged: PathStatus, present: PathStatus): boolean {
  if (overwrite === 'if-newer') return staged.modifiedNs > present.modifiedNs;
  return overwrite === 'always';
}

const appeared = (path: string): HoldfastError =>
  new HoldfastError('TargetExists', `${path} appeared while the restore was running; it was left as it is.`, path);
