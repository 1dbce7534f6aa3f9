import { Command } from 'commander';
import { hold, planHold, planRelease, release } from '../../operations/hold.ts';
import type { Face } from '../face.ts';
import { tellPlanned } from '../planned.ts';
import { pointAsJson } from '../render/point.ts';
import { printable } from '../render/table.ts';

interface Options {
  readonly repository?: string;
  readonly reason?: string;
}

export const holdCommand = (face: Face): Command =>
  new Command('hold')
    .description('Keeps a recovery point whatever retention says, in every repository that has it.')
    .argument('<point>', 'a point')
    .option('--reason <text>', 'why, for the list')
    .option('--repository <name>', 'only in this one')
    .addHelpText('after', "\nExamples:\n  holdfast hold 01KAJ --reason 'before the move'")
    .action(async (what: string, { repository, reason }: Options) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      const request = { what, repository: repository ?? null, reason: reason ?? null };
      if (dryRun) {
        const points = await planHold(request, application, face.signal);
        return tellPlanned('hold', { points }, face);
      }
      const report = await hold(request, application, face.signal);
      for (const point of report.points)
        face.print(`held  ${point.id}  ${printable(point.service)} in ${printable(point.repository)}`);
      face.printJson({ run: report.run, outcome: report.outcome, points: report.points.map(pointAsJson) });
    });

export const releaseCommand = (face: Face): Command =>
  new Command('release')
    .description('Gives a held point back to retention. Later ones that were held for the same reason go with it.')
    .argument('<point>', 'a point')
    .option('--repository <name>', 'only in this one')
    .addHelpText('after', '\nExamples:\n  holdfast release 01KAJ')
    .action(async (what: string, { repository }: Options) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      const request = { what, repository: repository ?? null };
      if (dryRun) {
        const points = await planRelease(request, application, face.signal);
        return tellPlanned('release', { points }, face);
      }
      const report = await release(request, application, face.signal);
      for (const point of report.points) {
        const word = report.wasNotHeld.includes(point.repository) ? 'was not held' : 'released';
        face.print(`${word}  ${point.id}  ${printable(point.service)} in ${printable(point.repository)}`);
      }
      for (const point of report.released)
        face.print(`released  ${point.id}  ${printable(point.service)} in ${printable(point.repository)}`);
      face.printJson({
        run: report.run,
        outcome: report.outcome,
        points: report.points.map(pointAsJson),
        released: report.released.map(pointAsJson),
      });
    });
