import { homedir } from 'node:os';
import { Command } from 'commander';
import { printDiagnostic } from '../../config/diagnostic.ts';
import { checkConfiguration, invalid, loadConfiguration } from '../../config/load.ts';
import type { Place } from '../../config/locate.ts';
import { maskedConfiguration, printConfiguration } from '../../config/masked.ts';
import { sampleConfiguration } from '../../config/sample.ts';
import { configurationJsonSchema } from '../../config/schema.ts';
import { homeFolder } from '../../domain/home-folder.ts';
import type { Face } from '../face.ts';
import { bad, coloured, doubtful } from '../render/colour.ts';
import { errorAsJson } from '../render/error.ts';

export const configCommand = (face: Face): Command => {
  const place = (): Place => ({
    file: face.globals().config ?? null,
    environment: process.env,
    homeFolder: homeFolder(process.env, homedir),
  });
  const check = new Command('check')
    .description('Checks the configuration, with line and column. Resolves no secret and touches no repository.')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast config check\n  holdfast --config ./holdfast.yaml config check --json',
    )
    .action(async () => {
      const { files, diagnostics: checked, loaded, warningOf } = await checkConfiguration(place());
      const undumped = loaded === null ? [] : await face.undumpedDatabases(loaded.configuration);
      const diagnostics = [...checked, ...undumped.map(warningOf)];
      for (const diagnostic of diagnostics) {
        const word = diagnostic.severity === 'error' ? bad('error') : doubtful('warning');
        face.print(`${word}: ${printDiagnostic(diagnostic)}`);
      }
      const outcome = loaded === null ? 'failed' : 'passed';
      face.print(`${coloured(outcome)}: ${files.join(', ')}`);
      face.printJson({
        outcome,
        files,
        diagnostics,
        ...(loaded === null ? errorAsJson(invalid(files, diagnostics)) : {}),
      });
      face.exit(loaded === null ? 78 : 0);
    });
  const show = new Command('show')
    .description('The merged configuration, secrets masked.')
    .addHelpText('after', '\nExamples:\n  holdfast config show')
    .action(async () => {
      const { configuration } = await loadConfiguration(place());
      face.print(printConfiguration(configuration));
      face.printJson(Object(maskedConfiguration(configuration)));
    });
  const schema = new Command('schema')
    .description('The JSON Schema of the configuration, for editors.')
    .addHelpText('after', '\nExamples:\n  holdfast config schema > holdfast.schema.json')
    .action(() => {
      face.print(JSON.stringify(configurationJsonSchema(), null, 2));
      face.printJson(configurationJsonSchema());
    });
  const sample = new Command('sample')
    .description('A worked example with everything in it.')
    .addHelpText('after', '\nExamples:\n  holdfast config sample | less')
    .action(() => {
      face.print(sampleConfiguration());
      face.printJson({ configuration: sampleConfiguration() });
    });
  const group = new Command('config')
    .description('Check the configuration, show it, print its schema or a sample.')
    .addHelpText('after', '\nExamples:\n  holdfast config check\n  holdfast config show --json');
  for (const command of [check, show, schema, sample]) group.addCommand(command);
  return group;
};
