import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Command, Host } from '../../../ports/host.ts';
import { writeText } from '../../../process/write-text.ts';
import type { Outside } from '../server/outside.ts';
import type { Reached } from '../server/reach.ts';
import * as args from './args.ts';
import { directoriesIn, movedTo, sameSuffix } from './directories.ts';
import { explain } from './dump.ts';
import { type Scanned, scanLdif } from './ldif-scanner.ts';

/** A server whose folders are made anew beside those that it has. Its programs may run in a container, and see all of it
 *  under other names. */
export interface Builder {
  readonly reached: Pick<Reached, 'host' | 'command'>;
  /** Where the folders lie, and the dumps. */
  readonly outer: Host;
  readonly suffix: string;
  /** As the programs see it; `data` null where it is not known. */
  readonly config: string;
  readonly data: string | null;
  /** The dumps by their names. */
  readonly files: { readonly entries: string; readonly configuration: string };
}

/** Restored dumps by the name that the point has them under. */
type Dumps = ReadonlyMap<string, string>;

/** Fills a new folder with the entries, under the configuration that is restored with them, else the present one.
 *  @throws SourceFailed as slapadd did; Damaged when it made less of it; Refused when the configuration of the point has
 *  them in another folder */
export async function buildEntries(
  builder: Builder,
  place: Outside,
  dumps: Dumps,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { reached, outer, suffix, config, data, files } = builder;
  const dump = dumpOf(files.entries, dumps);
  const restored = dumps.get(files.configuration);
  const { stdout: ldif } =
    restored === undefined
      ? await reached.host.run(reached.command('slapcat', args.dump(config, 'configuration')), { signal })
      : await outer.run({ program: 'cat', args: ['--', restored] }, { signal });
  const own = directoriesIn(ldif).find(({ suffixes }) => suffixes.some((one) => sameSuffix(one, suffix)));
  if (own === undefined) throw elsewhere(suffix, `The configuration of the point has no database ${suffix}.`);
  if (restored !== undefined && (await placed(own.path, reached.host, signal)) !== data)
    throw elsewhere(suffix, `The configuration of the point has ${suffix} in ${own.path}, the present one in ${data}.`);
  const [folder, settings] = [`${target}.config`, `${target}.ldif`];
  for (const made of [target, folder]) await outer.files.makeFolder(made, 0o700, signal);
  await writeText(settings, movedTo(place.inside(target), suffix, ldif), outer, signal);
  await slapadd(place.inside(folder), 'configuration', place.inside(settings), builder, signal);
  await slapadd(place.inside(folder), { suffix }, place.inside(dump), builder, signal);
  const made = reached.command('slapcat', args.dump(place.inside(folder), { suffix }));
  await refuseFewer(suffix, await countedIn(made, reached.host, signal), dump, outer, signal);
  for (const path of [folder, settings]) await outer.files.remove(path, signal);
  await dress(target, place.path, outer, signal);
}

const elsewhere = (suffix: string, words: string): HoldfastError =>
  new HoldfastError('Refused', words, suffix, {
    hint: 'Restore them one after the other: --item ldap_config, then --item ldap',
  });

/** Fills a new folder with cn=config. @throws as {@link buildEntries} */
export async function buildConfiguration(
  builder: Builder,
  place: Outside,
  dumps: Dumps,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { reached, outer, files } = builder;
  const dump = dumpOf(files.configuration, dumps);
  await outer.files.makeFolder(target, 0o700, signal);
  await slapadd(place.inside(target), 'configuration', place.inside(dump), builder, signal);
  const made = reached.command('slapcat', args.dump(place.inside(target), 'configuration'));
  await refuseFewer('cn=config', await countedIn(made, reached.host, signal), dump, outer, signal);
  await dress(target, place.path, outer, signal);
}

function dumpOf(name: string, dumps: Dumps): string {
  const dump = dumps.get(name);
  if (dump === undefined) throw new TypeError(`${name} was not restored.`);
  return dump;
}

const placed = async (path: string, { files }: Host, signal: AbortSignal): Promise<string> =>
  (await files.status(path, signal)) === null ? path : await files.realPath(path, signal);

async function slapadd(
  config: string,
  what: Parameters<typeof args.add>[1],
  dump: string,
  { reached, suffix }: Builder,
  signal: AbortSignal,
): Promise<void> {
  try {
    await reached.host.run(reached.command('slapadd', [...args.add(config, what), '-l', dump]), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw explain(error, what === 'configuration' ? 'cn=config' : suffix);
  }
}

async function countedIn(command: Command, host: Host, signal: AbortSignal): Promise<Scanned> {
  const scan = scanLdif();
  for await (const chunk of host.read([command], { signal })) scan.take(chunk);
  return scan.end();
}

async function refuseFewer(
  subject: string,
  made: Scanned,
  dump: string,
  host: Host,
  signal: AbortSignal,
): Promise<void> {
  const wanted = await countedIn({ program: 'cat', args: ['--', dump] }, host, signal);
  if ('entries' in made && 'entries' in wanted && made.entries === wanted.entries) return;
  const words = [wanted, made].map((one) =>
    'entries' in one ? counted(one.entries, 'entry', 'entries') : one.malformed,
  );
  throw new HoldfastError('Damaged', `${subject}: of ${words[0]} slapadd made ${words[1]}.`, subject);
}

/** Owner and mode of what it replaces; only root can give a file away. */
async function dress(target: string, model: string, host: Host, signal: AbortSignal): Promise<void> {
  if ((await host.files.status(model, signal)) === null) return;
  const { stdout } = await host.run({ program: 'id', args: ['-u'] }, { signal });
  if (stdout.trim() === '0')
    await host.run({ program: 'chown', args: ['-R', `--reference=${model}`, '--', target] }, { signal });
  await host.run({ program: 'chmod', args: [`--reference=${model}`, '--', target] }, { signal });
}
