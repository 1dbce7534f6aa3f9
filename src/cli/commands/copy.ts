import { Command } from 'commander';
import { copy, planCopy } from '../../operations/copy.ts';
import { duration } from '../arguments.ts';
import type { Face } from '../face.ts';
import { pointAsJson } from '../render/point.ts';
import { printable } from '../render/table.ts';

interface Options {
  readonly to: string;
  readonly from?: string;
  readonly lockWait?: number;
}

export const copyCommand = (face: Face): Command =>
  new Command('copy')
    .description('Copies a recovery point into another repository, under the same id; it is proved while it is read.')
    .argument('<point>', 'a point, or a service (its newest usable point)')
    .requiredOption('--to <repository>', 'into this one')
    .option('--from <repository>', 'out of this one; the first that has it when left out')
    .option('--lock-wait <duration>', 'wait for another run on the same service', duration)
    .addHelpText('after', '\nExamples:\n  holdfast copy wishlist --to sealed')
    .action(async (what: string, { to, from, lockWait = 0 }: Options) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      const request = { what, from: from ?? null, to, lockWaitMs: lockWait * 1000 };
      if (dryRun) {
        const { point, from, there } = await planCopy(request, application, face.signal);
        const would = there ? 'is already in' : `would be copied from ${printable(from)} to`;
        face.print(`${point.id}  ${printable(point.service)}: ${would} ${printable(to)}`);
        return face.printJson({ dryRun, from, to, copied: false, there, point: pointAsJson(point) });
      }
      const report = await copy(request, application, face.signal);
      const { point, copied } = report;
      const words = copied ? `copied from ${printable(report.from)} to` : 'was already in';
      face.print(`${point.id}  ${printable(point.service)}: ${words} ${printable(to)} (${printable(point.location)})`);
      face.printJson({
        run: report.run,
        outcome: report.outcome,
        from: report.from,
        copied,
        point: pointAsJson(point),
      });
    });
