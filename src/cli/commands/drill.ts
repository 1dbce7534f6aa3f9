import { access, constants, stat, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { HoldfastError, messageOf } from '../../domain/errors.ts';
import { drill, planDrill } from '../../operations/drill.ts';
import { duration, gathered, size } from '../arguments.ts';
import { EXIT_OF_PROOF } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { tellPlanned } from '../planned.ts';
import { drillAsJson, drillForPeople } from '../render/drill.ts';
import { drillAsHtml } from '../render/drill-html.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';

interface Options extends RepositoryChoice {
  readonly item?: readonly string[];
  readonly sample?: boolean;
  readonly html?: string;
  readonly scratch: string;
  readonly maxSpace?: number;
  readonly maxDuration?: number;
  readonly lockWait?: number;
}

/** A folder for large things that outlives a restart, file-hierarchy(7): what a crash leaves in it is found again. */
const SCRATCH_FOLDER = '/var/tmp';

export const drillCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('drill'))
    .description(
      'Restores into scratch instances that nobody else uses, and compares with what was counted in the backup.',
    )
    .argument('[what]', 'a service, whose newest point is taken, or a point; every service when left out')
    .option('--item <name>', 'only this item, or the one of this source; may be given again', gathered)
    .option('--sample', 'of every service the one whose proof is oldest, within the limits that follow')
    .option('--scratch <dir>', 'where scratch instances are made, and removed', SCRATCH_FOLDER)
    .option('--max-space <size>', 'do not begin when they would take more', size)
    .option('--max-duration <duration>', 'give up after this time', duration)
    .option('--html <file>', 'write a report to be printed as well; one that is there is replaced')
    .option('--lock-wait <duration>', 'wait for another drill of the same service', duration)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast drill mealie\n  holdfast drill databases --item postgres_authelia --json\n  holdfast drill --sample --max-duration 30m --max-space 20GiB --html drill.html',
    )
    .action(async (what: string | undefined, options: Options) => {
      if (options.sample && (what !== undefined || options.item !== undefined))
        throw new HoldfastError('Usage', '--sample chooses the service by itself.', '--sample');
      if (options.html !== undefined) await confirmHtml(resolve(options.html));
      const { dryRun } = face.globals();
      await using application = await face.open({ ...openedFor(options), writes: !dryRun });
      const request = {
        what: what ?? null,
        repository: options.repository,
        items: options.item,
        sample: options.sample ?? false,
        scratch: resolve(options.scratch),
        maxBytes: options.maxSpace ?? null,
        maxDurationMs: options.maxDuration === undefined ? null : options.maxDuration * 1000,
        lockWaitMs: (options.lockWait ?? 0) * 1000,
      };
      if (dryRun) {
        const planned = await planDrill(request, application, face.signal);
        const points = planned.points.map(({ point }) => point);
        return tellPlanned('drill', { points, warnings: planned.warnings }, face);
      }
      const report = await drill(request, application, face.signal);
      if (options.html !== undefined) await writeHtml(options.html, drillAsHtml(report));
      face.print(drillForPeople(report));
      face.printJson(drillAsJson(report));
      face.exit(EXIT_OF_PROOF[report.outcome]);
    });

/** A drill may take hours: whether its report can be written is looked at before. @throws PathUnusable */
async function confirmHtml(path: string): Promise<void> {
  try {
    const found = await stat(path).catch(() => null);
    if (found?.isDirectory() === true) throw new Error('it is a folder');
    await access(found === null ? dirname(path) : path, constants.W_OK);
  } catch (cause) {
    throw new HoldfastError('PathUnusable', `The report cannot be written: ${messageOf(cause)}.`, path, { cause });
  }
}

async function writeHtml(path: string, page: string): Promise<void> {
  try {
    await writeFile(path, page);
  } catch (cause) {
    const words = `The report cannot be written: ${messageOf(cause)}. The drill itself is recorded.`;
    throw new HoldfastError('PathUnusable', words, path, { cause });
  }
}
