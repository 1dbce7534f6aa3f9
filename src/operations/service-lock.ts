import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Context } from './context.ts';

/** Keeps every backup and prune of a service from running, in whichever repository: takes the service's lock in all of
 *  them. One that cannot be reached or written is passed over, with a warning, because it takes no backup either.
 *  @throws RepositoryLocked */
export async function lockService(
  service: string,
  { repositoryNames, repository, progress }: Pick<Context, 'repositoryNames' | 'repository' | 'progress'>,
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  await using held = new AsyncDisposableStack();
  for (const name of repositoryNames) {
    try {
      held.use(await (await repository(name)).lock({ kind: 'service', service }, 'exclusive', 0, signal));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError) || error.code === 'RepositoryLocked') throw error;
      progress({ type: 'warning', subject: name, text: `its backups cannot be held off: ${messageOf(error)}` });
    }
  }
  return held.move();
}
