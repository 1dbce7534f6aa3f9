import { Command } from 'commander';
import { doctor, type RequiredTool } from '../../operations/doctor.ts';
import type { Application, Face } from '../face.ts';
import { doctorAsJson, doctorForPeople } from '../render/doctor.ts';

export const doctorCommand = (face: Face): Command =>
  new Command('doctor')
    .description('What this machine has and lacks for this configuration.')
    .option('--repair', 'put right what a run left that ended early')
    .addHelpText('after', '\nExamples:\n  holdfast doctor\n  holdfast doctor --repair --json')
    .action(async ({ repair = false }: { readonly repair?: boolean }) => {
      await using application = await face.open();
      const report = await doctor(
        { tools: requiredTools(application), repair: repair && !face.globals().dryRun },
        application,
        face.signal,
      );
      face.print(doctorForPeople(report));
      face.printJson(doctorAsJson(report));
      face.exit(report.outcome === 'passed' ? 0 : 1);
    });

/** What the sources and repositories of this configuration run. GNU tar wrote its first `--verbatim-files-from` in
 *  1.29 (its NEWS). */
function requiredTools({ services, loaded }: Application): readonly RequiredTool[] {
  const trees = [...services.values()].filter(({ sources }) => sources.some(({ kind }) => kind === 'files'));
  const neededBy = `folders of ${trees.map(({ name }) => name).join(', ')}`;
  const sealed = Object.entries(loaded?.configuration.repositories ?? {}).filter(
    ([, one]) => one.engine === 'archive' && one.encryption !== undefined && 'gpg' in one.encryption,
  );
  return [
    ...(trees.length === 0
      ? []
      : [
          { program: 'tar', neededBy, minimum: '1.29' },
          { program: 'find', neededBy, minimum: null },
        ]),
    ...(sealed.length === 0
      ? []
      : [{ program: 'gpg', neededBy: `repositories ${sealed.map(([name]) => name).join(', ')}`, minimum: '2.1' }]),
  ];
}
