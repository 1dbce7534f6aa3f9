import { HoldfastError } from '../domain/errors.ts';
import type { GlobalOptions } from './face.ts';

const WITH_DRY_RUN = [
  'backup',
  'run',
  'verify',
  'drill',
  'copy',
  'hold',
  'release',
  'restore',
  'guard',
  'rollback',
  'prune',
  'init',
  'repository init',
  'snapshot create',
];

/** A verb that would write although it was told not to does nothing at all. @throws NotBuilt with `--dry-run` */
export function refuseDryRun({ dryRun }: GlobalOptions): void {
  if (!dryRun) return;
  const hint = `Leave --dry-run out. Those that have one: ${WITH_DRY_RUN.join(', ')}`;
  throw new HoldfastError('NotBuilt', 'This verb has no dry run yet: nothing was done.', '--dry-run', { hint });
}
