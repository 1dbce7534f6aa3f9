import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { prune } from '../../operations/prune.ts';
import { type PrunePlan, planPrune } from '../../operations/prune-plan.ts';
import { duration, gathered } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { refuseUnbuiltPlan } from '../plan-option.ts';
import { plannedPruneAsJson, plannedPruneForPeople, pruneAsJson, pruneForPeople } from '../render/prune.ts';

interface Options {
  readonly plan?: string;
  readonly repository?: readonly string[];
  readonly manual?: boolean;
  readonly olderThan?: number;
  readonly lockWait?: number;
}

export const pruneCommand = (face: Face): Command =>
  new Command('prune')
    .description('Applies retention. The newest point with the highest evidence and held points always stay.')
    .argument('[service...]', 'only these; all of the plan when left out')
    .option('--plan <name>', 'only the points of this plan, also of one that is no longer configured')
    .option('--repository <name>', 'only in this one; may be given again', gathered)
    .option('--manual', 'points made by hand, with --older-than')
    .option('--older-than <duration>', 'with --manual: those that are older', duration)
    .option('--lock-wait <duration>', 'wait for another run', duration)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast prune --dry-run\n  holdfast prune --plan nightly\n  holdfast prune --manual --older-than 90d',
    )
    .action(async (services: string[], options: Options) => {
      if ((options.manual ?? false) !== (options.olderThan !== undefined))
        throw new HoldfastError('Usage', '--manual and --older-than go together.', 'prune');
      await using application = await face.open({ writes: !face.globals().dryRun });
      refuseUnbuiltPlan(options.plan, application);
      const request = {
        plan: options.plan ?? null,
        repositories: options.repository ?? [],
        services,
        manualOlderThanSeconds: options.olderThan ?? null,
        lockWaitMs: (options.lockWait ?? 0) * 1000,
      };
      const plan = await planPrune(request, application, face.signal);
      if (face.globals().dryRun) {
        face.print(plannedPruneForPeople(plan));
        face.printJson(plannedPruneAsJson(plan));
        return face.exit(plan.failures.length > 0 ? 1 : 0);
      }
      const report = await prune(plan, { confirmed: await confirmed(plan, face) }, application, face.signal);
      face.print(pruneForPeople(report));
      face.printJson(pruneAsJson(report));
      face.exit(EXIT_OF_BACKUP[report.outcome]);
    });

/** A plan that would remove more than a changed policy should is asked about, once for all of it. */
async function confirmed({ services }: PrunePlan, face: Face): Promise<boolean> {
  const questions = services.flatMap(({ question }) => question ?? []);
  return questions.length === 0 || face.confirm(questions.join('\n'));
}
