import { Command, Option } from 'commander';
import { VERIFY_LEVELS, type VerifyLevel } from '../../domain/verdict.ts';
import { planVerify, verify } from '../../operations/verify.ts';
import { count, duration } from '../arguments.ts';
import { EXIT_OF_PROOF } from '../exit-code.ts';
import type { Face } from '../face.ts';
import { tellPlanned } from '../planned.ts';
import { verifyAsJson, verifyForPeople } from '../render/verify.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';

interface Options extends RepositoryChoice {
  readonly level: VerifyLevel;
  readonly maxAge?: number;
  readonly sample?: number;
}

export const verifyCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('verify'))
    .description('Proves recovery points without a server and writes a report beside each.')
    .argument('[what...]', 'services and points; all of them when left out')
    .addOption(
      new Option('--level <level>', 'readable: every byte and hash. sound: the structure too')
        .choices(VERIFY_LEVELS)
        .default('sound'),
    )
    .option('--max-age <duration>', 'fail when the newest point of a service is older', duration)
    .option('--sample <n>', 'at most so many points: the newest of each service, then others at random', count)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast verify\n  holdfast verify wishlist --max-age 36h\n  holdfast verify --level readable --sample 5 --json',
    )
    .action(async (what: string[], options: Options) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ ...openedFor(options), writes: !dryRun });
      const request = {
        what,
        repositories: options.repository === undefined ? [] : [options.repository],
        level: options.level,
        maxAgeSeconds: options.maxAge ?? null,
        sample: options.sample ?? null,
      };
      if (dryRun) {
        const planned = await planVerify(request, application, face.signal);
        return tellPlanned('verify', planned, face, { level: options.level });
      }
      const report = await verify(request, application, face.signal);
      face.print(verifyForPeople(report));
      face.printJson(verifyAsJson(report));
      face.exit(EXIT_OF_PROOF[report.outcome]);
    });
