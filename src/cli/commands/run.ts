import { Command } from 'commander';
import { run } from '../../operations/run.ts';
import { planRun } from '../../operations/run-plan.ts';
import { duration } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { refuseUnbuiltPlan } from '../plan-option.ts';
import { plannedRunAsJson, plannedRunForPeople, runAsJson, runForPeople } from '../render/run.ts';

export const runCommand = (face: Face): Command =>
  new Command('run')
    .description('What a timer calls: backup, then proof of the new points, then retention where there was proof.')
    .argument('<plan>', 'a plan of the configuration')
    .option('--lock-wait <duration>', 'wait for another run on the same service', duration)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast run nightly\n  holdfast run nightly --dry-run\n  holdfast run nightly --lock-wait 10m --json',
    )
    .action(async (plan: string, { lockWait = 0 }: { readonly lockWait?: number }) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      refuseUnbuiltPlan(plan, application);
      const request = { plan, lockWaitMs: lockWait * 1000 };
      if (dryRun) {
        const planned = await planRun(request, application, face.signal);
        face.print(plannedRunForPeople(planned));
        face.printJson(plannedRunAsJson(planned));
        return face.exit(planned.prune.failures.length > 0 ? 1 : 0);
      }
      const report = await run(request, application, face.signal);
      face.print(runForPeople(report));
      face.printJson(runAsJson(report));
      face.exit(EXIT_OF_BACKUP[report.outcome]);
    });
