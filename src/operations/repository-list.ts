import { messageOf } from '../domain/errors.ts';
import type { Context } from './context.ts';
import { refresh } from './refresh.ts';
import { freeBytesOf } from './repository-check.ts';

/** One row of `repository list`. */
export interface RepositoryRow {
  readonly name: string;
  readonly engine: string | null;
  /** Null when it could not be reached. */
  readonly points: number | null;
  /** Bytes of the items of all points as stored; a reused item counts in each. */
  readonly totalSize: number | null;
  /** Bytes that can still be written; null where it is not on this machine. */
  readonly freeBytes: number | null;
  /** Why it could not be reached. */
  readonly problem: string | null;
}

/** Each configured repository with what it holds. One that cannot be reached is a row that says so. */
export async function repositoryList(
  context: Pick<Context, 'repository' | 'repositoryNames' | 'catalog' | 'clock' | 'origin' | 'host'>,
  signal: AbortSignal,
): Promise<readonly RepositoryRow[]> {
  const rows: RepositoryRow[] = [];
  for (const name of context.repositoryNames) {
    try {
      const repository = await context.repository(name);
      const { points } = await refresh(repository, undefined, context, signal);
      rows.push({
        name,
        engine: repository.engine,
        points: points.length,
        totalSize: points.reduce((sum, { totalSize }) => sum + totalSize, 0),
        freeBytes: await freeBytesOf(repository, context, signal),
        problem: null,
      });
    } catch (error) {
      signal.throwIfAborted();
      rows.push({ name, engine: null, points: null, totalSize: null, freeBytes: null, problem: messageOf(error) });
    }
  }
  return rows;
}
