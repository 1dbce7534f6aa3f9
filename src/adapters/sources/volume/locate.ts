import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import { type EngineClient, engineRefused } from '../../../process/engine-client.ts';
import * as args from './args.ts';
import { type InspectedVolume, parseVolume, saysNoVolume } from './parse.ts';

/** A volume that is there. */
export interface FoundVolume {
  readonly volume: InspectedVolume;
  /** The folder in which this process reads it itself; null where only the engine can. */
  readonly path: string | null;
}

/** @throws SourceMissing when the engine has no such volume */
export async function findVolume(
  name: string,
  engine: EngineClient,
  host: Host,
  signal: AbortSignal,
): Promise<FoundVolume> {
  const ended = await engine.ask(args.inspect(name), signal);
  if (ended.exitCode !== 0 && saysNoVolume(ended.stderrTail)) throw missing(name);
  if (ended.exitCode !== 0) throw engineRefused(`Volume ${name} could not be looked at`, name, ended);
  const volume = parseVolume(ended.stdout);
  return { volume, path: await localFolder(volume, engine, host, signal) };
}

export const missing = (name: string): HoldfastError =>
  new HoldfastError('SourceMissing', `The engine has no volume ${name}.`, name, {
    hint: 'See the volumes with: docker volume ls. One of a Compose project has the name of the project before its own',
  });

/** Only the driver `local` has a folder of its own, and only a bound folder needs no mounting first: what another file
 *  system would show is an empty folder while no container uses it. */
async function localFolder(
  { Driver, Mountpoint, Options }: InspectedVolume,
  engine: EngineClient,
  host: Host,
  signal: AbortSignal,
): Promise<string | null> {
  if (Driver !== 'local' || !host.capabilities.localPaths || !(await engineIsHere(engine, signal))) return null;
  const { type = '', device = '', o: flags = '' } = Options ?? {};
  const bound =
    (type === 'none' || type === '') && flags.split(',').some((flag) => flag === 'bind' || flag === 'rbind');
  const mounted = device !== '' || type !== '' || flags !== '';
  if (mounted && !bound) return null;
  const folder = bound ? device : Mountpoint;
  return (await canRead(folder, host, signal)) ? folder : null;
}

/** Not on another machine, where the same path would be something else. */
async function engineIsHere(engine: EngineClient, signal: AbortSignal): Promise<boolean> {
  const program = await engine.program(signal);
  const ended = await engine.ask(args.endpoint(program), signal);
  const said = ended.stdout.trim();
  return ended.exitCode === 0 && (program === 'docker' ? /^(?:unix|fd):/.test(said) : said === 'false');
}

async function canRead(path: string, { files }: Host, signal: AbortSignal): Promise<boolean> {
  try {
    if ((await files.status(path, signal))?.type !== 'directory') return false;
    await files.list(path, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

/** Where the driver `local` would have the folder of a volume that is not there. */
export async function folderToBe(name: string, engine: EngineClient, signal: AbortSignal): Promise<string | null> {
  if (!(await engineIsHere(engine, signal))) return null;
  const ended = await engine.ask(args.rootFolder(await engine.program(signal)), signal);
  const root = ended.stdout.trim();
  return ended.exitCode === 0 && root.startsWith('/') ? `${root}/${name}/_data` : null;
}

/** Makes a volume of the driver `local`; one that is there already stays as it is. */
export async function createVolume(name: string, engine: EngineClient, signal: AbortSignal): Promise<void> {
  const ended = await engine.ask(args.create(name), signal);
  if (ended.exitCode !== 0) throw engineRefused(`Volume ${name} could not be made`, name, ended);
}
