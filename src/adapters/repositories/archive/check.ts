import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import type { Problem } from '../../../ports/repository.ts';
import { openCanary } from './canary.ts';
import { ifPresent } from './failures.ts';
import type { Layout } from './layout.ts';
import type { Locks } from './locks.ts';
import { MARKER } from './marker.ts';
import { RESTORE_SCRIPT, restoreScript } from './restore-script.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';

/** All that can be told without reading the items' bytes; the marker was read by the caller. */
export async function checkRepository(
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  layout: Layout,
  locks: Locks,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const { path } = settings;
  const problems: Problem[] = [];
  await openCanary(settings, tools, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    const code = error instanceof HoldfastError ? { code: error.code } : {};
    problems.push({ subject: 'key', detail: messageOf(error), ...code });
  });
  const { mode } = await lstat(join(path, MARKER));
  if (mode & 0o077) problems.push({ subject: MARKER, detail: 'is open to others' });
  if ((await ifPresent(readFile(join(path, RESTORE_SCRIPT), 'utf8'))) !== restoreScript) {
    problems.push({ subject: RESTORE_SCRIPT, detail: 'is missing, or not the one of this version' });
  }
  const seen = await locks.survey();
  for (const { lock, stale } of seen) {
    if (stale) problems.push({ subject: lock.scope, detail: `has a lock that was left by ${locks.holder(lock)}` });
  }
  const recorded = new Set(seen.flatMap(({ lock }) => lock.content?.leftover?.folder ?? []));
  for (const folder of await provisionalFolders(path)) {
    if (!recorded.has(folder)) problems.push({ subject: folder, detail: 'is a draft or removal that no lock records' });
  }
  return [...problems, ...(await layout.check(signal))];
}

/** Drafts and removals, in the repository's folder and one below. */
async function provisionalFolders(path: string): Promise<readonly string[]> {
  const provisional = (name: string) => name.startsWith('.draft-') || name.startsWith('.removed-');
  const found: string[] = [];
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    if (provisional(entry.name)) found.push(entry.name);
    if (entry.name.startsWith('.')) continue;
    const names = (await ifPresent(readdir(join(path, entry.name)))) ?? [];
    found.push(...names.filter(provisional).map((name) => `${entry.name}/${name}`));
  }
  return found;
}
