import { mkdir, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { searchedFiles } from '../../config/locate.ts';
import { counted } from '../../domain/counted.ts';
import { HoldfastError } from '../../domain/errors.ts';
import { homeFolder } from '../../domain/home-folder.ts';
import { makeFolders } from '../../domain/make-folders.ts';
import { proposal } from '../../domain/proposal.ts';
import { inspectMachine } from '../../operations/init.ts';
import type { Face } from '../face.ts';

const isRoot = (): boolean => process.getuid?.() === 0;

const ownHome = (): string => homeFolder(process.env, homedir);

/** The first place where the configuration is looked for that this account can write.
 *  @param file what `--config` says; null when it is not given */
function defaultOutput(file: string | null): string {
  const places = searchedFiles({ file, environment: process.env, homeFolder: ownHome() });
  return (isRoot() ? places[0] : places.at(-1)) ?? '';
}

export const initCommand = (face: Face): Command =>
  new Command('init')
    .description(
      'Looks at this machine, proposes a configuration with comments and writes it, never over an existing file.',
    )
    .option('--output <file>', 'where to; "-" prints it')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast init\n  holdfast init --output ./holdfast.yaml\n  holdfast init --output - | less',
    )
    .action(async ({ output = defaultOutput(face.globals().config ?? null) }: { readonly output?: string }) => {
      const findings = await inspectMachine(await face.machine(), face.signal);
      const repository = isRoot() ? '/var/backups/holdfast' : join(ownHome(), 'holdfast-backups');
      const text = proposal(findings, repository);
      const services = findings.services.length;
      const usable = findings.services.filter(({ sources }) => sources.some(({ problem }) => problem === null)).length;
      const path = output === '-' || face.globals().dryRun ? null : resolve(output);
      if (path === null) face.print(text);
      else {
        await writeNew(path, text);
        const more = services - usable;
        const others = more === 0 ? '' : `, and ${more} as a comment that says what is in the way`;
        face.print(
          `Wrote ${path}: ${counted(usable, 'service')}${others}. Read it, then: holdfast ${optionFor(path)}config check`,
        );
      }
      face.printJson({ path, services, configuration: text });
    });

/** Nothing where the configuration is looked for by itself. */
const optionFor = (path: string): string => (path === defaultOutput(null) ? '' : `--config ${path} `);

async function writeNew(path: string, text: string): Promise<void> {
  await makeFolders(dirname(path), 0o777, { mkdir, stat }); // the umask of the caller applies
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    const hint = 'Edit it, or write the proposal elsewhere: holdfast init --output FILE';
    throw new HoldfastError('TargetExists', `${path} exists and was not touched.`, path, { cause, hint });
  }
}
