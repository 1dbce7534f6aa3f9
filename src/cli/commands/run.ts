import { Command } from 'commander';
import { run } from '../../operations/run.ts';
import { duration } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { runAsJson, runForPeople } from '../render/run.ts';

export const runCommand = (face: Face): Command =>
  new Command('run')
    .description('What a timer calls: backup, then proof of the new points, then retention where there was proof.')
    .argument('<plan>', 'a plan of the configuration')
    .option('--lock-wait <duration>', 'wait for another run on the same service', duration)
    .addHelpText('after', '\nExamples:\n  holdfast run nightly\n  holdfast run nightly --lock-wait 10m --json')
    .action(async (plan: string, { lockWait = 0 }: { readonly lockWait?: number }) => {
      await using application = await face.open({ writes: true });
      const report = await run({ plan, lockWaitMs: lockWait * 1000 }, application, face.signal);
      face.print(runForPeople(report));
      face.printJson(runAsJson(report));
      face.exit(EXIT_OF_BACKUP[report.outcome]);
    });
