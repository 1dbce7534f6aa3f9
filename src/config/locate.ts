import { open, readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Diagnostic } from './diagnostic.ts';

/** Far more than any configuration; parsing so much takes a second at most. */
const LARGEST = 1024 * 1024;

export interface Place {
  /** What `--config` says; null when it was not given. */
  readonly file: string | null;
  /** `HOLDFAST_CONFIG` and `XDG_CONFIG_HOME` are read. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly homeFolder: string;
}

/** Where a configuration is looked for, in this order (interface, sections 1 and 2). */
export function searchedFiles({ file, environment, homeFolder }: Place): readonly string[] {
  const named = file ?? environment.HOLDFAST_CONFIG;
  if (named !== undefined && named !== '') return [resolve(named)];
  const xdg = environment.XDG_CONFIG_HOME;
  // The XDG base directory specification has relative paths ignored.
  const folder = xdg?.startsWith('/') ? xdg : join(homeFolder, '.config');
  return ['/etc/holdfast/holdfast.yaml', join(folder, 'holdfast/holdfast.yaml')];
}

const codeOf = (error: unknown): string => (error instanceof Error && 'code' in error ? String(error.code) : '');
const isAbsent = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes(codeOf(error));

const fault = (file: string, message: string): Diagnostic => ({
  severity: 'error',
  file,
  line: 0,
  column: 0,
  path: '',
  message,
});

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'This account may not read it.',
  EPERM: 'This account may not read it.',
  EISDIR: 'It is a folder: name the file in it.',
  ELOOP: 'Its symbolic links go in a circle.',
};

/** The text of a file, or why there is none. Null when the file is not there. */
export async function readText(file: string): Promise<string | Diagnostic | null> {
  let bytes: Buffer;
  try {
    await using handle = await open(file, 'r');
    if ((await handle.stat()).isDirectory()) return fault(file, WHY.EISDIR ?? '');
    const buffer = Buffer.allocUnsafe(LARGEST + 1); // read to the end or over the limit: a pipe has no size to ask for
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    bytes = buffer.subarray(0, length);
  } catch (error) {
    if (isAbsent(error)) return null;
    return fault(file, WHY[codeOf(error)] ?? `It cannot be read: ${messageOf(error)}.`);
  }
  if (bytes.length > LARGEST) return fault(file, 'It is larger than 1 MiB, which no configuration is.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes); // takes a byte order mark away
  } catch {
    return fault(file, 'It is not UTF-8: save it in that encoding.');
  }
}

export interface ConfigurationText {
  readonly file: string;
  readonly text: string;
}

/** The main file and those of `conf.d` beside it in the order of their names; what could not be read.
 *  @throws HoldfastError `ConfigurationMissing` when there is no main file */
export async function readFiles(place: Place): Promise<{ texts: ConfigurationText[]; faults: Diagnostic[] }> {
  const searched = searchedFiles(place);
  const unreadable: Diagnostic[] = [];
  for (const file of searched) {
    const text = await readText(file);
    if (text === null) continue;
    if (typeof text === 'string') return withFragments({ file, text });
    unreadable.push(text); // a user's own file is found behind a system's that only root reads
  }
  const [first] = unreadable;
  if (first) return { texts: [], faults: unreadable };
  const named = searched.length === 1;
  const message = named ? `There is no file ${searched[0]}.` : `There is no configuration: ${searched.join(', ')}.`;
  throw new HoldfastError('ConfigurationMissing', message, searched[0] ?? '');
}

async function withFragments(main: ConfigurationText): Promise<{ texts: ConfigurationText[]; faults: Diagnostic[] }> {
  const folder = join(dirname(main.file), 'conf.d');
  const texts = [main];
  const faults: Diagnostic[] = [];
  let names: string[] = [];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (!isAbsent(error)) faults.push(fault(folder, WHY[codeOf(error)] ?? `It cannot be read: ${messageOf(error)}.`));
  }
  for (const name of names.toSorted()) {
    const file = join(folder, name);
    if (name.endsWith('.yml') && !name.startsWith('.'))
      faults.push({ ...fault(file, 'It is not read: files of conf.d end with .yaml.'), severity: 'warning' });
    if (!name.endsWith('.yaml') || name.startsWith('.')) continue; // an editor's `.#name.yaml` is none of ours
    const text = await readText(file);
    if (typeof text === 'string') texts.push({ file, text });
    else faults.push(text ?? fault(file, 'It is a link that leads nowhere.'));
  }
  return { texts, faults };
}
