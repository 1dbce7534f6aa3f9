import { Command } from 'commander';
import { unlock } from '../../operations/unlock.ts';
import { gathered } from '../arguments.ts';
import { refuseDryRun } from '../dry-run.ts';
import type { Face } from '../face.ts';
import { failureAsJson, failureForPeople } from '../render/backup.ts';
import { repairAsJson, repairForPeople } from '../render/doctor.ts';
import { printable } from '../render/table.ts';

interface Options {
  readonly repository?: readonly string[];
  readonly force?: boolean;
}

export const unlockCommand = (face: Face): Command =>
  new Command('unlock')
    .description('Puts right what runs left that ended early: open journals, stale locks, unfinished drafts.')
    .option('--repository <name>', 'only this one; may be given again', gathered)
    .option('--force', 'also what another machine or container holds; make sure that nothing runs there')
    .addHelpText('after', '\nExamples:\n  holdfast unlock\n  holdfast unlock --repository local --force')
    .action(async ({ repository = [], force = false }: Options) => {
      refuseDryRun(face.globals());
      await using application = await face.open();
      if (force && !(await face.confirm('Remove locks whose holders cannot be seen from here?'))) return face.exit(1);
      const report = await unlock({ repositories: repository, force }, application, face.signal);
      for (const repair of report.repairs) face.print(repairForPeople(repair));
      for (const { name, removed } of report.repositories)
        for (const what of removed) face.print(`${printable(name)}: removed ${printable(what)}`);
      for (const failure of report.failures) face.print(failureForPeople(failure));
      const idle = report.repairs.length === 0 && report.repositories.every(({ removed }) => removed.length === 0);
      if (idle && report.failures.length === 0) face.print('Nothing was left behind.');
      face.printJson({
        outcome: report.outcome,
        repairs: report.repairs.map(repairAsJson),
        repositories: report.repositories,
        failures: report.failures.map(failureAsJson),
      });
      face.exit(report.outcome === 'passed' ? 0 : 1);
    });
