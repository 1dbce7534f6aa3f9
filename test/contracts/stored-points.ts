import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import type { PointHeader, Repository } from '../../src/ports/repository.ts';
import type { CapturedStream } from '../../src/ports/source.ts';
import { aHeader, aManifest, aRow, aStream, aTree, chunks, plantTree } from './captured-items.ts';

/** A repository that was just initialized. */
export interface RepositoryFixture extends AsyncDisposable {
  readonly repository: Repository;
  /** The same repository as another run has it, in this process. */
  readonly again: () => Repository;
  /** Changes bytes of a stored item. */
  readonly damage: (point: RecoveryPoint, item: string) => Promise<void>;
}

export const LDIF = 'dn: dc=home,dc=lan\nobjectClass: top\n';

/** Stores one dump and commits. */
export async function storePoint(
  repository: Repository,
  header: PointHeader,
  signal: AbortSignal,
  bytes: string | Uint8Array = LDIF,
): Promise<RecoveryPoint> {
  await using draft = await repository.begin(header, 0, signal);
  const item = aStream('ldap', () => chunks(bytes));
  const stored = await draft.putStream(item, signal);
  return await draft.commit(aManifest(header, [aRow(item, stored)]), null, signal);
}

export function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-contract-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function namesIn(tar: Buffer): string[] {
  const { status, stdout, stderr } = spawnSync('tar', ['-tf', '-'], { input: tar });
  expect([status, stderr.toString()]).toEqual([0, '']);
  return stdout.toString().trimEnd().split('\n');
}

/** The fields of an item that was really stored, for a manifest that lies. */
export async function aStored(repository: Repository, signal: AbortSignal): Promise<Parameters<typeof aRow>[1]> {
  const header = aHeader({ service: 'directory' });
  await using draft = await repository.begin(header, 0, signal);
  return await draft.putStream(
    aStream('ldap', () => chunks(LDIF)),
    signal,
  );
}

/** A point of a tree and a dump. */
export async function storeTree(
  repository: Repository,
  signal: AbortSignal,
): Promise<{ readonly point: RecoveryPoint; readonly folder: string; readonly stored: string }> {
  const folder = aFolder();
  plantTree(folder);
  const header = aHeader();
  const tree = aTree('files_data', 'data', folder);
  const dump: CapturedStream = aStream('ldap', () => chunks(LDIF));
  await using draft = await repository.begin(header, 0, signal);
  const rows = [aRow(dump, await draft.putStream(dump, signal)), aRow(tree, await draft.putTree(tree, signal))];
  const point = await draft.commit(aManifest(header, rows), null, signal);
  const stored = point.manifest?.items.find((row) => row.name === 'files_data')?.roots?.[0]?.stored ?? '';
  return { point, folder, stored };
}
