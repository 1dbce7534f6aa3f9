import { HoldfastError } from '../../../domain/errors.ts';
import { unitNameOf } from '../../../domain/unit-reference.ts';
import type { Host } from '../../../ports/host.ts';
import type { Unit, UnitReference } from '../../../ports/unit.ts';
import type { EngineEnvironment } from '../../../process/container-engine.ts';
import { containerEngine } from '../engine/engine.ts';
import { giveNameBack, keepAll, releaseAll } from '../engine/images.ts';
import { type Container, downMsOf, imageOf, nameOf, runs, stateOf } from '../engine/parse.ts';

type Reference = Extract<UnitReference, { readonly kind: 'container' }>;

/** One container of the host's engine. */
export function containerUnit(reference: Reference, host: Host, environment: EngineEnvironment): Unit {
  const { container: own, id = own } = reference;
  const name = unitNameOf(reference);
  const engine = containerEngine(name, host, environment);
  /** As it was last looked at. */
  let seen: Container | null = null;
  let stopped: string | null = null;
  /** By its identity; by its name when it was made anew. */
  async function byEither<Result>(work: (known: string) => Promise<Result>): Promise<Result> {
    try {
      return await work(id);
    } catch (error) {
      if (id === own || !(error instanceof HoldfastError && error.code === 'UnitMissing')) throw error;
      return await work(own);
    }
  }
  async function inspect(signal: AbortSignal): Promise<Container> {
    const [found] = await byEither((known) => engine.inspect([known], signal));
    if (found === undefined) throw new RangeError('one name was asked for, and none came back without an error');
    seen = found;
    return found;
  }
  return {
    name,
    reference,
    tellsDowntime: true,
    async downMs(members, signal) {
      if (members.length === 0) return null;
      const found = await inspect(signal);
      // another one of this name was made meanwhile, and was never down
      return stopped !== null && found.Id !== stopped ? 0 : downMsOf([found]);
    },
    state: async (signal) => stateOf(await inspect(signal)),
    async running(signal) {
      const found = await inspect(signal);
      return runs(found) ? [nameOf(found)] : [];
    },
    async stop(signal, spared = new Set()) {
      // What was seen to run is stopped without another look: each takes as long as a start.
      const found = seen !== null && runs(seen) ? seen : await inspect(signal);
      seen = null;
      if (!runs(found) || spared.has(nameOf(found))) return;
      stopped = found.Id;
      await engine.stop(found, signal);
    },
    async start(members, signal) {
      // A start says itself that there is no such container, and what is down need not wait for another look.
      const started = members ?? [own];
      if (started.length === 0) await inspect(signal);
      for (const member of started)
        await (member === own ? byEither((known) => engine.start(known, signal, own)) : engine.start(member, signal));
    },
    health: async (signal) => engine.health(await inspect(signal)),
    async processes(signal) {
      const found = await inspect(signal);
      return stateOf(found) === 'active' ? engine.processes(found.Id, signal) : [];
    },
    async images(signal) {
      const found = await inspect(signal);
      return { [nameOf(found)]: imageOf(found, nameOf(found)) };
    },
    async keepImages(label, images, signal) {
      await inspect(signal);
      await keepAll(engine, label, images, signal);
    },
    releaseImages: (label, signal) => releaseAll(engine, label, signal), // the container may be gone by then
    async takeImagesBack(_label, images, signal) {
      const found = await inspect(signal);
      const wanted = images[nameOf(found)];
      if (wanted === undefined || wanted.identity === imageOf(found, own).identity) return;
      const named = await giveNameBack(engine, wanted, signal);
      const words = `${name} was made of another image, and only Compose can make a container anew.`;
      throw new HoldfastError('Unsupported', words, name, {
        hint: `Remove it and make it as before, of ${named ? wanted.reference : wanted.identity}, which is the image of then`,
      });
    },
    async starters(signal) {
      await inspect(signal);
      return [];
    },
  };
}
