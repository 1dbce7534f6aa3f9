import type { Context } from './context.ts';
import { type Failure, failureOf } from './failure.ts';
import { type AdvisedRepair, withAdvice } from './left-guards.ts';

export interface UnlockRequest {
  /** All when empty. */
  readonly repositories: readonly string[];
  /** Also what a process holds that cannot be seen from here, on another machine or in another container. */
  readonly force: boolean;
}

export interface UnlockReport {
  /** `failed`: a journal could not be put right, or a repository could not be looked at. */
  readonly outcome: 'passed' | 'failed';
  readonly repairs: readonly AdvisedRepair[];
  /** What was removed from each repository, in words. */
  readonly repositories: readonly { readonly name: string; readonly removed: readonly string[] }[];
  readonly failures: readonly Failure[];
}

/** Puts right what ended processes left: open journals first, since they may hold what a lock is about, then locks and
 *  drafts. What a running process holds stays. */
export async function unlock(
  { repositories, force }: UnlockRequest,
  context: Pick<Context, 'journal' | 'repository' | 'repositoryNames' | 'catalog'>,
  signal: AbortSignal,
): Promise<UnlockReport> {
  const repairs = await withAdvice(await (await context.journal()).repair({ force }, signal), context.catalog);
  const unlocked: { name: string; removed: readonly string[] }[] = [];
  const failures: Failure[] = [];
  for (const name of repositories.length > 0 ? repositories : context.repositoryNames) {
    try {
      const repository = await context.repository(name);
      unlocked.push({ name, removed: await repository.unlock({ force }, signal) });
    } catch (error) {
      signal.throwIfAborted();
      failures.push(failureOf(error, '', name));
    }
  }
  const failed = failures.length > 0 || repairs.some(({ outcome }) => outcome === 'failed');
  return { outcome: failed ? 'failed' : 'passed', repairs, repositories: unlocked, failures };
}
