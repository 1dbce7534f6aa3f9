import { Command } from 'commander';
import { backup } from '../../operations/backup.ts';
import { planBackup } from '../../operations/backup-plan.ts';
import { count, duration, gathered } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { refuseUnbuiltPlan } from '../plan-option.ts';
import { backupAsJson, backupForPeople, plannedBackupForPeople } from '../render/backup.ts';

interface Options {
  readonly plan?: string;
  readonly repository?: readonly string[];
  readonly acceptLoss?: readonly string[];
  readonly lockWait?: number;
  readonly jobs?: number;
}

export const backupCommand = (face: Face): Command =>
  new Command('backup')
    .description('Makes recovery points of services. An item that fails does not stop the others.')
    .argument('[service...]', 'all services, or all of the plan, when left out')
    .option('--plan <name>', 'as this plan does, whose retention then counts; it removes nothing')
    .option('--repository <name>', 'into this one; may be given again', gathered)
    .option('--accept-loss <service>', 'take what lost its files, this once; may be given again', gathered)
    .option('--lock-wait <duration>', 'wait for another run on the same service', duration)
    .option('--jobs <n>', 'items of a service that are stored side by side; 2 when left out', count)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast backup\n  holdfast backup wishlist --repository local\n  holdfast backup --plan nightly --json',
    )
    .action(async (services: string[], options: Options) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      refuseUnbuiltPlan(options.plan, application);
      const request = {
        services,
        plan: options.plan ?? null,
        repositories: options.repository ?? [],
        acceptLoss: options.acceptLoss ?? [],
        lockWaitMs: (options.lockWait ?? 0) * 1000,
        jobs: options.jobs,
      };
      if (dryRun) {
        const planned = await planBackup(request, application, face.signal);
        face.print(plannedBackupForPeople(planned));
        return face.printJson({ dryRun, services: planned });
      }
      const report = await backup(request, application, face.signal);
      face.print(backupForPeople(report));
      face.printJson(backupAsJson(report));
      face.exit(EXIT_OF_BACKUP[report.outcome]);
    });
