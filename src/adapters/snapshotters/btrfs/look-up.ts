import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import { FORMAT, type Listing, parseListing, split } from '../pool/listing.ts';

export type Names = ReadonlySet<string>;

/** With the whole path, which begins with `./`. */
const WHOLE = FORMAT.replace('%P', '%p');
/** `find` takes paths before its expression, where `xargs` cannot put them. The format is `$0`. */
const FIND = {
  alone: 'exec find "$@" -maxdepth 0 -printf "$0"',
  trees: 'exec find "$@" -xdev -printf "$0"',
} as const;
/** xargs(1): a command ended with 1 to 125. */
const SOME_FAILED = 123;

/** What stands at these paths below a folder, by path; what is not there is left out. `trees`: and all that is in them.
 *  @throws ProcessFailed when something cannot be read */
export async function lookUp(
  host: Host,
  root: string,
  names: Names,
  extent: keyof typeof FIND,
  signal: AbortSignal,
): Promise<Map<string, Listing>> {
  const found = new Map<string, Listing>();
  if (names.size === 0) return found;
  const unreadable: string[] = [];
  const command = {
    program: 'xargs',
    args: ['-0', '-r', 'sh', '-c', FIND[extent], WHOLE],
    workingFolder: root,
  };
  const options = {
    signal,
    input: asInput(names),
    accept: [0, SOME_FAILED],
    onStderr: (line: string) => {
      if (!/: (?:No such file or directory|Not a directory)$/.test(line)) unreadable.push(line);
    },
  };
  for await (const record of split(host.read([command], options), 0)) {
    const listing = parseListing(record.slice(2));
    found.set(listing.path, listing);
  }
  if (unreadable[0] === undefined) return found;
  throw new HoldfastError('ProcessFailed', `Not all of ${root} can be read: ${unreadable[0]}`, root);
}

async function* asInput(names: Names) {
  for (const name of names) yield Buffer.from(`./${name}\0`, 'latin1');
}
