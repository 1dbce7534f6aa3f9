import { Command, Option } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { guard } from '../../operations/guard.ts';
import type { RunCommand } from '../../operations/guard-command.ts';
import { planGuard } from '../../operations/guard-plan.ts';
import { guardService } from '../../operations/guard-service.ts';
import { planGuardService } from '../../operations/guard-service-plan.ts';
import { EndsWith, firstCause } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { guardAsJson, guardForPeople } from '../render/guard.ts';
import { guardPlanAsJson, guardPlanForPeople } from '../render/guard-plan.ts';
import { guardedServiceAsJson, guardedServiceForPeople } from '../render/guarded-service.ts';
import { refuseReplaced } from '../typed-words.ts';

interface Options {
  readonly subvolume?: string;
  readonly service?: string;
  readonly operation: string;
  readonly autoRollback?: boolean;
  readonly when?: 'always' | 'auto';
  readonly execute: boolean;
  readonly command?: string;
}

/** Errors that keep their own exit code although nothing was started. */
const OWN_CODES = ['Usage', 'NotBuilt', 'AnswerNeeded', 'Interrupted', 'Terminated'];

export const guardCommand = (face: Face): Command =>
  new Command('guard')
    .description(
      'Runs a command between a recovery point and checks. When they fail, the way back is one command, or none.',
    )
    .argument('[argv...]', 'behind --: the command, run without a shell')
    .option('--subvolume <name>', 'the subvolume that the command may change')
    .option('--service <name>', 'the whole service that the command may change')
    .requiredOption('--operation <name>', 'what is done: stands in the name of the snapshot and in the history')
    .option('--auto-rollback', 'take the data back when the command or a check fails')
    .addOption(
      new Option('--when <when>', 'whether a recovery point is made; auto: see below').choices(['always', 'auto']),
    )
    .option('--no-execute', 'make the snapshot, print its name alone, and run nothing')
    .option('--command <line>', 'a line for /bin/sh -c, in place of the command behind --')
    .addHelpText(
      'after',
      '\nWith --when auto no point is made for an operation that the configuration declares (guard.operations) as reversible or\nas touching no data that outlives it, nor where one younger than guard.fresh (1 h) is there; it says which. Otherwise, and\nwith --auto-rollback, one is always made.\n\nExamples:\n  holdfast guard --subvolume media --operation upgrade --auto-rollback -- docker compose up -d\n  holdfast guard --subvolume media --operation upgrade --no-execute\n  holdfast guard --service immich --operation upgrade --auto-rollback -- docker compose up -d',
    )
    .action(async (argv: readonly string[], options: Options) => {
      const { operation, autoRollback = false, when = null, execute } = options;
      const subject = subjectOf(options);
      const words = commandOf(argv, options);
      refuseReplaced(words);
      const [program = '', ...args] = words;
      if (autoRollback && when === 'auto')
        throw new HoldfastError(
          'Usage',
          '--auto-rollback needs a snapshot, so it cannot go with --when auto.',
          'guard',
        );
      let started = false;
      try {
        const { dryRun } = face.globals();
        await using application = await face.open({ writes: !dryRun });
        const request = { operation, autoRollback, when, execute };
        if (dryRun) {
          const plan =
            'service' in subject
              ? await planGuardService({ ...request, ...subject }, application, face.signal)
              : await planGuard({ ...request, ...subject }, application, face.signal);
          face.print(guardPlanForPeople(plan));
          return face.printJson(guardPlanAsJson(plan));
        }
        const run: RunCommand = (environment) => {
          started = true;
          const { json: stdoutToStderr } = face.globals();
          return application.runInForeground({ program, args, environment, stdoutToStderr, signal: face.signal });
        };
        if ('service' in subject) {
          const report = await guardService({ ...request, ...subject }, run, application, face.signal);
          tell(report.point?.id ?? null, guardedServiceForPeople(report), execute, face);
          face.printJson(guardedServiceAsJson(report));
          return face.exit(report.exitCode);
        }
        const report = await guard({ ...request, ...subject }, run, application, face.signal);
        tell(report.snapshot, guardForPeople(report), execute, face);
        face.printJson(guardAsJson(report));
        face.exit(report.exitCode);
      } catch (error) {
        const cause = firstCause(error);
        const own = cause instanceof HoldfastError && OWN_CODES.includes(cause.code);
        if (started || own || face.signal.aborted) throw error;
        throw new EndsWith(4, error);
      }
    });

/** With --no-execute only the name of what was made goes to stdout: scripts read it. */
function tell(made: string | null, text: string, execute: boolean, face: Face): void {
  if (execute || made === null) face.note(text);
  else face.print(made);
}

/** @throws Usage for none of them, or both */
function subjectOf({ subvolume, service }: Options): { readonly subvolume: string } | { readonly service: string } {
  if (service !== undefined && subvolume !== undefined)
    throw new HoldfastError('Usage', 'Choose one of --service and --subvolume.', 'guard');
  if (service !== undefined) return { service };
  if (subvolume !== undefined) return { subvolume };
  throw new HoldfastError('Usage', 'Say what the command may change: --subvolume NAME or --service NAME.', 'guard');
}

/** The program and its arguments; empty with --no-execute, whatever command is given.
 *  @throws Usage for two commands, or none */
function commandOf(argv: readonly string[], { command, execute }: Options): readonly string[] {
  if (argv.length > 0 && command !== undefined)
    throw new HoldfastError('Usage', 'Give one command: --command LINE, or words behind --.', 'guard');
  if (!execute) return [];
  if (command !== undefined) return ['/bin/sh', '-c', command];
  const [program = null] = argv;
  if (program) return argv;
  const problem = program === null ? 'There is no command' : 'The name of the command is empty';
  throw new HoldfastError('Usage', `${problem}: write it behind --, or say --no-execute.`, 'guard', {
    hint: 'holdfast guard --help',
  });
}
