import { Command } from 'commander';
import { counted } from '../../domain/counted.ts';
import { catalogRebuild } from '../../operations/catalog-rebuild.ts';
import { gathered } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { failureAsJson, failureForPeople } from '../render/backup.ts';
import { coloured, doubtful } from '../render/colour.ts';
import { printable } from '../render/table.ts';

export const catalogCommand = (face: Face): Command =>
  new Command('catalog')
    .description('What this machine remembers of its repositories.')
    .addHelpText('after', '\nExamples:\n  holdfast catalog rebuild')
    .addCommand(
      new Command('rebuild')
        .description('Reads every manifest, hold and report again: the repositories are right, the catalog follows.')
        .option('--repository <name>', 'only this one; may be given again', gathered)
        .addHelpText('after', '\nExamples:\n  holdfast catalog rebuild')
        .action(async ({ repository = [] }: { readonly repository?: readonly string[] }) => {
          await using application = await face.open({ writes: true, setDamagedCatalogAside: true });
          const report = await catalogRebuild({ repositories: repository }, application, face.signal);
          for (const { name, points, unreadable } of report.repositories) {
            face.print(`${printable(name)}: ${counted(points, 'recovery point')}`);
            for (const { location, problem } of unreadable)
              face.print(`${doubtful('unreadable')}: ${printable(location)}: ${printable(problem)}`);
          }
          for (const failure of report.failures) face.print(failureForPeople(failure));
          face.print(coloured(report.outcome));
          face.printJson({ ...report, failures: report.failures.map(failureAsJson) });
          face.exit(EXIT_OF_BACKUP[report.outcome]);
        }),
    );
