import { HoldfastError } from '../../../domain/errors.ts';
import { type EngineClient, engineRefused } from '../../../process/engine-client.ts';
import { currentOwner, ownerIsGone } from '../../../process/owner.ts';
import * as args from './args.ts';
import { parseReaders, type Reader } from './parse.ts';

/** How long the engine may take to remove a container when nobody waits for it any more. */
const REMOVE_LIMIT_MS = 60_000;
/** A tar without members: two zero blocks. */
const NOTHING = new Uint8Array(1024);

/** A container that has a volume and is never started. Disposing removes it and its image. */
export interface VolumeReader extends AsyncDisposable {
  readonly container: string;
}

/** Makes a reader of an image of nothing, so that none has to be there and nothing of one gets into an empty volume.
 *  Those that a killed process left behind are removed first. */
export async function volumeReader(volume: string, engine: EngineClient, signal: AbortSignal): Promise<VolumeReader> {
  await removeLeft(engine, signal);
  const input = (async function* () {
    yield NOTHING;
  })();
  const imported = await engine.ask(args.importImage, signal, { input });
  if (imported.exitCode !== 0) throw engineRefused(`Volume ${volume} cannot be read`, volume, imported);
  const image = imported.stdout.trim();
  try {
    const owner = JSON.stringify(currentOwner());
    const created = await engine.ask(args.createReader(volume, image, owner), signal);
    if (created.exitCode !== 0) throw engineRefused(`Volume ${volume} cannot be read`, volume, created);
    const container = created.stdout.trim();
    return { container, [Symbol.asyncDispose]: () => remove({ id: container, image }, engine) };
  } catch (error) {
    await remove({ id: null, image }, engine).catch(() => undefined); // the first failure is told
    throw error;
  }
}

async function remove(
  { id, image }: { readonly id: string | null; readonly image: string },
  engine: EngineClient,
): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_LIMIT_MS);
  if (id !== null) {
    const removed = await engine.ask(args.removeContainer(id), signal);
    if (removed.exitCode !== 0 && !/no such container/i.test(removed.stderrTail))
      throw engineRefused(`The container ${id} that read a volume could not be removed`, id, removed);
  }
  // It stays while another reader has the same one, which then takes it along.
  await engine.ask(args.removeImage(image), signal);
}

async function removeLeft(engine: EngineClient, signal: AbortSignal): Promise<void> {
  const listed = await engine.ask(args.readers, signal);
  const ids = listed.stdout.split('\n').filter((id) => id !== '');
  if (listed.exitCode !== 0 || ids.length === 0) return;
  const inspected = await engine.ask(args.inspectReaders(ids), signal);
  if (inspected.stdout.trim() === '') return; // they went meanwhile
  for (const reader of parseReaders(inspected.stdout)) if (isLeft(reader)) await remove(reader, engine);
}

const isLeft = ({ owner }: Reader): boolean => owner !== null && ownerIsGone(owner) === true;

/** What the engine said of a copy that it did not end well. */
export const notCopied = (volume: string, cause: unknown): HoldfastError =>
  new HoldfastError('SourceFailed', `Volume ${volume} could not be read to its end through the engine.`, volume, {
    cause,
    hint: 'See the words of the engine with: --verbose',
  });
