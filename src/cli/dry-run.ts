import { HoldfastError } from '../domain/errors.ts';
import type { GlobalOptions } from './face.ts';

/** A verb that would write although it was told not to does nothing at all. @throws NotBuilt with `--dry-run` */
export function refuseDryRun({ dryRun }: GlobalOptions): void {
  if (!dryRun) return;
  const hint = 'Leave --dry-run out. Those that have one: backup, run, restore, rollback, prune, init';
  throw new HoldfastError('NotBuilt', 'This verb has no dry run yet: nothing was done.', '--dry-run', { hint });
}
