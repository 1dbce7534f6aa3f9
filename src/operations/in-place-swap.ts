import { beside } from '../domain/beside.ts';
import { KEPT_STATE } from '../domain/pool-names.ts';
import { parentOf } from '../domain/tree-path.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Host } from '../ports/host.ts';
import { exchanged } from './in-place-kept.ts';
import type { Staged } from './in-place-stage.ts';

/** Where a present state went. */
export interface SetAside {
  readonly path: string;
  readonly original: string;
}

export interface SwapParts {
  readonly host: Host;
  readonly journal: Pick<JournalEntry, 'step'>;
}

/** Puts what was staged in the place of the present state, by renames that are journalled one by one. Left before the
 *  journal's point of no return, all of them are taken back. Answers with what was set aside. */
export async function swap(exchange: Staged, parts: SwapParts, signal: AbortSignal): Promise<readonly SetAside[]> {
  return exchange.way === 'contents' ? swapContents(exchange, parts, signal) : swapPath(exchange, parts, signal);
}

async function rename(from: string, to: string, { host, journal }: SwapParts, signal: AbortSignal): Promise<SetAside> {
  const step = { kind: 'path-renamed', host: host.name, from, to } as const;
  await journal.step(step, () => host.files.rename(from, to, signal));
  return { path: to, original: from };
}

async function make(path: string, mode: number, { host, journal }: SwapParts, signal: AbortSignal): Promise<void> {
  const step = { kind: 'folder-made', host: host.name, path } as const;
  await journal.step(step, () => host.files.makeFolder(path, mode, signal));
}

async function swapPath(exchange: Staged, parts: SwapParts, signal: AbortSignal): Promise<readonly SetAside[]> {
  const { path, staged, kept, present, presentCompanions, missingParent } = exchange;
  const aside: SetAside[] = [];
  for (const companion of presentCompanions) {
    // A log must keep standing beside its database: `notes.db-wal` goes with `notes.db` to `KEPT-wal`.
    const to = companion.startsWith(path)
      ? `${kept}${companion.slice(path.length)}`
      : beside(companion, kept.slice(kept.lastIndexOf(KEPT_STATE)));
    aside.push(await rename(companion, to, parts, signal));
  }
  if (present !== null) aside.push(await rename(path, kept, parts, signal));
  const { files } = parts.host;
  if (missingParent !== null && (await files.status(missingParent, signal)) === null) {
    await make(missingParent, 0o755, parts, signal);
  }
  await files.makeFolder(parentOf(path), 0o755, signal);
  await rename(staged, path, parts, signal);
  return aside;
}

async function swapContents(exchange: Staged, parts: SwapParts, signal: AbortSignal): Promise<readonly SetAside[]> {
  const { path, staged, kept } = exchange;
  const { files } = parts.host;
  await make(kept, 0o700, parts, signal);
  const present = (await files.list(path, signal)).filter(exchanged).toSorted();
  for (const name of present) await rename(`${path}/${name}`, `${kept}/${name}`, parts, signal);
  const restored = (await files.list(staged, signal)).filter(exchanged).toSorted();
  for (const name of restored) await rename(`${staged}/${name}`, `${path}/${name}`, parts, signal);
  return [{ path: kept, original: path }];
}

/** A mount point stays and only its contents were exchanged; it takes the owner and the mode of the folder in the point. */
export async function dressMountPoint({ path, staged }: Staged, host: Host, signal: AbortSignal): Promise<void> {
  for (const program of ['chown', 'chmod']) {
    await host.run({ program, args: [`--reference=${staged}`, '--', path] }, { signal });
  }
}
