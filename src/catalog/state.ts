import { access, constants, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import { homeFolder } from '../domain/home-folder.ts';
import { makeFolders } from '../domain/make-folders.ts';
import { stateError } from '../domain/state-error.ts';

/** Where the catalog, the journal and the origin are kept (interface, section 5, "State").
 *  @param uid the effective user id; 0 is root
 *  @throws ConfigurationInvalid for a variable that is no absolute path */
export function stateFolder(environment: Readonly<Record<string, string | undefined>>, uid: number): string {
  // systemd.exec(5): several folders of a unit are separated by colons; the first is ours
  const [given] = (environment.STATE_DIRECTORY ?? '').split(':');
  if (given) return absolute(given, 'STATE_DIRECTORY');
  if (uid === 0) return '/var/lib/holdfast';
  if (environment.XDG_STATE_HOME) return join(absolute(environment.XDG_STATE_HOME, 'XDG_STATE_HOME'), 'holdfast');
  return join(homeFolder(environment, homedir), '.local/state/holdfast');
}

function absolute(path: string, variable: string): string {
  if (path.startsWith('/')) return path;
  const hint = `Set ${variable} to an absolute path`;
  throw new HoldfastError('ConfigurationInvalid', `${variable} is ${path}, which is no absolute path.`, variable, {
    hint,
  });
}

/** Makes the folder and its parents, for this account alone; one that exists stays as it is. Durable when it resolves.
 *  @throws StateUnusable, NoSpace */
export async function makeStateFolder(folder: string): Promise<void> {
  try {
    const made = await makeFolders(folder, 0o700, { mkdir, stat });
    for (const each of made.toReversed()) await syncFolder(dirname(each));
    await access(folder, constants.W_OK); // SQLite says no more than that it cannot
  } catch (error) {
    throw stateError(error, 'state folder', folder);
  }
}

/** The id of this state folder (interface, section 10, line 5): made at the first call, the same ever after, also when
 *  two processes make it at once. 128 random bits in hexadecimal.
 *  @throws StateDamaged for a file that holds no id, StateUnusable, NoSpace */
export async function originOf(folder: string): Promise<string> {
  const path = join(folder, 'origin');
  try {
    const known = await readOrigin(path);
    if (known !== null) return known;
    const { randomBytes } = await import('node:crypto'); // only the very first run needs it
    const provisional = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
    try {
      await writeProvisional(provisional, `${randomBytes(16).toString('hex')}\n`);
      // a link, where a rename would replace the id that another process just gave
      await link(provisional, path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw error;
      });
    } finally {
      await rm(provisional, { force: true });
    }
    await syncFolder(folder);
  } catch (error) {
    throw stateError(error, 'state folder', folder);
  }
  return originOf(folder);
}

async function readOrigin(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (text === null) return null;
  const id = text.trim();
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  const hint = `Take it from "origin" in a manifest that this machine wrote, and write it to ${path}`;
  throw new HoldfastError('StateDamaged', `${path} holds no origin: it was overwritten or cut.`, path, { hint });
}

async function writeProvisional(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}
