import type { Image, Images } from '../../../ports/unit.ts';
import { keptName } from './args.ts';
import type { Engine } from './engine.ts';

type Naming = Pick<Engine, 'tag' | 'untag' | 'identityOf' | 'keptUnder'>;

/** Each gets a name of our own, since `docker image prune` removes what has none. */
export async function keepAll(engine: Naming, label: string, images: Images, signal: AbortSignal): Promise<void> {
  for (const identity of new Set(Object.values(images).map((image) => image.identity)))
    await engine.tag(identity, keptName(label, identity), signal);
}

export async function releaseAll(engine: Naming, label: string, signal: AbortSignal): Promise<void> {
  for (const name of await engine.keptUnder(label, signal)) await engine.untag(name, signal);
}

/** Lets the name by which a container was made lead to its image again, as it did then. False for one that is no name: a
 *  digest, an identity. */
export async function giveNameBack(engine: Naming, image: Image, signal: AbortSignal): Promise<boolean> {
  const { identity, reference } = image;
  if (reference === '' || /@|^(?:sha256:)?[0-9a-f]{12,64}$/.test(reference)) return false;
  if ((await engine.identityOf(reference, signal)) !== identity) await engine.tag(identity, reference, signal);
  return true;
}
