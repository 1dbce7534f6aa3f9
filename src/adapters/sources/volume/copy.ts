import { basename } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Host } from '../../../ports/host.ts';
import type { Capture, CaptureContext, Captured, CapturedTree, TreeNaming } from '../../../ports/source.ts';
import type { EngineClient } from '../../../process/engine-client.ts';
import { countTree } from '../../../streams/tar-facts.ts';
import * as args from './args.ts';
import { refusingDatabases, renamedTar } from './copied-tar.ts';
import { findVolume, missing } from './locate.ts';
import type { InspectedVolume } from './parse.ts';
import { notCopied, volumeReader } from './reader.ts';

export interface CopiedVolume {
  readonly item: string;
  readonly source: string;
  readonly volume: InspectedVolume;
  readonly exclude: readonly string[];
}

/** The name of a volume's top in a tar of this naming. */
export const storedName = (volume: string, naming: TreeNaming): string =>
  naming.style === 'absolute' ? volume : naming.prefix.replace(/\/$/, '');

/** Opens the capture of a volume that only the engine can read.
 *  @throws Unsupported with podman; SourceMissing when the volume went meanwhile, and what the engine made in its place is another one */
export async function copyVolume(
  wanted: CopiedVolume,
  { quiescent }: Pick<CaptureContext, 'quiescent'>,
  engine: EngineClient,
  host: Host,
  signal: AbortSignal,
): Promise<Capture> {
  const { item, source, volume, exclude } = wanted;
  if ((await engine.program(signal)) === 'podman') throw notThroughPodman(volume.Name);
  const reader = await volumeReader(volume.Name, engine, signal);
  const dispose = async (): Promise<void> => reader[Symbol.asyncDispose]();
  try {
    const { volume: now } = await findVolume(volume.Name, engine, host, signal);
    if (madeAs(now) !== madeAs(volume)) throw missing(volume.Name);
    const doubtful = madeAs(now) === PLAIN && now.CreatedAt !== volume.CreatedAt;
    const program = await engine.program(signal);
    const tool = { name: program, version: await host.version(program, signal) };
    let completed: Captured | null = null;
    async function* tar(naming: TreeNaming, aborted: AbortSignal): Bytes {
      completed = null;
      const command = await engine.command(args.copyOut(reader.container), aborted);
      const renaming = { from: basename(args.READ_AT), to: storedName(volume.Name, naming), exclude };
      const copied = host.read([command], { signal: aborted, bulk: true });
      const renamed = renamedTar(withWords(copied, volume.Name, aborted), { ...renaming, subject: volume.Name });
      const before = quiescent ? null : await writersOf(volume.Name, engine, aborted);
      const still = async (): Promise<boolean> => isStill(before, await writersOf(volume.Name, engine, aborted));
      yield* countTree(quiescent ? renamed : refusingDatabases(renamed, volume.Name, still), (facts) => {
        if (doubtful && isEmpty(facts)) throw missing(volume.Name);
        completed = { facts, warnings: [], unreadable: [] };
      });
    }
    const tree: CapturedTree = {
      type: 'tree',
      name: item,
      source,
      kind: 'volume',
      tool,
      exclude,
      estimatedBytes: null,
      fingerprint: null,
      roots: (naming) => [{ path: volume.Mountpoint, stored: storedName(volume.Name, naming) }],
      tar,
      completed() {
        if (completed === null) throw new Error(`${item} was not read to its end`);
        return completed;
      },
    };
    return { items: [tree], [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose().catch(() => undefined); // the first failure is told
    throw error;
  }
}

interface Writers {
  /** Every container that has the volume and was ever started, with the time of its last start. */
  readonly started: string;
  /** Whether one runs that can write to it. */
  readonly running: boolean;
}

/** The year in which what was never started was started. */
const NEVER = '0001-';

async function writersOf(volume: string, engine: EngineClient, signal: AbortSignal): Promise<Writers | null> {
  const listed = await engine.ask(args.havingVolume(volume), signal);
  const ids = listed.stdout.split('\n').filter((id) => id !== '');
  if (listed.exitCode !== 0) return null;
  if (ids.length === 0) return { started: '', running: false };
  const { stdout, exitCode } = await engine.ask(args.inspectWriters(ids.toSorted()), signal);
  if (exitCode !== 0) return null; // one of them went meanwhile
  const lines = stdout.split('\n').map((line) => line.split(' '));
  return {
    started: JSON.stringify(
      lines.filter(([, startedAt = NEVER]) => !startedAt.startsWith(NEVER)).map((line) => line.slice(0, 2)),
    ),
    running: lines.some((line) => line[2] === 'true' && line.includes(`${volume}=true`)),
  };
}

/** Nobody could write to it: none that can runs, and none was started in between. */
const isStill = (before: Writers | null, after: Writers | null): boolean =>
  before !== null && !before.running && after !== null && !after.running && before.started === after.started;

/** What an engine makes in place of a volume that went is of its own driver, and without options. */
const madeAs = ({ Driver, Options }: Pick<InspectedVolume, 'Driver' | 'Options'>): string =>
  JSON.stringify([Driver, Object.entries(Options ?? {}).toSorted()]);
const PLAIN = madeAs({ Driver: 'local', Options: {} });

/** `CreatedAt` is the time at which the top of the volume was changed last (moby 20.10, volume/local): it also changes with
 *  each name in it, and by what is mounted there. */
const isEmpty = ({ files, directories, links, others }: Facts): boolean =>
  [files, links, others].every((count) => (count ?? 0) === 0) && (directories ?? 0) <= 1;

/** Tried with 4.3: `podman cp` writes a symbolic link for every further name of a file. */
const notThroughPodman = (volume: string): HoldfastError =>
  new HoldfastError('Unsupported', `Volume ${volume} cannot be read through podman, which loses hard links.`, volume, {
    hint: 'Run Holdfast as root, or as the account that the volume belongs to, on the machine of podman',
  });

async function* withWords(bytes: Bytes, volume: string, signal: AbortSignal): Bytes {
  try {
    yield* bytes;
  } catch (error) {
    signal.throwIfAborted();
    throw notCopied(volume, error);
  }
}
