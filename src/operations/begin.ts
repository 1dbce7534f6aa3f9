import { HoldfastError } from '../domain/errors.ts';
import type { Clock } from '../ports/clock.ts';
import type { Draft, PointHeader, Repository } from '../ports/repository.ts';

const TRY_AGAIN_MS = 250;

/** Opens a draft, waiting for another run on the same service. The header is made again for each try: a point that
 *  waited must not be older than the one it waited for. @throws RepositoryLocked after `lockWaitMs` */
export async function beginWaiting(
  repository: Repository,
  header: () => PointHeader,
  lockWaitMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<{ readonly draft: Draft; readonly header: PointHeader }> {
  const end = clock.monotonicMs() + lockWaitMs;
  for (;;) {
    const made = header();
    try {
      return { draft: await repository.begin(made, 0, signal), header: made };
    } catch (error) {
      const locked = error instanceof HoldfastError && error.code === 'RepositoryLocked';
      if (!locked || clock.monotonicMs() >= end) throw error;
    }
    await clock.sleep(TRY_AGAIN_MS, signal);
  }
}
